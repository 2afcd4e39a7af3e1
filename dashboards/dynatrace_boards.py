"""Write Dynatrace dashboards: documents with DQL tiles, and classic dashboards for Managed.

Formats: document-api and dashboard-component-variable of docs.dynatrace.com for documents, the
configuration's Dashboards API for classic dashboards. Only documented keys are written, because a
dashboard that fails the schema's validation does not load at all.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from mlmonitor import catalog

Look = Literal["lineChart", "bandChart", "table", "singleValue", "barChart"]
COLUMNS = 24
PIXELS = 38  # the classic grid

MODEL = "model.name, model.version"
FIELD = f"{MODEL}, field, role"
_CHOSEN = "in(model.name, array($Model)) and in(model.version, array($Version))"
_WHOLE = '(isNull(segment) or segment == "all")'
_OF_FIELDS = "in(field, array($Field))"


def key(metric: catalog.MetricSpec) -> str:
    """Return the template name of a metric's key; rendering fails if the catalogue lacks it."""
    return f"<key:{metric.name}>"


@dataclass(frozen=True)
class Tile:
    """A tile: its query in DQL and, for classic dashboards, as a metric selector."""

    title: str
    dql: str
    selector: str = ""
    look: Look = "lineChart"
    width: int = 12
    height: int = 6


@dataclass(frozen=True)
class Document:
    """A dashboard, with a note on how to read it and what to do."""

    name: str
    title: str
    note: str
    tiles: tuple[Tile, ...]
    has_fields: bool = False


def series(aggregations: str | dict[str, str], by: str, *filters: str, then: str = "") -> str:
    """Return a DQL `timeseries` command over the selected models, followed by `then`."""
    if isinstance(aggregations, dict):
        named = ", ".join(f"{name} = {text}" for name, text in aggregations.items())
        aggregations = f"{{{named}}}" if len(aggregations) > 1 else named
    conditions = " and ".join((_CHOSEN, _WHOLE, *filters))
    query = f"timeseries {aggregations}, by:{{{by}}}, filter:{{{conditions}}}"
    return f"{query}\n{then}" if then else query


def split(metric: catalog.MetricSpec, how: str, *dimensions: str, where: str = "") -> str:
    """Return a classic metric selector, split by dimensions and aggregated by `how`."""
    by = ",".join(f'"{name}"' for name in dimensions)
    condition = f":filter({where})" if where else ""
    return f"{key(metric)}{condition}:splitBy({by}):{how}"


def _mean(metric: catalog.MetricSpec) -> str:
    return f"avg({key(metric)})"


_M = ("model.name", "model.version")
_F = (*_M, "field", "role")

OVERVIEW = Document(
    "overview",
    "mlmonitor: overview",
    "## Is all well?\nTraffic as ever, no failures, no alerts, one heartbeat for each process. A "
    "missing heartbeat makes everything else unknown: run `mlmonitor doctor` where the service "
    "runs. Fields that alert are explained on *mlmonitor: drift*.",
    (
        Tile(
            "Predictions a minute, by status",
            series({"predictions": f"sum({key(catalog.PREDICTIONS)})"}, f"{MODEL}, status"),
            split(catalog.PREDICTIONS, "sum", *_M, "status"),
        ),
        Tile(
            "Failed calls, by exception",
            series(
                {"failed": f"sum({key(catalog.PREDICTIONS)})"},
                f"{MODEL}, error.type",
                'status == "error"',
            ),
            split(catalog.PREDICTIONS, "sum", *_M, "error.type", where='eq("status","error")'),
        ),
        Tile(
            "Latency: median and 99th percentile, in seconds",
            series(
                {
                    "median": f"percentile({key(catalog.DURATION)}, 50)",
                    "p99": f"percentile({key(catalog.DURATION)}, 99)",
                },
                MODEL,
            ),
            split(catalog.DURATION, "avg", *_M),
        ),
        Tile(
            "Alerts that fire: drift, by field",
            series({"firing": f"max({key(catalog.DRIFT_ALERT)})"}, FIELD),
            split(catalog.DRIFT_ALERT, "max", *_F),
        ),
        Tile(
            "Alerts that fire: quality, by field and reason",
            series({"firing": f"max({key(catalog.QUALITY_ALERT)})"}, f"{FIELD}, reason"),
            split(catalog.QUALITY_ALERT, "max", *_F, "reason"),
        ),
        Tile(
            "Incidents, by cause",
            series({"incidents": f"max({key(catalog.INCIDENTS)})"}, f"{MODEL}, cause"),
            split(catalog.INCIDENTS, "max", *_M, "cause"),
        ),
        Tile(
            "Verdict: 1 for what is advised",
            series({"advised": f"max({key(catalog.VERDICT)})"}, f"{MODEL}, action, reason"),
            split(catalog.VERDICT, "max", *_M, "action", "reason"),
        ),
        Tile(
            "Processes that report",
            series({"heartbeats": f"sum({key(catalog.HEARTBEAT)})"}, f"{MODEL}, destination"),
            split(catalog.HEARTBEAT, "sum", *_M, "destination"),
        ),
        Tile(
            "Rows dropped and internal errors",
            series(
                {
                    "dropped": f"sum({key(catalog.DROPPED)})",
                    "errors": f"sum({key(catalog.FAULTS)})",
                },
                MODEL,
            ),
            split(catalog.DROPPED, "sum", *_M),
        ),
        Tile(
            "Events of the event log, by outcome",
            series({"events": f"sum({key(catalog.EVENTS)})"}, "sink, outcome"),
            split(catalog.EVENTS, "sum", "sink", "outcome"),
        ),
    ),
)

