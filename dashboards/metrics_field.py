"""The dashboard of one field: distribution and reference, quantiles, quality, anomaly bands."""

from metrics_variables import field_variables
from mlmonitor import catalog
from model import Board, Panel, Query, Row
from promql import (
    FIELD,
    MODEL,
    added,
    bin_counts,
    field_mean,
    highest,
    psi,
    psi_threshold,
    reference_counts,
    select,
    total,
)

_ONE = 'role="$role",field="$field"'
_KEYS = f"{FIELD}, bin"
_REFERENCE_BIN = highest(select(catalog.REFERENCE_BIN, _ONE), f"{FIELD}, bin, le")


def _in_order(shares: str) -> str:
    """Label bins by their upper edges or names, and add a label by which to sort them."""
    with_edge = f"({shares}) * on ({_KEYS}) group_left (le) (0 * {_REFERENCE_BIN} + 1)"
    padded = f'label_replace({with_edge}, "order", "0$1", "bin", "([0-9])")'
    long = f'label_replace({padded}, "order", "$1", "bin", "([0-9]{{2,}})")'
    return f'label_replace({long}, "bin", "to $1", "le", "(.+)")'


_LIVE = bin_counts(_ONE)
_SHARES = f"({_LIVE}) / on ({FIELD}) group_left () sum by ({FIELD}) ({_LIVE})"
_REFERENCE_SHARES = highest(select(catalog.REFERENCE_BIN, _ONE), _KEYS)
_BUCKETS = total(added(select(catalog.DISTRIBUTION, _ONE, part="bucket")), f"{FIELD}, le")
_FINITE = select(catalog.DISTRIBUTION, _ONE, 'le!="+Inf"', part="bucket")
_HAS_BINS = f"(max by ({FIELD}) ({_FINITE}) > 0)"
_VALUES = total(added(select(catalog.VALUES, _ONE)), FIELD)

_DISTRIBUTION = Row(
    "Distribution",
    (
        Panel(
            "barchart",
            "Live and trained shares of each bin",
            "Over all processes in the window. Good: bars of equal height. The bin with the "
            "largest gap adds most to the drift; __other__ holds categories that may not be "
            "shown.",
            (
                Query(_in_order(_SHARES), instant=True),
                Query(_in_order(_REFERENCE_SHARES), instant=True),
            ),
            unit="percentunit",
            order_by="order",
            columns=(("bin", "bin"), ("Value #A", "live"), ("Value #B", "trained")),
            width=16,
            height=10,
        ),
        Panel(
            "timeseries",
            "PSI and its threshold",
            "Over all processes. Good: below the threshold, and below 0.1.",
            (
                Query(psi(_LIVE, reference_counts(_ONE)), "PSI"),
                Query(psi_threshold(_LIVE, reference_counts(_ONE)), "threshold"),
            ),
            decimals=3,
            width=8,
            height=10,
        ),
        Panel(
            "timeseries",
            "Shares of the bins over time",
            "If one bin grows, others shrink: see when it began.",
            (Query(_SHARES, "bin {{bin}}"),),
            unit="percentunit",
            stacked=True,
            maximum=1,
            width=24,
        ),
    ),
)

