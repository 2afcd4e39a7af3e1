"""Charts of performance: one measure by cohort, and predicted against actual by bucket."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formatting import counted, short
from mlmonitor.present.charts.axes import Axis, value_axis
from mlmonitor.present.charts.time_chart import DataTable
from mlmonitor.present.names import show_name

_MATURE = 0.9
_MOST_COHORTS, _MOST_BUCKETS = 24, 12

_Pair = tuple[Cohort, Estimate | None, Estimate | None]
"""A cohort with the realised and the estimated value of one measure."""


@dataclass(frozen=True, slots=True)
class IntervalMark:
    """A value and its interval: as text, and as positions in thousandths of the chart's width.

    A position is -1 if it is unknown.
    """

    value: str
    interval: str
    left: int
    low: int
    high: int

    def __str__(self) -> str:
        return f"{self.value} ({self.interval})" if self.interval else self.value


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """The realised and the estimated value of one cohort; None for an unknown value.

    labelled: the share of predictions that have a label, in percent. is_young: whether more labels
    are expected. description: all of this as text.
    """

    name: str
    realised: IntervalMark | None
    estimated: IntervalMark | None
    labelled: int
    is_young: bool
    note: str
    description: str


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """The values of one measure by cohort. yardstick: the position of its value at training."""

    title: str
    bars: tuple[IntervalBar, ...]
    labels: tuple[str, ...]
    yardstick: int | None
    table: DataTable

    @property
    def has_estimates(self) -> bool:
        """Whether any cohort has an estimated value."""
        return any(bar.estimated is not None for bar in self.bars)

    @property
    def has_young(self) -> bool:
        """Whether any cohort with a realised value still expects labels."""
        return any(bar.is_young and bar.realised is not None for bar in self.bars)


@dataclass(frozen=True, slots=True)
class BucketRow:
    """Mean prediction and mean actual of one bucket, in thousandths of the chart's width.

    texts: both means as text.
    """

    name: str
    predicted: int
    actual: int
    texts: tuple[str, str]
    count: str


@dataclass(frozen=True, slots=True)
class BucketChart:
    """Mean predictions and mean actuals by bucket of one dimension."""

    title: str
    rows: tuple[BucketRow, ...]
    table: DataTable


def caption_measure(name: str) -> str:
    """Return a measure's usual spelling, such as `MAE` for `mae`."""
    if name in _SHORT:
        return _SHORT[name]
    return show_name(name).replace("_", " ")


_SHORT = {
    name: name.upper() for name in ("mae", "rmse", "mape", "wape", "ece", "ndcg", "mrr", "psi")
} | {
    "brier": "Brier score",
    "r2": "R²",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
}


def chart_cohorts(
    cohorts: Sequence[Cohort], measure: str, training: Mapping[str, float]
) -> IntervalChart | None:
    """Chart one measure's realised and estimated values by cohort; None if there are none."""
    pairs = [
        (cohort, _read(cohort.performance, measure), _read(cohort.estimated, measure))
        for cohort in cohorts[-_MOST_COHORTS:]
    ]
    pairs = [pair for pair in pairs if pair[1] is not None or pair[2] is not None]
    if not pairs:
        return None
    trained = find_trained(training, measure)
    estimates = [estimate for _, *both in pairs for estimate in both if estimate is not None]
    ends = [x for e in estimates for x in e[:3] if math.isfinite(x)]
    ends += [] if trained is None else [trained]
    axes = [value_axis(min(ends), max(ends), intervals=count) for count in (3, 4, 5)]
    axis = min(axes, key=lambda candidate: candidate.high - candidate.low)
    bars = tuple(_build_bar(*pair, axis) for pair in pairs)
    name, is_estimated = caption_measure(measure), any(e is not None for _, _, e in pairs)
    return IntervalChart(
        title=f"{name} by time of prediction, with 95% intervals",
        bars=bars,
        labels=axis.labels,
        yardstick=None if trained is None else place_value(trained, axis),
        table=_list_cohorts(name, pairs, bars, has_estimates=is_estimated),
    )


def find_trained(training: Mapping[str, float], measure: str) -> float | None:
    """Return the value of a measure at training, ignoring the case of its name there."""
    return next((value for name, value in training.items() if name.casefold() == measure), None)


def _read(measures: Mapping[str, Estimate], name: str) -> Estimate | None:
    """Return a measure, or None if it is unknown or not finite."""
    estimate = measures.get(name)
    return estimate if estimate is not None and math.isfinite(estimate.value) else None