DRIFT = Document(
    "drift",
    "mlmonitor: drift",
    "## What is no longer as it was trained?\nGood: the live average stays near the training "
    "average, and scores stay below their thresholds, which chance exceeds once in a hundred "
    "windows, and below 0.1. Scores are those of the process where they are highest: for the drift "
    "of a fleet add up `mlmonitor.field.bin`.",
    (
        Tile(
            "Predictions: training average and live average",
            series(
                {
                    "training": _mean(catalog.REFERENCE_MEAN),
                    "live": _mean(catalog.MEAN),
                },
                FIELD,
                'role == "prediction"',
            ),
            split(catalog.MEAN, "avg", *_F, where='eq("role","prediction")'),
        ),
        Tile(
            "Features: training average and live average",
            series(
                {
                    "training": _mean(catalog.REFERENCE_MEAN),
                    "live": _mean(catalog.MEAN),
                },
                FIELD,
                'role == "feature"',
                _OF_FIELDS,
            ),
            split(catalog.MEAN, "avg", *_F, where='eq("role","feature")'),
        ),
        Tile(
            "Population stability index, by field",
            series(
                {"psi": f"max({key(catalog.DRIFT_SCORE)})"}, FIELD, 'measure == "psi"', _OF_FIELDS
            ),
            split(catalog.DRIFT_SCORE, "max", *_F, where='eq("measure","psi")'),
        ),
        Tile(
            "Population stability index above its threshold, by field",
            series(
                {
                    "score": f"max({key(catalog.DRIFT_SCORE)})",
                    "limit": f"max({key(catalog.DRIFT_THRESHOLD)})",
                },
                FIELD,
                'measure == "psi"',
                _OF_FIELDS,
                then="| fieldsAdd above = score[] - limit[]\n| fieldsRemove score, limit",
            ),
            split(catalog.DRIFT_SCORE, "max", *_F, where='eq("measure","psi")')
            + " - "
            + split(catalog.DRIFT_THRESHOLD, "max", *_F, where='eq("measure","psi")'),
        ),
        Tile(
            "Evidence (log10 of the e-value), by field",
            series({"evidence": f"max({key(catalog.DRIFT_EVIDENCE)})"}, FIELD, _OF_FIELDS),
            split(catalog.DRIFT_EVIDENCE, "max", *_F),
        ),
        Tile(
            "Contribution of each feature to the shift of the mean prediction",
            series(
                {"contribution": _mean(catalog.DRIFT_CONTRIBUTION)},
                f"{MODEL}, field, prediction",
                _OF_FIELDS,
            ),
            split(catalog.DRIFT_CONTRIBUTION, "avg", *_M, "field", "prediction"),
        ),
    ),
    has_fields=True,
)

