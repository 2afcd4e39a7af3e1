"""Drift monitors of other tools with their defaults; runs in their environment.

A monitor is a function of a stream `[rows, fields]` that yields its flags: pairs of a field's index
and the number of rows after which the field was flagged.
"""

import os
import warnings
from collections.abc import Callable, Iterator

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # no telemetry
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402 - the variables come first
import pandas as pd  # noqa: E402

Flags = Iterator[tuple[int, int]]
Monitor = Callable[[np.ndarray], Flags]


def frame(values: np.ndarray) -> pd.DataFrame:
    """Convert `[rows, fields]` to a data frame, which the other tools need."""
    return pd.DataFrame(values, columns=[f"f{place}" for place in range(values.shape[1])])


def evidently(reference: np.ndarray, window: int) -> Monitor:
    """Return a monitor that runs Evidently's drift preset on each window of this many rows."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    trained = frame(reference)
    names = list(trained.columns)

    def flags(values: np.ndarray) -> Flags:
        for start in range(0, len(values), window):
            part = frame(values[start : start + window])
            report = Report([DataDriftPreset()]).run(part, trained).dict()
            for metric in report["metrics"]:
                settings = metric["config"]
                if not settings["type"].endswith("ValueDrift"):
                    continue
                is_p_value = "p_value" in settings["method"]
                value, threshold = float(metric["value"]), settings["threshold"]
                if (value < threshold) if is_p_value else (value >= threshold):
                    yield names.index(settings["column"]), start + window

    return flags


def nannyml(reference: np.ndarray, chunk: int) -> Monitor:
    """Return a monitor that runs NannyML's univariate calculator on each chunk of this many rows.

    A field is flagged if its Jensen-Shannon distance is beyond three standard deviations.
    """
    import nannyml as nml

    trained = frame(reference)
    names = list(trained.columns)
    calculator = nml.UnivariateDriftCalculator(
        column_names=names, continuous_methods=["jensen_shannon"], chunk_size=chunk
    )
    calculator.fit(trained)

    def flags(values: np.ndarray) -> Flags:
        drifts = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        for place, name in enumerate(names):
            alerts = drifts[name]["jensen_shannon"]["alert"].to_numpy()
            yield from ((place, int(number + 1) * chunk) for number in np.flatnonzero(alerts))

    return flags


def river(name: str, fields: int) -> Monitor:
    """Return a monitor that runs one of river's detectors on each of the first `fields` fields."""
    from river import drift

    def flags(values: np.ndarray) -> Flags:
        for place in range(fields):
            detector = drift.KSWIN(seed=1) if name == "KSWIN" else getattr(drift, name)()
            for row, value in enumerate(values[:, place].tolist(), start=1):
                detector.update(value)
                if detector.drift_detected:
                    yield place, row

    return flags
