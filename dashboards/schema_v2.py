"""Write a board in Grafana's schema v2, with the official typed builders."""

from grafana_foundation_sdk.builders import (
    barchart,
    dashboardv2,
    prometheus,
    stat,
    table,
    text,
    timeseries,
)
from grafana_foundation_sdk.models import dashboardv2 as models

from encoding import encode_board
from model import Board, Choice, Panel, Query, Row, Variable
from sql_query import SqlQueryV2
from style import style, transformations

_PANELS = {
    "timeseries": timeseries.VisualizationV2,
    "stat": stat.VisualizationV2,
    "table": table.VisualizationV2,
    "barchart": barchart.VisualizationV2,
}
_COLUMNS = 24


def write_v2(board: Board) -> str:
    """Return the JSON of the resource `dashboard.grafana.app/v2`."""
    builder = (
        dashboardv2.Dashboard(board.title)
        .description(board.description)
        .tags([board.tag, "generated"])
        .cursor_sync(models.DashboardCursorSync.CROSSHAIR)
        .time_settings(
            dashboardv2.TimeSettings()
            .from_val(board.since)
            .to("now")
            .auto_refresh("1m")
            .timezone("browser")
        )
        .variable(
            dashboardv2.DatasourceVariable("datasource")
            .label("Data source")
            .plugin_id(board.source)
        )
        .links([_link(board.tag)])
    )
    for variable in board.variables:
        builder = builder.variable(_variable(board, variable))
    rows = dashboardv2.Rows()
    number = 0
    for row in board.rows:
        grid = dashboardv2.Grid()
        for panel, (x, y) in zip(row.panels, _places(row), strict=True):
            number += 1
            name = f"panel-{number}"
            builder = builder.element(name, _panel(board, panel, number))
            item = (
                dashboardv2.GridItem().name(name).x(x).y(y).width(panel.width).height(panel.height)
            )
            grid = grid.item(item)
        rows = rows.row(dashboardv2.Row().title(row.title).layout(grid))
    manifest = dashboardv2.manifest(board.uid, builder.layout(rows))
    return encode_board(manifest.build())


def _places(row: Row) -> list[tuple[int, int]]:
    """Place panels from left to right; a line is as high as its highest panel. Returns `(x, y)`."""
    places = []
    x = y = height = 0
    for panel in row.panels:
        if x + panel.width > _COLUMNS:
            x, y, height = 0, y + height, 0
        places.append((x, y))
        x, height = x + panel.width, max(height, panel.height)
    return places


def _panel(board: Board, panel: Panel, number: int) -> dashboardv2.Panel:
    builder = dashboardv2.Panel().id(number).title(panel.title)
    if panel.kind == "text":
        note = text.VisualizationV2().mode("markdown").content(panel.description)  # type: ignore[arg-type]
        return builder.visualization(note).data(dashboardv2.QueryGroup())
    group = dashboardv2.QueryGroup()
    for place, query in enumerate(panel.queries):
        name = chr(ord("A") + place)
        target = dashboardv2.Target().ref_id(name).query(_query(board, query))
        group = group.target(target)
    for name, options in transformations(panel, has_time=board.source == "prometheus"):
        group = group.transformation(dashboardv2.Transformation().group(name).options(options))
    styled = style(_PANELS[panel.kind](), panel, models, dashboardv2)
    return builder.description(panel.description).data(group).visualization(styled)


def _source() -> dashboardv2.Dashboardv2DataQueryKindDatasource:
    return dashboardv2.Dashboardv2DataQueryKindDatasource().name("${datasource}")


def _query(board: Board, query: Query) -> object:
    if board.source != "prometheus":
        return SqlQueryV2(query.text, is_table=query.instant)
    target = (
        prometheus.QueryV2()
        .datasource(_source())
        .expr(query.text)
        .legend_format(query.legend or "__auto")
        .exemplar(query.exemplars)
    )
    if query.instant:
        return target.instant(True).format("table")
    return target.range(True)


def _variable(board: Board, variable: Variable | Choice) -> object:
    if isinstance(variable, Choice):
        options = [
            models.VariableOption(selected=value == variable.first, text=value, value=value)
            for value in variable.values
        ]
        chosen = models.VariableOption(selected=True, text=variable.first, value=variable.first)
        custom = dashboardv2.CustomVariable(variable.name).label(variable.label)
        return custom.query(",".join(variable.values)).options(options).current(chosen)
    builder = (
        dashboardv2.QueryVariable(variable.name)
        .label(variable.label)
        .query(_variable_query(board, variable))
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


def _variable_query(board: Board, variable: Variable) -> object:
    if board.source != "prometheus":
        return SqlQueryV2(variable.query, is_table=True)
    spec = {"qryType": 5, "query": variable.query, "refId": "variable"}
    return RawQuery(board.source, spec)


class RawQuery:
    """A query for which the builders have no type."""

    def __init__(self, group: str, spec: dict[str, object]) -> None:
        self._query = models.DataQueryKind(group=group, datasource=_source().build(), spec=spec)

    def build(self) -> models.DataQueryKind:
        """Return the query in the schema's form."""
        return self._query


def _link(tag: str) -> dashboardv2.DashboardLink:
    return (
        dashboardv2.DashboardLink()
        .title("Dashboards")
        .type(models.DashboardLinkType.DASHBOARDS)
        .tags([tag])
        .include_vars(True)
        .keep_time(True)
    )
