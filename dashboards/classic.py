"""Write a board in Grafana's classic schema, with the official typed builders."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from grafana_foundation_sdk.builders import (
    barchart,
    dashboard,
    prometheus,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as models

from encoding import encode_board
from model import Board, Choice, Panel, Query, Row, Variable
from sql_query import SqlQuery
from style import style, transformations

_PANELS = {
    "timeseries": timeseries.Panel,
    "stat": stat.Panel,
    "table": table.Panel,
    "barchart": barchart.Panel,
}
_NAMES = {"prometheus": "datasource", "grafana-postgresql-datasource": "datasource"}


def write_classic(board: Board) -> str:
    """Return a dashboard's JSON for file provisioning, the API and grafana.com."""
    builder = (
        dashboard.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([board.tag, "generated"])
        .tooltip(models.DashboardCursorSync.CROSSHAIR)
        .time(board.since, "now")
        .refresh("1m")
        .timezone("browser")
        .with_variable(
            dashboard.DatasourceVariable("datasource").label("Data source").type(board.source)
        )
        .links([_link(board.tag)])
    )
    for variable in board.variables:
        builder = builder.with_variable(_variable(board, variable))
    numbers = count(1)
    for row in board.rows:
        builder = _add_row(builder, board, row, numbers)
    return encode_board(builder.build())


def _add_row(
    builder: dashboard.Dashboard, board: Board, row: Row, numbers: Iterator[int]
) -> dashboard.Dashboard:
    """Add a row and its panels with ascending ids, because links refer to panels by id."""
    builder = builder.with_row(dashboard.Row(row.title).id(next(numbers)))
    for panel in row.panels:
        builder = builder.with_panel(_panel(board, panel).id(next(numbers)))
    return builder


def _source(board: Board) -> common.DataSourceRef:
    return common.DataSourceRef(type_val=board.source, uid="${datasource}")


def _panel(board: Board, panel: Panel) -> Any:
    if panel.kind == "text":
        note = text.Panel().title(panel.title).content(panel.description)
        return note.mode("markdown").span(panel.width).height(panel.height)  # type: ignore[arg-type]
    builder = (
        _PANELS[panel.kind]()
        .title(panel.title)
        .description(panel.description)
        .datasource(_source(board))
        .span(panel.width)
        .height(panel.height)
    )
    for place, query in enumerate(panel.queries):
        builder = builder.with_target(_target(board, query, chr(ord("A") + place)))
    for group, options in transformations(panel, has_time=board.source == "prometheus"):
        builder = builder.with_transformation(
            models.DataTransformerConfig(id_val=group, options=options)
        )
    return style(builder, panel, models, dashboard)


def _target(board: Board, query: Query, name: str) -> object:
    if board.source != "prometheus":
        return SqlQuery(query.text, name, is_table=query.instant, source=_source(board))
    target = (
        prometheus.Dataquery()
        .expr(query.text)
        .ref_id(name)
        .datasource(_source(board))
        .legend_format(query.legend or "__auto")
        .exemplar(query.exemplars)
    )
    if query.instant:
        return target.instant().format("table")
    return target.range()


def _variable(board: Board, variable: Variable | Choice) -> object:
    if isinstance(variable, Choice):
        options = [
            models.VariableOption(selected=value == variable.first, text=value, value=value)
            for value in variable.values
        ]
        chosen = models.VariableOption(selected=True, text=variable.first, value=variable.first)
        custom = dashboard.CustomVariable(variable.name).label(variable.label)
        return custom.values(",".join(variable.values)).options(options).current(chosen)
    builder = (
        dashboard.QueryVariable(variable.name)
        .label(variable.label)
        .datasource(_source(board))
        .query(variable_query(board, variable))
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(_sort(board))
        .multi(variable.multi)
        .regex(variable.regex)
    )
    if variable.all_value is None:
        return builder
    everything = models.VariableOption(selected=True, text=["All"], value=["$__all"])
    builder = builder.include_all(True).current(everything)
    return builder.all_value(variable.all_value) if variable.all_value else builder


def _sort(board: Board) -> models.VariableSort:
    """Return how a variable's values are sorted; values from SQL keep the order of the query."""
    is_ordered = board.source != "prometheus"
    return models.VariableSort.DISABLED if is_ordered else models.VariableSort.ALPHABETICAL_ASC


def variable_query(board: Board, variable: Variable) -> str | dict[str, object]:
    """Return a variable's query in its data source's form; type 5 is a query typed as text."""
    if board.source == "prometheus":
        return {"qryType": 5, "query": variable.query, "refId": "variable"}
    return variable.query


def _link(tag: str) -> dashboard.DashboardLink:
    return (
        dashboard.DashboardLink("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .include_vars(True)
        .keep_time(True)
    )
