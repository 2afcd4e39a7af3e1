"""Building blocks of PromQL, which sum counts over all processes before they form ratios.

Names are templates of `mlmonitor.present.dashboards.promql_names`.
"""

from mlmonitor.catalog import (
    BIN,
    DISTRIBUTION,
    PREDICTIONS,
    REFERENCE_BIN,
    REFERENCE_VALUES,
    VALUES,
    MetricSpec,
)

MODEL = "<model.name>, <model.version>"
FIELD = f"{MODEL}, field, role"
PROCESS = "job, instance"

CHOSEN = (
    '<model.name>=~"$model",<model.version>=~"$version",segment=~"$segment",'
    '<deployment.environment.name>=~"$environment"'
)
"""Matchers for the models that are selected by the variables of a dashboard."""

CHOSEN_FIELDS = 'role=~"$role",field=~"$field"'


def select(metric: MetricSpec, *matchers: str, part: str = "", chosen: str = CHOSEN) -> str:
    """Return a selector for a metric, or a part of a histogram, of the selected models."""
    name = f"<{metric.name}|{part}>" if part else f"<{metric.name}>"
    return name + "{" + ",".join(text for text in (chosen, *matchers) if text) + "}"


def total(vector: str, by: str = MODEL) -> str:
    """Sum a vector over all processes."""
    return f"sum by ({by}) ({vector})"


def highest(vector: str, by: str = MODEL) -> str:
    """Take the maximum over all processes, for flags and for values that all processes share."""
    return f"max by ({by}) ({vector})"


def added(vector: str, window: str = "$window") -> str:
    """Return the increase of counters over a window."""
    return f"increase({vector}[{window}])"


def rate(vector: str) -> str:
    """Return the rate of counters per second."""
    return f"rate({vector}[$__rate_interval])"


def ratio(part: str, whole: str, by: str = MODEL, *, window: str = "$window") -> str:
    """Divide the increase of a counter by that of another; 0 if `part` has no series."""
    grown = total(added(whole, window), by)
    return f"({total(added(part, window), by)} or 0 * {grown}) / {grown}"


def pooled(gauge: str, weight: str, by: str, *, on: str) -> str:
    """Average a gauge over processes, weighted by the rows of each process.

    `weight` is summed by `on` and process. If `gauge` and `weight` cover the same time in all
    processes, the result is the mean over all rows.
    """
    keys = f"{PROCESS}, <deployment.environment.name>, {on}, segment"
    rows = f"sum by ({keys}) ({weight})"
    weighted = f"{gauge} * on ({keys}) group_left () {rows}"
    weights = f"(0 * {gauge} + 1) * on ({keys}) group_left () {rows}"
    return f"sum by ({by}) ({weighted}) / sum by ({by}) ({weights})"


def field_mean(gauge: MetricSpec, *matchers: str, by: str = FIELD, window: str = "$window") -> str:
    """Average a gauge of numeric fields over processes, weighted by the number of values."""
    weight = added(select(DISTRIBUTION, *matchers, part="count"), window)
    return pooled(select(gauge, *matchers), weight, by, on=FIELD)


def model_mean(gauge: MetricSpec, *matchers: str, by: str, window: str = "$window") -> str:
    """Average a gauge of a model over processes, weighted by the number of predictions."""
    weight = added(select(PREDICTIONS, 'status="ok"'), window)
    return pooled(select(gauge, *matchers), weight, by, on=MODEL)


def values(*matchers: str, chosen: str = CHOSEN) -> str:
    """Return a selector for the counter of all values of fields."""
    return select(VALUES, *matchers, chosen=chosen)


def bin_counts(
    *matchers: str, keys: str = FIELD, window: str | None = "$window", chosen: str = CHOSEN
) -> str:
    """Return the counts in each bin of the reference: differences of buckets, or category counts.

    window: the time range to count over; None counts since the start of each process.
    """

    def grown(vector: str) -> str:
        return vector if window is None else added(vector, window)

    reference = f"max by ({keys}, bin, gt, le) ({{}})"
    bins = reference.format(select(REFERENCE_BIN, 'le!=""', *matchers, chosen=chosen))
    buckets = grown(select(DISTRIBUTION, *matchers, part="bucket", chosen=chosen))
    lowest = select(REFERENCE_BIN, 'gt="-Inf"', *matchers, chosen=chosen)
    first = f"max by ({keys}, gt) ({lowest})"
    return (
        f"sum by ({keys}, bin) (0 * {bins}"
        f" + on ({keys}, le) group_left () sum by ({keys}, le) ({buckets})"
        f" - on ({keys}, gt) group_left () ("
        f'sum by ({keys}, gt) (label_replace({buckets}, "gt", "$1", "le", "(.+)")) or 0 * {first}'
        f")) or sum by ({keys}, bin) ({grown(select(BIN, *matchers, chosen=chosen))})"
    )


def reference_counts(*matchers: str, keys: str = FIELD, chosen: str = CHOSEN) -> str:
    """Return the reference's rows in each bin."""
    return (
        f"max by ({keys}, bin) ({select(REFERENCE_BIN, *matchers, chosen=chosen)})"
        f" * on ({keys}) group_left ()"
        f" max by ({keys}) ({select(REFERENCE_VALUES, *matchers, chosen=chosen)})"
    )


def psi(live: str, reference: str, *, keys: str = FIELD) -> str:
    """Return the PSI of two sets of counts; 0.5 is added in bins where either side has a count."""
    some = f"(({live}) + on ({keys}, bin) ({reference})) > 0"
    shares = []
    for counts in (live, reference):
        half = f"(({counts}) + 0.5 and on ({keys}, bin) ({some}))"
        shares.append(f"({half} / on ({keys}) group_left () sum by ({keys}) ({half}))")
    now, trained = shares
    return (
        f"sum by ({keys}) (({now} - on ({keys}, bin) {trained})"
        f" * on ({keys}, bin) ln({now} / on ({keys}, bin) {trained}))"
    )


def psi_threshold(live: str, reference: str, *, keys: str = FIELD) -> str:
    """Return the 99% quantile of the PSI without drift, from Wilson and Hilferty's chi-square.

    PSI without drift is approximately (1/n + 1/m) times a chi-square variable with one degree of
    freedom less than there are bins.
    """
    some = f"(({live}) + on ({keys}, bin) ({reference})) > 0"
    degrees = f"clamp_min(count by ({keys}) ({some}) - 1, 1)"
    rows = f"(1 / sum by ({keys}) ({live}) + 1 / sum by ({keys}) ({reference}))"
    spread = f"(2 / (9 * {degrees}))"
    return (
        f"{rows} * on ({keys}) {degrees} * on ({keys}) (1 - {spread} + 2.3263 * sqrt({spread})) ^ 3"
    )
