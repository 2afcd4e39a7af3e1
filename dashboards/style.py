"""The look of panels in both schemas, whose builders have the same method names."""

from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.models import common

from model import Panel

RED, GREEN, GREY = "red", "green", "text"


def style(builder: Any, panel: Panel, models: Any, builders: Any) -> Any:
    """Set a panel's unit, limits, bands and colours; `models` and `builders` are of one schema."""
    builder = builder.unit(panel.unit)
    if panel.decimals is not None:
        builder = builder.decimals(panel.decimals)
    if panel.maximum is not None:
        builder = builder.max(panel.maximum)
    steps = _steps(panel, models)
    builder = builder.thresholds(builders.ThresholdsConfig().steps(steps))
    if panel.kind == "timeseries":
        builder = _lines(builder, panel)
    if panel.kind == "stat":
        builder = builder.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        builder = builder.color_mode(common.BigValueColorMode.VALUE).graph_mode(
            common.BigValueGraphMode.AREA
        )
    for name, properties in _overrides(panel):
        values = [models.DynamicConfigValue(key, value) for key, value in properties]
        builder = builder.override_by_name(name, values)
    return builder


def _steps(panel: Panel, models: Any) -> list[Any]:
    """Return colours by value; without a limit, the colour of text or of the series."""
    if panel.warn_above is not None:
        return [
            models.Threshold(value=None, color=GREEN),
            models.Threshold(value=panel.warn_above, color=RED),
        ]
    if panel.warn_below is not None:
        return [
            models.Threshold(value=None, color=RED),
            models.Threshold(value=panel.warn_below, color=GREEN),
        ]
    return [models.Threshold(value=None, color=GREY)]


def _lines(builder: Any, panel: Panel) -> Any:
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.TABLE)
    legend = (
        legend.placement(common.LegendPlacement.BOTTOM).calcs(["lastNotNull"]).show_legend(True)
    )
    builder = builder.legend(legend).span_nulls(300_000).show_points(common.VisibilityMode.AUTO)
    tooltip = common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI)
    builder = builder.tooltip(tooltip).fill_opacity(70 if panel.stacked else 0)
    if panel.stacked:
        builder = builder.stacking(
            common_builders.StackingConfig().mode(common.StackingMode.NORMAL)
        )
    if panel.warn_above is not None or panel.warn_below is not None:
        lines = common_builders.GraphThresholdsStyleConfig().mode(
            common.GraphThresholdsStyleMode.DASHED
        )
        builder = builder.thresholds_style(lines)
    return builder


def _overrides(panel: Panel) -> Iterator[tuple[str, list[tuple[str, Any]]]]:
    if panel.band is not None:
        lower, upper = panel.band
        yield (
            upper,
            [
                ("custom.fillBelowTo", lower),
                ("custom.fillOpacity", 15),
                ("custom.lineWidth", 0),
            ],
        )
        yield lower, [("custom.lineWidth", 0)]
    for name in panel.dashed:
        yield name, [("custom.lineStyle", {"dash": [8, 8], "fill": "dash"})]
    if panel.links_to_field:
        names = {title for _, title in panel.columns}
        chosen = "&".join(
            f"var-{name}=${{__data.fields.{name}}}"
            for name in ("model", "version", "role", "field")
            if name in names
        )
        url = (
            "/d/mlmonitor-field?${datasource:queryparam}&${environment:queryparam}"
            f"&${{segment:queryparam}}&{chosen}&${{__url_time_range}}"
        )
        yield "field", [("links", [{"title": "Look at this field", "url": url}])]


def transformations(panel: Panel, *, has_time: bool) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the transformations that turn the results of several queries into one table."""
    if panel.matrix is not None:
        column, row, value = panel.matrix
        yield "groupingToMatrix", {"columnField": column, "rowField": row, "valueField": value}
        return
    if has_time and len(panel.queries) > 1 and panel.kind in ("table", "barchart"):
        yield "merge", {}
    if panel.order_by is not None:
        yield "sortBy", {"sort": [{"field": panel.order_by}]}
    if panel.columns:
        names = [name for name, _ in panel.columns]
        yield "filterFieldsByName", {"include": {"names": names}}
        order = {name: place for place, name in enumerate(names)}
        titles = {name: title for name, title in panel.columns if title != name}
        yield "organize", {"excludeByName": {}, "indexByName": order, "renameByName": titles}
    elif has_time and panel.kind in ("table", "barchart"):
        yield "organize", {"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": {}}