DATA = Document(
    "data",
    "mlmonitor: data and reference",
    "## Statistics of the data, and of the reference\nFigures 6, 9 and 10 of the paper: the live "
    "mean inside the trained mean plus and minus k standard deviations, then the statistics of "
    "both. Good: the mean inside the band, statistics alike. Choose a field above.",
    (
        Tile(
            "Mean in its band (choose one field)",
            series(
                {
                    "lower": f"min({key(catalog.REFERENCE_LOWER)})",
                    "upper": f"max({key(catalog.REFERENCE_UPPER)})",
                    "mean": _mean(catalog.MEAN),
                },
                FIELD,
                _OF_FIELDS,
                then="| limit 1",
            ),
            split(catalog.MEAN, "avg", *_F)
            + ","
            + split(catalog.REFERENCE_LOWER, "min", *_F)
            + ","
            + split(catalog.REFERENCE_UPPER, "max", *_F),
            look="bandChart",
            width=24,
        ),
        Tile(
            "Data: mean, spread, extremes",
            series(
                {
                    "mean": _mean(catalog.MEAN),
                    "deviation": _mean(catalog.STDDEV),
                    "smallest": f"min({key(catalog.MIN)})",
                    "largest": f"max({key(catalog.MAX)})",
                },
                FIELD,
                _OF_FIELDS,
                then="| fieldsAdd mean = arrayLast(mean), deviation = arrayLast(deviation),"
                " smallest = arrayMin(smallest), largest = arrayMax(largest)",
            ),
            split(catalog.STDDEV, "avg", *_F),
            look="table",
        ),
        Tile(
            "Reference: mean, spread, band",
            series(
                {
                    "mean": _mean(catalog.REFERENCE_MEAN),
                    "deviation": _mean(catalog.REFERENCE_STDDEV),
                    "lower": _mean(catalog.REFERENCE_LOWER),
                    "upper": _mean(catalog.REFERENCE_UPPER),
                    "rows": f"max({key(catalog.REFERENCE_VALUES)})",
                },
                FIELD,
                _OF_FIELDS,
                then="| fieldsAdd mean = arrayLast(mean), deviation = arrayLast(deviation),"
                " lower = arrayLast(lower), upper = arrayLast(upper), rows = arrayLast(rows)",
            ),
            split(catalog.REFERENCE_MEAN, "avg", *_F),
            look="table",
        ),
        Tile(
            "Quantiles",
            series({"value": _mean(catalog.QUANTILE)}, f"{FIELD}, quantile", _OF_FIELDS),
            split(catalog.QUANTILE, "avg", *_F, "quantile"),
        ),
        Tile(
            "Values of each bin",
            series({"values": f"sum({key(catalog.BIN)})"}, f"{FIELD}, bin", _OF_FIELDS),
            split(catalog.BIN, "sum", *_F, "bin"),
        ),
        Tile(
            "Values by quality",
            series({"values": f"sum({key(catalog.VALUES)})"}, f"{FIELD}, quality", _OF_FIELDS),
            split(catalog.VALUES, "sum", *_F, "quality"),
        ),
        Tile(
            "Values outside the band",
            series({"values": f"sum({key(catalog.OUTLIERS)})"}, f"{FIELD}, side", _OF_FIELDS),
            split(catalog.OUTLIERS, "sum", *_F, "side"),
        ),
    ),
    has_fields=True,
)

KPIS = Document(
    "kpis",
    "mlmonitor: KPIs and performance",
    "## Business figures and performance\nFigures 4, 5 and 8 of the paper. Good: figures as in the "
    "weeks before, errors within your objective, no bucket far above the others. Errors speak for "
    "the predictions that have their label by now.",
    (
        Tile(
            "Business figures: mean",
            series({"mean": _mean(catalog.MEAN)}, FIELD, 'role == "kpi"'),
            split(catalog.MEAN, "avg", *_F, where='eq("role","kpi")'),
        ),
        Tile(
            "Model prediction: mean",
            series({"mean": _mean(catalog.MEAN)}, FIELD, 'role == "prediction"'),
            split(catalog.MEAN, "avg", *_F, where='eq("role","prediction")'),
        ),
        Tile(
            "Mean absolute error, by bucket",
            series(
                {
                    "absolute": f"sum({key(catalog.ERROR_ABSOLUTE)})",
                    "labelled": f"sum({key(catalog.LABELLED)})",
                },
                f"{MODEL}, field, bucket",
                then="| fieldsAdd mae = arraySum(absolute) / arraySum(labelled),"
                " labels = arraySum(labelled)\n| fieldsRemove absolute, labelled",
            ),
            split(catalog.ERROR_ABSOLUTE, "sum", *_M, "bucket")
            + " / "
            + split(catalog.LABELLED, "sum", *_M, "bucket"),
            look="table",
        ),
        Tile(
            "Mean absolute error over time",
            series(
                {
                    "absolute": f"sum({key(catalog.ERROR_ABSOLUTE)})",
                    "labelled": f"sum({key(catalog.LABELLED)})",
                },
                MODEL,
                "isNull(field)",
                then="| fieldsAdd mae = absolute[] / labelled[]\n| fieldsRemove absolute, labelled",
            ),
            split(catalog.ERROR_ABSOLUTE, "sum", *_M) + " / " + split(catalog.LABELLED, "sum", *_M),
        ),
        Tile(
            "Measures of the task",
            series({"value": _mean(catalog.PERFORMANCE)}, f"{MODEL}, measure, basis"),
            split(catalog.PERFORMANCE, "avg", *_M, "measure", "basis"),
        ),
        Tile(
            "Labels received, by outcome",
            series({"labels": f"sum({key(catalog.LABELS)})"}, f"{MODEL}, status"),
            split(catalog.LABELS, "sum", *_M, "status"),
        ),
    ),
)

