"""Performance of labelled predictions: measures, cohorts, buckets, confusion and calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance
from mlmonitor.compare.performance.classification import CalibrationBin
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.compare.performance.performance import MEASURES, Performance
from mlmonitor.formatting import amount, counted, percent, short, write_sentence
from mlmonitor.present.names import show_name
from mlmonitor.present.views.performance_charts import (
    BucketChart,
    IntervalChart,
    caption_measure,
    chart_buckets,
    chart_cohorts,
    find_trained,
    write_interval,
)
from mlmonitor.present.views.view_options import ModelReading

_FIRST = {
    "regression": ("mae", "rmse", "bias", "wape", "r2"),
    "binary": ("accuracy", "precision", "recall", "f1", "roc_auc", "log_loss", "ece"),
    "multiclass": ("accuracy", "balanced_accuracy", "f1", "log_loss", "roc_auc"),
    "ranking": ("ndcg", "mrr"),
}
_MOST_CLASSES, _MOST_ESTIMATES = 12, 3


@dataclass(frozen=True, slots=True)
class MeasureTile:
    """One measure with its interval, and its value at training; empty strings if unknown."""

    name: str
    value: str
    interval: str
    training: str
    basis: str


@dataclass(frozen=True, slots=True)
class ObjectiveTile:
    """A declared bound, with its current value. state: `met`, `broken` or `unknown`."""

    name: str
    bound: str
    value: str
    state: str


@dataclass(frozen=True, slots=True)
class ConfusionRow:
    """The row of one actual class in the confusion matrix; `levels` (0 to 9) shade the cells."""

    name: str
    cells: tuple[str, ...]
    levels: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class CalibrationPoint:
    """Mean score, observed share and its interval for one bin, in thousandths of the chart."""

    x: int
    y: int
    low: int
    high: int
    title: str


@dataclass(frozen=True, slots=True)
class PerformancePanel:
    """Performance from labels, and estimates without labels; the page omits empty parts.

    assumption: a sentence with the condition of the estimates, or saying that labels refute it.
    """

    summary: str
    tiles: tuple[MeasureTile, ...]
    assumption: str
    cohorts: IntervalChart | None
    buckets: tuple[BucketChart, ...]
    classes: tuple[str, ...]
    confusion: tuple[ConfusionRow, ...]
    calibration: tuple[CalibrationPoint, ...]


def build_performance_panel(reading: ModelReading) -> PerformancePanel | None:
    """Build the panel; None if there is neither a label nor an estimate."""
    status = reading.status
    performance, estimated = status.performance, status.estimated
    estimates = _list_estimates(reading)
    if performance is None or not performance.count:
        if estimated is None or not estimates:
            return None
        text = "No label has arrived; estimated from the model's own scores."
        return PerformancePanel(text, estimates, _qualify(estimated), None, (), (), (), ())
    main = _choose_main_measure(performance)
    names = list(performance.confusion) if performance.task in ("binary", "multiclass") else []
    return PerformancePanel(
        summary=_summarise(reading, performance),
        tiles=(*_build_tiles(reading, performance), *estimates),
        assumption=_qualify(estimated) if estimated is not None and estimates else "",
        cohorts=chart_cohorts(status.cohorts, main, status.training_metrics),
        buckets=tuple(chart_buckets(performance)),
        classes=tuple(map(show_name, names[:_MOST_CLASSES])),
        confusion=_build_confusion(performance.confusion, names[:_MOST_CLASSES]) if names else (),
        calibration=tuple(map(_place_bin, performance.calibration)),
    )


def _qualify(estimated: EstimatedPerformance) -> str:
    """State the assumption of the estimates, or that labels refute it."""
    if estimated.refutation is not None:
        return write_sentence(estimated.refutation)
    return f"Estimates assume that {estimated.assumption}."


def _list_estimates(reading: ModelReading) -> tuple[MeasureTile, ...]:
    """Return tiles for the main measures, estimated without labels for the window's predictions."""
    estimated = reading.status.estimated
    if estimated is None:
        return ()
    names = [name for name in _FIRST[estimated.task] if name in estimated]
    training = reading.status.training_metrics
    return tuple(_build_tile(name, estimated[name], training) for name in names[:_MOST_ESTIMATES])


def _place_bin(bin_: CalibrationBin) -> CalibrationPoint:
    """Place a bin of the calibration curve on its chart, whose origin is at the top left."""
    return CalibrationPoint(
        round(bin_.mean_score * 1000),
        round(1000 - bin_.share * 1000),
        round(1000 - bin_.low * 1000),
        round(1000 - bin_.high * 1000),
        f"score {bin_.mean_score:.2f}: {percent(bin_.share)} of {counted(bin_.count)}",
    )


def list_objectives(reading: ModelReading) -> tuple[ObjectiveTile, ...]:
    """Return tiles for the declared objectives, those that are not met first."""
    tiles = []
    for status in reading.status.objectives:
        objective = status.objective
        bounds = [
            f"{word} {short(limit)}"
            for word, limit in (("at most", objective.maximum), ("at least", objective.minimum))
            if limit is not None
        ]
        state = "unknown" if status.is_met is None else "met" if status.is_met else "broken"
        name = caption_measure(objective.measure)
        tiles.append(ObjectiveTile(name, ", ".join(bounds), short(status.value), state))
    return tuple(sorted(tiles, key=lambda tile: tile.state != "broken"))


def _choose_main_measure(performance: Performance) -> str:
    names = [name for name in _FIRST[performance.task] if name in performance]
    return next(iter(names or performance), "")


def _summarise(reading: ModelReading, performance: Performance) -> str:
    labels = reading.status.labels
    waiting = labels.get("waiting", 0)
    text = f"{amount(performance.count, 'labelled prediction')} since the start"
    return f"{text}, {counted(waiting)} still wait for a label" if waiting else text


def _build_tiles(reading: ModelReading, performance: Performance) -> tuple[MeasureTile, ...]:
    first = [name for name in _FIRST[performance.task] if name in performance]
    names = [*first, *(name for name in performance if name not in MEASURES)]
    tiles = [
        _build_tile(name, performance[name], reading.status.training_metrics) for name in names
    ]
    return tuple(tiles)


def _build_tile(name: str, estimate: Estimate, training: Mapping[str, float]) -> MeasureTile:
    trained = find_trained(training, name)
    return MeasureTile(
        caption_measure(name),
        short(estimate.value),
        write_interval(estimate),
        "" if trained is None else short(trained),
        "" if estimate.basis == "realised" else str(estimate.basis),
    )


def _build_confusion(
    counts: Mapping[str, Mapping[str, int]], names: Sequence[str]
) -> tuple[ConfusionRow, ...]:
    rows = []
    for actual in names:
        cells = [counts[actual].get(predicted, 0) for predicted in names]
        total = max(sum(counts[actual].values()), 1)
        levels = tuple(round(9 * cell / total) for cell in cells)
        rows.append(ConfusionRow(show_name(actual), tuple(map(counted, cells)), levels))
    return tuple(rows)
