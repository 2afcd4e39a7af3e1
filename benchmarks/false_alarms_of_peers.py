"""The peers' side of `false_alarms.py`; runs in their environment and prints JSON.

Each runs with its defaults. A field that is flagged in any window has alarmed; a shift is found by
the first flag after it, true or not.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # they phone home
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402 - the variables come first
import pandas as pd  # noqa: E402

import drift_streams  # noqa: E402

NAMES = [f"f{at}" for at in range(drift_streams.FIELDS)]
Flags = Iterator[tuple[int, int]]
"""Field, and the row after which it was flagged."""


def frame(values: np.ndarray) -> pd.DataFrame:
    """A stream as the peers take it."""
    return pd.DataFrame(values, columns=NAMES)


def evidently(window: int) -> Callable[[np.ndarray], Flags]:
    """Its drift preset, window by window: thresholds that know the reference's size alone."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    reference = frame(drift_streams.reference())

    def flags(values: np.ndarray) -> Flags:
        for start in range(0, len(values), window):
            part = frame(values[start : start + window])
            found = Report([DataDriftPreset()]).run(part, reference).dict()
            for metric in found["metrics"]:
                told = metric["config"]
                if not told["type"].endswith("ValueDrift"):
                    continue
                is_p_value = "p_value" in told["method"]
                value, threshold = float(metric["value"]), told["threshold"]
                if (value < threshold) if is_p_value else (value >= threshold):
                    yield NAMES.index(told["column"]), start + window

    return flags


def nannyml(chunk: int, fields: int) -> Callable[[np.ndarray], Flags]:
    """Its univariate calculator: Jensen-Shannon beyond three standard deviations."""
    import nannyml as nml

    names = NAMES[:fields]
    calculator = nml.UnivariateDriftCalculator(
        column_names=names, continuous_methods=["jensen_shannon"], chunk_size=chunk
    )
    calculator.fit(frame(drift_streams.reference()))

    def flags(values: np.ndarray) -> Flags:
        found = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        for at, name in enumerate(names):
            alerts = found[name]["jensen_shannon"]["alert"].to_numpy()
            yield from ((at, int(place + 1) * chunk) for place in np.flatnonzero(alerts))

    return flags


def river(name: str, fields: int) -> Callable[[np.ndarray], Flags]:
    """One of its detectors, value by value."""
    from river import drift

    def flags(values: np.ndarray) -> Flags:
        for at in range(fields):
            detector = drift.KSWIN(seed=1) if name == "KSWIN" else getattr(drift, name)()
            for row, value in enumerate(values[:, at].tolist(), start=1):
                detector.update(value)
                if detector.drift_detected:
                    yield at, row

    return flags


def measured(
    flags: Callable[[np.ndarray], Flags], streams: int, fields: int, looks: int
) -> dict[str, object]:
    """What a monitor does on calm streams, and on shifted ones; it looks so often at each."""
    alarmed, alarms, models, loud = 0, 0, 0, 0
    delays = []
    for stream in range(streams):
        found = list(flags(drift_streams.calm(stream)))
        alarms += len(found)
        alarmed += len({at for at, _ in found})
        models += bool(found)
        loud += len({row for _, row in found})
        late = [
            row - drift_streams.SHIFT_AT
            for at, row in flags(drift_streams.shifted(stream))
            if at == 0 and row > drift_streams.SHIFT_AT
        ]
        delays += [min(late)] if late else []
    return {
        "fields_alarmed": alarmed,
        "fields": streams * fields,
        "alarms": alarms,
        "looks": looks * streams,
        "looks_alarmed": loud,
        "models_alarmed": models,
        "models": streams,
        "shifts_found": len(delays),
        "median_delay_rows": float(np.median(delays)) if delays else None,
    }


def main() -> None:
    """Measure each in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    streams = parser.parse_args().streams
    every, rows, few = drift_streams.FIELDS, drift_streams.ROWS, min(streams, 3)
    found = {
        f"Evidently, windows of {window:,} rows": measured(
            evidently(window), count, every, rows // window
        )
        for window, count in ((50, 1), (200, 1), (1_000, few))
    }
    found |= {
        f"NannyML, {fields} fields, chunks of 500 rows": measured(
            nannyml(500, fields), streams, fields, rows // 500
        )
        for fields in (10, every)
    }
    for name, count, fields in (
        ("ADWIN", streams, every),
        ("PageHinkley", streams, every),
        ("KSWIN", few, 1),
    ):
        title = f"river {name}" + ", on the first field" * (fields == 1)
        found[title] = measured(river(name, fields), count, fields, rows)
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
