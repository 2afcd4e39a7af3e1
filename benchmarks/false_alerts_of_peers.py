"""The peers' side of `false_alerts.py`; runs in their environment and prints JSON.

Each runs with its defaults. A field that is flagged in any window has alerted; a shift is found by
the first flag after it, true or not.
"""

import argparse
import json
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

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
            report = Report([DataDriftPreset()]).run(part, reference).dict()
            for metric in report["metrics"]:
                settings = metric["config"]
                if not settings["type"].endswith("ValueDrift"):
                    continue
                is_p_value = "p_value" in settings["method"]
                value, threshold = float(metric["value"]), settings["threshold"]
                if (value < threshold) if is_p_value else (value >= threshold):
                    yield NAMES.index(settings["column"]), start + window

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
        drifts = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        for at, name in enumerate(names):
            alerts = drifts[name]["jensen_shannon"]["alert"].to_numpy()
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


class Peer(NamedTuple):
    """A monitor: what it flags, of how many fields, and after how many rows it looks.

    calm_rows: how many rows without drift it is shown of each stream: fewer if it takes a second a
    look. has_memory: whether what it says of a shift depends on the rows before it.
    """

    flags: Callable[[np.ndarray], Flags]
    fields: int
    check_rows: int
    calm_rows: int = drift_streams.ROWS
    has_memory: bool = True


def measured(peer: Peer, streams: int) -> dict[str, object]:
    """What a monitor does on calm streams, and on shifted ones."""
    alerted, alerts, models, loud = 0, 0, 0, 0
    delays = []
    skipped = 0 if peer.has_memory else drift_streams.SHIFT_AT
    for stream in range(streams):
        flags = list(peer.flags(drift_streams.calm(stream)[: peer.calm_rows]))
        alerts += len(flags)
        alerted += len({at for at, _ in flags})
        models += bool(flags)
        loud += len({row for _, row in flags})
        after = (
            row + skipped - drift_streams.SHIFT_AT
            for at, row in peer.flags(drift_streams.shifted(stream)[skipped:])
            if at == 0
        )
        first = next((rows for rows in after if rows > 0), None)
        delays += [] if first is None else [first]
    return {
        "fields_alerted": alerted,
        "fields": streams * peer.fields,
        "alerts": alerts,
        "calm_rows": peer.calm_rows,
        "looks": peer.calm_rows // peer.check_rows * streams,
        "checks_alerted": loud,
        "models_alerted": models,
        "models": streams,
        "shifts_found": len(delays),
        "median_delay_rows": float(np.median(delays)) if delays else None,
    }


def main() -> None:
    """Measure each in turn."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    streams = parser.parse_args().streams
    every, few = drift_streams.FIELDS, min(streams, 3)
    by_peer = {}
    for window, calm_rows, count in ((50, 5_000, 1), (200, 20_000, 1), (1_000, 20_000, few)):
        peer = Peer(evidently(window), every, window, calm_rows, has_memory=False)
        by_peer[f"Evidently, windows of {window:,} rows"] = measured(peer, count)
    for fields in (10, every):
        peer = Peer(nannyml(500, fields), fields, 500, has_memory=False)
        by_peer[f"NannyML, {fields} fields, chunks of 500 rows"] = measured(peer, streams)
    for name, count, fields in (
        ("ADWIN", streams, every),
        ("PageHinkley", streams, every),
        ("KSWIN", few, 1),
    ):
        title = f"river {name}" + ", on the first field" * (fields == 1)
        by_peer[title] = measured(Peer(river(name, fields), fields, 1), count)
    json.dump(by_peer, sys.stdout)


if __name__ == "__main__":
    main()