_QUANTILES = Row(
    "Level and spread",
    (
        Panel(
            "timeseries",
            "Live mean in the trained band",
            "The band is the trained mean plus and minus k standard deviations. Single values "
            "often leave it if the distribution has long tails; a mean outside of it has moved.",
            (
                Query(highest(select(catalog.REFERENCE_LOWER, _ONE), "role"), "lower"),
                Query(highest(select(catalog.REFERENCE_UPPER, _ONE), "role"), "upper"),
                Query(highest(select(catalog.REFERENCE_MEAN, _ONE), "role"), "trained mean"),
                Query(field_mean(catalog.MEAN, _ONE, by="role"), "live mean"),
                Query(f"min by (role) ({select(catalog.MIN, _ONE)})", "smallest"),
                Query(highest(select(catalog.MAX, _ONE), "role"), "largest"),
            ),
            band=("lower", "upper"),
            dashed=("trained mean",),
            width=12,
        ),
        Panel(
            "timeseries",
            "Quantiles",
            "Of the window, each process weighted by its rows: exact for one process, approximate "
            "for several that see similar rows.",
            (Query(field_mean(catalog.QUANTILE, _ONE, by="role, quantile"), "p{{quantile}}"),),
            width=12,
        ),
        Panel(
            "timeseries",
            "Median and tails of all processes",
            "From summed bins, so exact up to the width of a bin. Points are values of single "
            "traced calls: select one to open its trace and see who sent it.",
            tuple(
                Query(
                    f"histogram_quantile({quantile}, {_BUCKETS}) and on ({FIELD}) {_HAS_BINS}",
                    f"p{quantile * 100:g}",
                    exemplars=True,
                )
                for quantile in (0.05, 0.5, 0.95)
            ),
            width=24,
        ),
        Panel(
            "timeseries",
            "Values outside the band",
            "Share of all values, below and above. Good: near the share at training.",
            (
                Query(
                    f"{total(added(select(catalog.OUTLIERS, _ONE)), f'{FIELD}, side')}"
                    f" / on ({FIELD}) group_left () {_VALUES}",
                    "{{side}}",
                ),
            ),
            unit="percentunit",
            width=8,
        ),
        Panel(
            "timeseries",
            "Standard deviation beside the trained one",
            "Good: close together. A deviation that shrinks to zero means a constant column.",
            (
                Query(highest(select(catalog.REFERENCE_STDDEV, _ONE), "role"), "trained"),
                Query(field_mean(catalog.STDDEV, _ONE, by="role"), "live"),
            ),
            width=8,
        ),
        Panel(
            "timeseries",
            "Distinct categories",
            "For a categorical field, in the process with most. A jump means new names or free "
            "text.",
            (Query(highest(select(catalog.DISTINCT, _ONE), f"{MODEL}, role"), "distinct"),),
            decimals=0,
            width=8,
        ),
    ),
)

_QUALITY = Row(
    "Quality",
    (
        Panel(
            "timeseries",
            "Values by quality",
            "Shares of all values in the window, over all processes. Good: valid near 100%.",
            (
                Query(
                    f"{total(added(select(catalog.VALUES, _ONE)), f'{FIELD}, quality')}"
                    f" / on ({FIELD}) group_left () {_VALUES}",
                    "{{quality}}",
                ),
            ),
            unit="percentunit",
            stacked=True,
            maximum=1,
            width=12,
        ),
        Panel(
            "timeseries",
            "Defects and their thresholds",
            "Shares of defects in the process with most, and the threshold that one window in a "
            "hundred exceeds by chance. If a share is above it, ask who fills this column.",
            (
                Query(
                    highest(select(catalog.QUALITY_SHARE, _ONE), "role, reason"),
                    "{{reason}}",
                ),
                Query(
                    highest(select(catalog.QUALITY_THRESHOLD, _ONE), "role, reason"),
                    "threshold {{role}} {{reason}}",
                ),
            ),
            unit="percentunit",
            width=12,
        ),
        Panel(
            "timeseries",
            "Quality alerts",
            "1 while the alert fires in any process. Good: 0.",
            (
                Query(
                    highest(select(catalog.QUALITY_ALERT, _ONE), "role, reason"),
                    "{{reason}}",
                ),
            ),
            maximum=1,
            width=12,
            height=6,
        ),
        Panel(
            "timeseries",
            "Values that break declared rules",
            "Counted in the window. Good: none; a broken rule is never due to chance.",
            (
                Query(
                    total(added(select(catalog.VIOLATIONS, _ONE)), "role, constraint"),
                    "{{constraint}}",
                ),
            ),
            decimals=0,
            width=12,
            height=6,
        ),
    ),
)

FIELD_BOARD = Board(
    "mlmonitor-field",
    "mlmonitor: field",
    "One field: distribution against the reference, level and spread, quality.",
    (_DISTRIBUTION, _QUANTILES, _QUALITY),
    variables=field_variables(single=True),
)
