"""False alerts and delays of mlmonitor; `false_alerts.py` also measures other tools."""

import sys
from collections.abc import Iterator

import false_alerts
from harness import Figure, main


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield how many models alerted without drift, and after how many rows a shift was found."""
    streams = 3 if is_quick else 10
    ours = next(iter(false_alerts.all_ours(streams).values()))
    assert isinstance(ours, dict)
    yield Figure(
        "models alerted without drift",
        ours["models_alerted"],
        f"of {streams}",
        max(streams / 100, 1.0),
        "one in a hundred, or one",
    )
    delay = ours["median_delay_rows"]
    assert delay is not None, "no shift was found"
    yield Figure("rows until a shift is found, median", delay, "rows", 700.0, "700 rows")


if __name__ == "__main__":
    sys.exit(main("alerts", measure, __doc__ or ""))
