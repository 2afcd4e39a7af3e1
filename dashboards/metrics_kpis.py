"""The KPI dashboard: business figures and predictions."""

from metrics_variables import field_variables
from mlmonitor import catalog
from model import Board, Panel, Query, Row
from promql import FIELD, MODEL, added, field_mean, highest, select, total

_KPI = 'role="kpi"'
_LEGEND = "{{field}} {{unit}} {{<bare:model.version>}}"


def _mean(chosen: str) -> str:
    return field_mean(catalog.MEAN, chosen)


def _sum(chosen: str) -> str:
    """Return the sum of a figure as mean times rows, which is right for negative values, too."""
    rows = total(added(select(catalog.DISTRIBUTION, chosen, part="count")), FIELD)
    return f"{_mean(chosen)} * on ({FIELD}) {rows}"


def _with_unit(figures: str) -> str:
    """Add the unit of each figure as a label, if the figure declares one."""
    units = highest(select(catalog.KPI_UNIT), f"{MODEL}, field, unit")
    joined = f"({figures}) * on ({MODEL}, field) group_left (unit) {units}"
    return f"({joined}) or on ({FIELD}) ({figures})"


_FIGURES = Row(
    "Business figures",
    (
        Panel(
            "stat",
            "Total in the window",
            "Sum of each business figure over all processes and the selected window.",
            (Query(_with_unit(_sum(_KPI)), _LEGEND),),
            width=12,
            height=6,
        ),
        Panel(
            "stat",
            "Mean of a prediction",
            "Each business figure for a single prediction.",
            (Query(_with_unit(_mean(_KPI)), _LEGEND),),
            width=12,
            height=6,
        ),
        Panel(
            "timeseries",
            "Totals over time",
            "Each point is the sum of the window before it. Compare with the same hour of last "
            "week before you conclude.",
            (Query(_with_unit(_sum(_KPI)), _LEGEND),),
        ),
        Panel(
            "timeseries",
            "Means over time",
            "Business figures of a single prediction.",
            (Query(_with_unit(_mean(_KPI)), _LEGEND),),
        ),
    ),
)

_MODEL = Row(
    "Beside the model",
    (
        Panel(
            "timeseries",
            "Predictions",
            "Mean prediction of the window.",
            (Query(_mean('role="prediction"'), _LEGEND),),
        ),
        Panel(
            "timeseries",
            "Chosen fields",
            "Means of the fields selected above: claimed amounts, market values.",
            (Query(_mean('role=~"$role",field=~"$field"'), "{{role}} " + _LEGEND),),
        ),
    ),
)

KPIS = Board(
    "mlmonitor-kpis",
    "mlmonitor: KPIs",
    "Business figures of the predictions, and the fields behind them.",
    (_FIGURES, _MODEL),
    variables=field_variables(),
    since="now-24h",
)
