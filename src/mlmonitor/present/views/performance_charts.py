"""Charts of performance: one measure by cohort, and predicted beside actual by bucket."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmonitor.compare.performance.cohorts import Cohort
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formatting import counted, short
from mlmonitor.present.charts.axes import value_axis
from mlmonitor.present.charts.time_chart import DataTable
from mlmonitor.present.names import show_name

_MATURE = 0.9
_MOST_COHORTS, _MOST_BUCKETS = 24, 12


@dataclass(frozen=True, slots=True)
class IntervalBar:
    """A value with its interval, in thousandths of the chart's width, and its coverage.

    labelled: the share of predictions that have a label, in percent. is_young: whether more labels
    are to be expected.
    """

    name: str
    value: str
    left: int
    low: int
    high: int
    labelled: int
    is_young: bool
    note: str


@dataclass(frozen=True, slots=True)
class IntervalChart:
    """Values of one measure on one axis. `yardstick`: its value at training on it, if known."""

    title: str
    bars: tuple[IntervalBar, ...]
    labels: tuple[str, ...]
    yardstick: int | None
    table: DataTable


@dataclass(frozen=True, slots=True)
class BucketRow:
    """Mean prediction beside mean actual in one bucket, in thousandths of the chart's width.

    texts: both as text.
    """

    name: str
    predicted: int
    actual: int
    texts: tuple[str, str]
    count: str


@dataclass(frozen=True, slots=True)
class BucketChart:
    """Predicted beside actual, by bucket."""

    title: str
    rows: tuple[BucketRow, ...]
    table: DataTable


def caption_measure(name: str) -> str:
    """A measure's name as people write it."""
    if name in _SHORT:
        return _SHORT[name]
    return show_name(name).replace("_", " ")


_SHORT = {name: name.upper() for name in ("mae", "rmse", "mape", "wape", "ece", "ndcg", "mrr")} | {
    "brier": "Brier score",
    "r2": "R²",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "pr_auc": "PR AUC",
}


def chart_cohorts(
    cohorts: Sequence[Cohort], measure: str, training: Mapping[str, float]
) -> IntervalChart | None:
    """The newest cohorts of one measure; None without labels."""
    shown = [c for c in cohorts if measure in c.performance][-_MOST_COHORTS:]
    if not shown or not measure:
        return None
    estimates = [cohort.performance[measure] for cohort in shown]
    trained = next((x for key, x in training.items() if key.casefold() == measure), None)
    ends = [x for e in estimates for x in (e.value, e.low, e.high) if math.isfinite(x)]
    ends += [] if trained is None else [trained]
    axis = value_axis(min(ends, default=0.0), max(ends, default=1.0))
    span = axis.high - axis.low

    def to_place(value: float) -> int:
        return round((value - axis.low) / span * 1000) if math.isfinite(value) else -1

    bars, rows = [], []
    for cohort, estimate in zip(shown, estimates, strict=True):
        labelled = cohort.labelled / max(cohort.predicted, cohort.labelled, 1)
        start = f"{cohort.start:%d %b %H:%M}" if cohort.start.hour else f"{cohort.start:%d %b %Y}"
        is_young = cohort.maturity is None or cohort.maturity < _MATURE
        note = f"{labelled:.0%} labelled"
        left, low, high = map(to_place, (estimate.value, estimate.low, estimate.high))
        bars.append(
            IntervalBar(
                start, short(estimate.value), left, low, high, round(labelled * 100), is_young, note
            )
        )
        numbers = (cohort.predicted, cohort.labelled)
        interval = (estimate.value, estimate.low, estimate.high)
        rows.append((start, *map(counted, numbers), *map(short, interval)))
    head = (
        "predicted from (UTC)",
        "predictions",
        "labelled",
        caption_measure(measure),
        "low",
        "high",
    )
    return IntervalChart(
        title=f"{caption_measure(measure)} by time of prediction, with 95 % intervals",
        bars=tuple(bars),
        labels=axis.labels,
        yardstick=None if trained is None else to_place(trained),
        table=DataTable(head, tuple(rows)),
    )


def chart_buckets(performance: Performance) -> list[BucketChart]:
    """One chart for each dimension that has numbers to compare."""
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
    title = f"By {show_name(dimension)}: farthest off in {show_name(worst[0])} ({gap:+.0%})"
    head = ("bucket", "labelled", "mean predicted", "mean actual", "MAE")
    return BucketChart(title, tuple(rows), DataTable(head, tuple(cells)))


def caption_bucket(name: str) -> str:
    """A bucket as people write it: `(1490.7568, 1739.4548]` becomes `1491 to 1739`."""
    ends = _RANGE.fullmatch(name)
    if ends is None:
        return name
    low, high = (float(end) for end in ends.groups())
    if not math.isfinite(low):
        return f"up to {short(high)}" if math.isfinite(high) else "all"
    return f"{short(low)} to {short(high)}" if math.isfinite(high) else f"above {short(low)}"


_RANGE = re.compile(r"\((-?[\d.e+-]+|-inf), (-?[\d.e+-]+|inf)[\])]")