def _build_bar(
    cohort: Cohort, realised: Estimate | None, estimated: Estimate | None, axis: Axis
) -> IntervalBar:
    labelled = cohort.labelled / max(cohort.predicted, cohort.labelled, 1)
    name = f"{cohort.start:%d %b %H:%M}" if cohort.start.hour else f"{cohort.start:%d %b %Y}"
    marks = [None if e is None else mark_estimate(e, axis) for e in (realised, estimated)]
    is_young = cohort.maturity is None or cohort.maturity < _MATURE
    words = [
        f"{basis} {mark}"
        for basis, mark in zip(("realised", "estimated"), marks, strict=True)
        if mark is not None
    ]
    note = f"{100 * labelled:.0f}% labelled"
    arriving = ["labels still arrive"] if is_young else []
    description = f"{name}: {', '.join((*words, note, *arriving))}"
    return IntervalBar(name, marks[0], marks[1], round(labelled * 100), is_young, note, description)


def mark_estimate(estimate: Estimate, axis: Axis) -> IntervalMark:
    """Return an estimate with its interval as text and as positions on the axis."""
    places = (place_value(x, axis) for x in estimate[:3])
    return IntervalMark(short(estimate.value), write_interval(estimate), *places)


def write_interval(estimate: Estimate) -> str:
    """Return the ends of an estimate's interval as text; empty if they are not known."""
    is_known = math.isfinite(estimate.low) and math.isfinite(estimate.high)
    return f"{short(estimate.low)} to {short(estimate.high)}" if is_known else ""


def place_value(value: float, axis: Axis) -> int:
    """Return the position of a value on the axis, in thousandths; -1 if it is not finite."""
    span = axis.high - axis.low
    return round((value - axis.low) / span * 1000) if math.isfinite(value) else -1


def _list_cohorts(
    name: str, pairs: Sequence[_Pair], bars: Sequence[IntervalBar], *, has_estimates: bool
) -> DataTable:
    head = ["predicted from (UTC)", "predictions", "labelled", name, "low", "high"]
    head += [f"{name} estimated", "estimated low", "estimated high"] if has_estimates else []
    rows = []
    for (cohort, *both), bar in zip(pairs, bars, strict=True):
        row = [bar.name, counted(cohort.predicted), counted(cohort.labelled)]
        for estimate in both[: 1 + has_estimates]:
            row += ["", "", ""] if estimate is None else map(short, estimate[:3])
        rows.append(tuple(row))
    return DataTable(tuple(head), tuple(rows))


def chart_buckets(performance: Performance) -> list[BucketChart]:
    """Return a chart for each dimension whose buckets have numeric actuals."""
    charts = []
    for dimension in performance.dimensions:
        parts = performance.by(dimension)
        chart = _chart_bucket(dimension, parts)
        if chart is not None:
            charts.append(chart)
    return charts


def _chart_bucket(dimension: str, parts: Mapping[str, Performance]) -> BucketChart | None:
    pairs = []
    for name, part in list(parts.items())[:_MOST_BUCKETS]:
        sums = part.error_sums
        if sums is None or not part.count:
            return None
        actual = sums.actual / part.count
        pairs.append((caption_bucket(name), actual + sums.signed / part.count, actual, part))
    if not pairs:
        return None
    most = max(max(abs(p), abs(a)) for _, p, a, _ in pairs) or 1.0
    rows, cells = [], []
    for name, predicted, actual, part in pairs:
        rows.append(
            BucketRow(
                show_name(name),
                round(abs(predicted) / most * 1000),
                round(abs(actual) / most * 1000),
                (short(predicted), short(actual)),
                counted(part.count),
            )
        )
        figures = (predicted, actual, part.mae)
        cells.append((show_name(name), counted(part.count), *map(short, figures)))
    worst = max(pairs, key=lambda pair: abs(pair[1] - pair[2]) / max(abs(pair[2]), 1e-12))
    gap = (worst[1] - worst[2]) / (abs(worst[2]) or 1.0)
    title = f"By {show_name(dimension)}: farthest off in {show_name(worst[0])} ({100 * gap:+.0f}%)"
    head = ("bucket", "labelled", "mean predicted", "mean actual", "MAE")
    return BucketChart(title, tuple(rows), DataTable(head, tuple(cells)))


def caption_bucket(name: str) -> str:
    """Return a readable name for a bucket: `1,491 to 1,739` for `(1490.7568, 1739.4548]`."""
    ends = _RANGE.fullmatch(name)
    if ends is None:
        return name
    low, high = (float(end) for end in ends.groups())
    if not math.isfinite(low):
        return f"up to {short(high)}" if math.isfinite(high) else "all"
    return f"{short(low)} to {short(high)}" if math.isfinite(high) else f"above {short(low)}"


_RANGE = re.compile(r"\((-?[\d.e+-]+|-inf), (-?[\d.e+-]+|inf)[\])]")
