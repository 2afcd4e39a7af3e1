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


def nannyml(chunk: int) -> Callable[[np.ndarray], Flags]:
    """Its univariate calculator: Jensen-Shannon beyond three standard deviations."""
    import nannyml as nml

    calculator = nml.UnivariateDriftCalculator(
        column_names=NAMES, continuous_methods=["jensen_shannon"], chunk_size=chunk
    )
    calculator.fit(frame(drift_streams.reference()))

    def flags(values: np.ndarray) -> Flags:
        found = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        for at, name in enumerate(NAMES):
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


def measured(flags: Callable[[np.ndarray], Flags], streams: int, fields: int) -> dict[str, object]:
    """What a monitor does on calm streams, and on shifted ones."""
    alarmed, alarms, models = 0, 0, 0
    delays = []
    for stream in range(streams):
        found = list(flags(drift_streams.calm(stream)))
        alarms += len(found)
        alarmed += len({at for at, _ in found})
        models += bool(found)
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
    every = drift_streams.FIELDS
    found = {
        "Evidently, windows of 200 rows": measured(evidently(200), 1, every),
        "Evidently, windows of 1,000 rows": measured(evidently(1_000), min(streams, 3), every),
        "NannyML, chunks of 500 rows": measured(nannyml(500), streams, every),
        "river ADWIN": measured(river("ADWIN", every), streams, every),
        "river PageHinkley": measured(river("PageHinkley", every), streams, every),
        "river KSWIN, on the first field": measured(river("KSWIN", 1), min(streams, 3), 1),
    }
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
