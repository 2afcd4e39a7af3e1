"""Drift monitors of other tools with their defaults; runs in their environment.

A monitor is a function of a stream `[rows, fields]` that yields its flags: pairs of a field's index
and the number of rows after which the field was flagged.
"""

import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # no telemetry
warnings.simplefilter("ignore")

import numpy as np  # noqa: E402 - the variables come first
import pandas as pd  # noqa: E402

Flags = Iterator[tuple[int, int]]
Rows = np.ndarray | pd.DataFrame
Monitor = Callable[[Rows], Flags]


def frame(values: Rows) -> pd.DataFrame:
    """Convert `[rows, fields]` to a data frame, which other tools need; a frame is unchanged."""
    if isinstance(values, pd.DataFrame):
        return values
    return pd.DataFrame(values, columns=[f"f{place}" for place in range(values.shape[1])])


def join_columns(columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Build a data frame of columns; texts are categories."""
    return pd.DataFrame(dict(columns)).astype(
        {name: "object" for name, values in columns.items() if values.dtype.kind == "U"}
    )


def join_rows(first: pd.DataFrame, second: pd.DataFrame) -> pd.DataFrame:
    """Append the rows of one frame to those of another."""
    return pd.concat([first, second], ignore_index=True)


def evidently(reference: Rows, window: int) -> Monitor:
    """Return a monitor that runs Evidently's drift preset on each window of this many rows."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    trained = frame(reference)
    names = list(trained.columns)

    def flags(values: Rows) -> Flags:
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


def nannyml(reference: Rows, chunk: int) -> Monitor:
    """Return a monitor that runs NannyML's univariate calculator on each chunk of this many rows.

    A field is flagged if its Jensen-Shannon distance is beyond three standard deviations.
    """
    import nannyml as nml

    trained = frame(reference)
    names = list(trained.columns)
    calculator = nml.UnivariateDriftCalculator(
        column_names=names,
        continuous_methods=["jensen_shannon"],
        categorical_methods=["jensen_shannon"],
        chunk_size=chunk,
    )
    calculator.fit(trained)

    def flags(values: Rows) -> Flags:
        drifts = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        for place, name in enumerate(names):
            alerts = drifts[name]["jensen_shannon"]["alert"].to_numpy()
            yield from _flag_chunks(place, alerts, chunk)

    return flags


def _flag_chunks(place: int, alerts: np.ndarray, chunk: int) -> Flags:
    return ((place, int(number + 1) * chunk) for number in np.flatnonzero(alerts))


def nannyml_with_quality(reference: pd.DataFrame, chunk: int) -> Monitor:
    """Return the monitor of `nannyml`, which also flags missing values and unseen categories."""
    import nannyml as nml

    names = list(reference.columns)
    texts = [name for name in names if reference[name].dtype == object]
    calculators: list[tuple[list[str], Any]] = [
        (names, nml.MissingValuesCalculator(column_names=names, chunk_size=chunk))
    ]
    if texts:
        calculators.append(
            (texts, nml.UnseenValuesCalculator(column_names=texts, chunk_size=chunk))
        )
    for _, calculator in calculators:
        calculator.fit(reference)
    drift = nannyml(reference, chunk)

    def flags(values: Rows) -> Flags:
        yield from drift(values)
        for chosen, calculator in calculators:
            results = calculator.calculate(frame(values)).filter(period="analysis").to_df()
            for name in chosen:
                yield from _flag_chunks(names.index(name), results[name]["alert"].to_numpy(), chunk)

    return flags


def nannyml_reconstruction(reference: pd.DataFrame, chunk: int) -> Monitor:
    """Return a monitor of NannyML's reconstruction error, which flags all columns as column 0."""
    import nannyml as nml

    calculator = nml.DataReconstructionDriftCalculator(
        column_names=list(reference.columns), chunk_size=chunk
    )
    calculator.fit(reference)

    def flags(values: Rows) -> Flags:
        results = calculator.calculate(frame(values)).filter(period="analysis").to_df()
        yield from _flag_chunks(0, results["reconstruction_error"]["alert"].to_numpy(), chunk)

    return flags


def kolmogorov_smirnov(reference: np.ndarray, window: int, level: float) -> Monitor:
    """Return a monitor that tests each field of each window.

    Fields of zeros and ones are tested by Fisher's exact test.
    """
    is_indicator = np.isin(reference, (0.0, 1.0)).all(axis=0)

    def flags(values: Rows) -> Flags:
        rows = np.asarray(values)
        for stop in range(window, len(rows) + 1, window):
            for place, trained in enumerate(reference.T):
                part = rows[stop - window : stop, place]
                test = _compare_shares if is_indicator[place] else _compare_distributions
                if test(trained, part) < level:
                    yield place, stop

    return flags


def _compare_distributions(trained: np.ndarray, part: np.ndarray) -> float:
    """Return the p-value of the Kolmogorov-Smirnov test, by the asymptotic distribution."""
    from scipy import stats

    return float(stats.ks_2samp(trained, part, method="asymp").pvalue)


def _compare_shares(trained: np.ndarray, part: np.ndarray) -> float:
    """Return the p-value of Fisher's exact test of two shares."""
    from scipy import stats

    counts = [[int(values.sum()), int((1 - values).sum())] for values in (trained, part)]
    return float(stats.fisher_exact(counts).pvalue)


def river(name: str, fields: int) -> Monitor:
    """Return a monitor that runs one of river's detectors on each of the first `fields` fields."""
    from river import drift

    def flags(values: Rows) -> Flags:
        for place in range(fields):
            detector = drift.KSWIN(seed=1) if name == "KSWIN" else getattr(drift, name)()
            column = frame(values).iloc[:, place]
            for row, value in enumerate(column.tolist(), start=1):
                detector.update(value)
                if detector.drift_detected:
                    yield place, row

    return flags