DOCUMENTS: tuple[Document, ...] = (OVERVIEW, DRIFT, DATA, KPIS)


def _variable(name: str, label: str, where: str = "") -> dict[str, Any]:
    """Return a variable whose values a query lists; several may be selected."""
    filters = f", filter:{{{where}}}" if where else ""
    metric = catalog.VALUES if label == "field" else catalog.PREDICTIONS
    query = f"timeseries count = sum({key(metric)}), by:{{{label}}}{filters}\n| fields {label}"
    return {
        "key": name,
        "type": "query",
        "visible": True,
        "editable": True,
        "input": query,
        "multiple": True,
    }


def write_document(document: Document) -> str:
    """Return the content of a document of the type `dashboard`."""
    variables = [
        _variable("Model", "model.name"),
        _variable("Version", "model.version", "in(model.name, array($Model))"),
    ]
    if document.has_fields:
        variables.append(_variable("Field", "field", "in(model.name, array($Model))"))
    tiles: dict[str, dict[str, Any]] = {"0": {"type": "markdown", "content": document.note}}
    layouts = {"0": {"x": 0, "y": 0, "w": COLUMNS, "h": 3}}
    x, y = 0, 3
    for number, tile in enumerate(document.tiles, 1):
        if x + tile.width > COLUMNS:
            x, y = 0, y + tile.height
        tiles[str(number)] = _tile(tile)
        layouts[str(number)] = {"x": x, "y": y, "w": tile.width, "h": tile.height}
        x += tile.width
    content = {"version": 13, "variables": variables, "tiles": tiles, "layouts": layouts}
    return json.dumps(content, indent=1)


def _tile(tile: Tile) -> dict[str, Any]:
    settings: dict[str, Any] = {}
    if tile.look == "bandChart":
        band = {"lower": "lower", "upper": "upper", "time": "timeframe"}
        settings = {"chartSettings": {"bandChartSettings": band}}
    return {
        "type": "data",
        "title": tile.title,
        "query": tile.dql,
        "visualization": tile.look,
        "visualizationSettings": settings,
        "querySettings": {
            "maxResultRecords": 1000,
            "defaultScanLimitGbytes": 500,
            "maxResultMegaBytes": 1,
            "defaultSamplingRatio": 10,
            "enableSampling": False,
        },
    }


QUERIES_OF_SQL = Tile(
    "Results of the SQL queries, by query",
    "",
    'custom.db.query:splitBy("query_name"):sort(value(auto,descending)):limit(100)',
    width=24,
)
"""The metric of the Custom DB Queries extension (figure 7), which is not in the catalogue."""


def write_classic_board(document: Document) -> str:
    """Return a dashboard in the format of the configuration's Dashboards API."""
    tiles: list[dict[str, Any]] = [
        {
            "name": "Note",
            "tileType": "MARKDOWN",
            "configured": True,
            "bounds": _bounds(0, 0, COLUMNS, 4),
            "markdown": document.note,
        }
    ]
    x, y = 0, 4
    more = (QUERIES_OF_SQL,) if document is DATA else ()
    for tile in (*document.tiles, *more):
        if x + tile.width > COLUMNS:
            x, y = 0, y + tile.height + 2
        tiles.append(_explorer(tile, _bounds(x, y, tile.width, tile.height + 2)))
        x += tile.width
    metadata = {"name": document.title, "owner": "mlmonitor", "shared": True, "tags": ["mlmonitor"]}
    return json.dumps({"dashboardMetadata": metadata, "tiles": tiles}, indent=1)


def _bounds(x: int, y: int, width: int, height: int) -> dict[str, int]:
    grid = {"top": y, "left": x, "width": width, "height": height}
    return {name: value * PIXELS for name, value in grid.items()}


def _explorer(tile: Tile, bounds: dict[str, int]) -> dict[str, Any]:
    selectors = tile.selector.split(",<key:")
    selectors = [selectors[0], *("<key:" + text for text in selectors[1:])]
    return {
        "name": tile.title,
        "tileType": "DATA_EXPLORER",
        "configured": True,
        "bounds": bounds,
        "customName": "Data explorer results",
        "queries": [
            {"id": chr(ord("A") + place), "metricSelector": selector, "enabled": True}
            for place, selector in enumerate(selectors)
        ],
        "visualConfig": {
            "type": "TABLE" if tile.look == "table" else "GRAPH_CHART",
            "global": {"hideLegend": False},
            "rules": [],
        },
        "metricExpressions": [
            "resolution=null&"
            + ",".join(f"({selector}):limit(100):names" for selector in selectors)
        ],
    }
