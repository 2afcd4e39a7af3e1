"""Write the alerts as anomaly detectors (DQL) and metric events (Classic), and metric metadata."""

import json
from dataclasses import dataclass
from typing import Any

import yaml

from dynatrace_boards import (
    DOCUMENTS,
    FIELD,
    MODEL,
    key,
    split,
    write_classic_board,
    write_document,
)
from mlmonitor import catalog
from rules import ALERTS, AlertRule

_WHOLE = '(isNull(segment) or segment == "all")'
_ANALYZER = "dt.statistics.ui.anomaly_detection.{}AnomalyDetectionAnalyzer"
_M = ("model.name", "model.version")
_F = (*_M, "field", "role")


@dataclass(frozen=True)
class Watch:
    """How Dynatrace evaluates an alert: `violating` of `window` minutes must pass `limit`."""

    dql: str
    selector: str
    limit: float | None
    """None: the limit is the baseline that Dynatrace learns."""
    violating: int = 5
    window: int = 5
    is_below: bool = False
    on_missing: bool = False


def _series(named: str, by: str, *filters: str, then: str = "") -> str:
    conditions = " and ".join((_WHOLE, *filters))
    query = f"timeseries {named}, by:{{{by}}}, filter:{{{conditions}}}, interval:1m"
    return f"{query}\n{then}" if then else query


def _flag(metric: catalog.MetricSpec, by: str, *dimensions: str, where: str = "") -> Watch:
    condition = (where,) if where else ()
    selected = {'action != "keep"': 'ne("action","keep")'}.get(where, "")
    return Watch(
        _series(f"firing = max({key(metric)})", by, *condition),
        split(metric, "max", *dimensions, where=selected),
        0.5,
    )


_PSI = 'eq("measure","psi")'

WATCHES: dict[str, Watch] = {
    "MlmonitorFleetPsi": Watch(
        _series(
            f"{{score = max({key(catalog.DRIFT_SCORE)}),"
            f" limit = max({key(catalog.DRIFT_THRESHOLD)})}}",
            FIELD,
            'measure == "psi"',
            then="| fieldsAdd above = score[] - limit[]\n| fieldsRemove score, limit",
        ),
        split(catalog.DRIFT_SCORE, "max", *_F, where=_PSI)
        + " - "
        + split(catalog.DRIFT_THRESHOLD, "max", *_F, where=_PSI),
        0.1,
        15,
        15,
    ),
    "MlmonitorDrift": _flag(catalog.DRIFT_ALERT, FIELD, *_F),
    "MlmonitorQuality": _flag(catalog.QUALITY_ALERT, f"{FIELD}, reason", *_F, "reason"),
    "MlmonitorPerformance": Watch(
        _series(
            f"{{absolute = sum({key(catalog.ERROR_ABSOLUTE)}),"
            f" labelled = sum({key(catalog.LABELLED)})}}",
            MODEL,
            "isNull(field)",
            then="| fieldsAdd mae = absolute[] / labelled[]\n| fieldsRemove absolute, labelled",
        ),
        split(catalog.ERROR_ABSOLUTE, "sum", *_M) + " / " + split(catalog.LABELLED, "sum", *_M),
        None,
        30,
        60,
    ),
    "MlmonitorPerformanceAlert": _flag(
        catalog.PERFORMANCE_ALERT, f"{MODEL}, measure", *_M, "measure"
    ),
    "MlmonitorObjective": _flag(catalog.OBJECTIVE_ALERT, f"{MODEL}, measure", *_M, "measure"),
    "MlmonitorVerdict": _flag(
        catalog.VERDICT,
        f"{MODEL}, action, reason",
        *_M,
        "action",
        "reason",
        where='action != "keep"',
    ),
    "MlmonitorLabelsStalled": Watch(
        _series(f"matched = sum({key(catalog.LABELS)}, default: 0)", MODEL, 'status == "matched"'),
        split(catalog.LABELS, "sum", *_M, where='eq("status","matched")'),
        1,
        60,
        60,
        is_below=True,
    ),
    "MlmonitorHeartbeatMissing": Watch(
        _series(f"beats = sum({key(catalog.HEARTBEAT)})", "model.name, destination"),
        split(catalog.HEARTBEAT, "sum", "model.name", "destination"),
        1,
        10,
        10,
        is_below=True,
        on_missing=True,
    ),
    "MlmonitorRowsDropped": Watch(
        _series(f"dropped = sum({key(catalog.DROPPED)})", MODEL),
        split(catalog.DROPPED, "sum", *_M),
        0,
        3,
    ),
    "MlmonitorInternalErrors": Watch(
        _series(f"errors = sum({key(catalog.FAULTS)})", MODEL),
        split(catalog.FAULTS, "sum", *_M),
        0,
        1,
    ),
    "MlmonitorErrorShare": Watch(
        _series(f"failed = sum({key(catalog.PREDICTIONS)})", MODEL, 'status == "error"'),
        split(catalog.PREDICTIONS, "sum", *_M, where='eq("status","error")')
        + " / "
        + split(catalog.PREDICTIONS, "sum", *_M),
        None,
        10,
        15,
    ),
    "MlmonitorLatency": Watch(
        _series(f"p99 = percentile({key(catalog.DURATION)}, 99)", MODEL),
        split(catalog.DURATION, "avg", *_M),
        None,
        10,
        15,
    ),
    "MlmonitorServiceAlert": _flag(catalog.SERVICE_ALERT, f"{MODEL}, measure", *_M, "measure"),
    "MlmonitorEventsLost": Watch(
        _series(f"lost = sum({key(catalog.EVENTS)})", "sink, outcome", 'outcome != "delivered"'),
        split(catalog.EVENTS, "sum", "sink", "outcome", where='ne("outcome","delivered")'),
        0,
        10,
        15,
    ),
    "MlmonitorLoaderStalled": Watch(
        f"timeseries age = max({key(catalog.LOADER_COMMIT_AGE)}), by:{{service.name}}, interval:1m",
        split(catalog.LOADER_COMMIT_AGE, "max", "service.name"),
        300,
        10,
        15,
    ),
    "MlmonitorPointsRefused": Watch(
        _series(
            f"refused = sum({key(catalog.EXPORT_POINTS)})",
            "destination, outcome",
            'outcome != "accepted"',
        ),
        split(
            catalog.EXPORT_POINTS, "sum", "destination", "outcome", where='ne("outcome","accepted")'
        ),
        0,
        10,
        15,
    ),
}

# DQL cannot compute logarithms per bin, so there is no evidence of a fleet's counts.
_WATCHED = tuple(rule for rule in ALERTS if rule.name in WATCHES)


def _texts(rule: AlertRule, watch: Watch) -> tuple[str, str]:
    """Return an event's title, with placeholders for the query's dimensions, and description."""
    by = watch.dql.partition("by:{")[2].partition("}")[0].split(", ")
    who = " ".join(f"{{dims:{name}}}" for name in by)
    title = f"{rule.name}: {who}"
    return title, f"See the runbook: <runbooks>/{rule.runbook}"


def _analyzer_input(watch: Watch) -> list[dict[str, str]]:
    """Return the analyzer's input as pairs of key and value; all values are strings."""
    fields = {
        "query": watch.dql,
        "alertCondition": "BELOW" if watch.is_below else "ABOVE",
        "alertOnMissingData": str(watch.on_missing).lower(),
        "violatingSamples": str(watch.violating),
        "slidingWindow": str(watch.window),
        "dealertingSamples": str(watch.window),
    }
    if watch.limit is None:
        fields["numberOfSignalFluctuations"] = "3"
    else:
        fields["threshold"] = f"{watch.limit:g}"
    return [{"key": name, "value": value} for name, value in fields.items()]


def _analyzer_name(watch: Watch) -> str:
    return _ANALYZER.format("AutoAdaptive" if watch.limit is None else "StaticThreshold")


def _event_properties(rule: AlertRule, watch: Watch) -> list[dict[str, str]]:
    title, description = _texts(rule, watch)
    properties = {
        "event.type": "CUSTOM_ALERT",
        "event.name": title,
        "event.description": description,
    }
    return [{"key": name, "value": value} for name, value in properties.items()]


def detector_settings(rule: AlertRule) -> dict[str, Any]:
    """Return a settings object of the schema `builtin:davis.anomaly-detectors`."""
    watch = WATCHES[rule.name]
    return {
        "enabled": True,
        "title": rule.name,
        "description": rule.summary_without_labels,
        "source": "mlmonitor",
        "executionSettings": {"actor": None, "queryOffset": None},
        "analyzer": {"name": _analyzer_name(watch), "input": _analyzer_input(watch)},
        "eventTemplate": {"properties": _event_properties(rule, watch)},
    }


def detector_resource(rule: AlertRule) -> dict[str, Any]:
    """Return `detector_settings` as a Terraform resource `dynatrace_davis_anomaly_detectors`."""
    watch = WATCHES[rule.name]
    return {
        "title": rule.name,
        "description": rule.summary_without_labels,
        "enabled": True,
        "source": "mlmonitor",
        "analyzer": {
            "name": _analyzer_name(watch),
            "input": {"analyzer_input_field": _analyzer_input(watch)},
        },
        "event_template": {"properties": {"property": _event_properties(rule, watch)}},
        "execution_settings": {},
    }


def _event(rule: AlertRule) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return query, model and template of a metric event, with the settings schema's names."""
    watch = WATCHES[rule.name]
    title, description = _texts(rule, watch)
    query = {"type": "METRIC_SELECTOR", "metricSelector": watch.selector}
    model: dict[str, Any] = {
        "type": "STATIC_THRESHOLD" if watch.limit is not None else "AUTO_ADAPTIVE_THRESHOLD",
        "alertCondition": "BELOW" if watch.is_below else "ABOVE",
        "alertOnNoData": watch.on_missing,
        "violatingSamples": watch.violating,
        "samples": watch.window,
        "dealertingSamples": watch.window,
    }
    model |= {"signalFluctuation": 3} if watch.limit is None else {"threshold": watch.limit}
    template = {
        "title": title,
        "description": description,
        "eventType": "CUSTOM_ALERT",
        "davisMerge": False,
    }
    return query, model, template


def event_settings(rule: AlertRule) -> dict[str, Any]:
    """Return a settings object of the schema `builtin:anomaly-detection.metric-events`."""
    query, model, template = _event(rule)
    return {
        "enabled": True,
        "summary": rule.name,
        "queryDefinition": query,
        "modelProperties": model,
        "eventTemplate": template | {"metadata": []},
    }


def event_resource(rule: AlertRule) -> dict[str, Any]:
    """Return `event_settings` as a Terraform resource `dynatrace_metric_events`."""
    query, model, template = (
        {_snake(name): value for name, value in part.items()} for part in _event(rule)
    )
    return {
        "enabled": True,
        "summary": rule.name,
        "query_definition": query,
        "model_properties": model,
        "event_template": template,
    }


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


_UNITS = {"s": "Second", "By": "Byte", "1": "Ratio"}


def metadata_resource(metric: catalog.MetricSpec) -> dict[str, Any]:
    """Return a metric's metadata as a Terraform resource `dynatrace_metric_metadata`."""
    return {
        "metric_id": f"metric-{key(metric)}",
        "display_name": metric.name.replace(".", " ").removeprefix("mlmonitor "),
        "description": f"{metric.meaning}.",
        "unit": _UNITS.get(metric.unit, "Count"),
        "tags": ["mlmonitor"],
    }


def _terraform(kind: str, resources: dict[str, dict[str, Any]]) -> str:
    document = {
        "//": "Generated by `make dashboards`, in Terraform's JSON syntax.",
        "resource": {kind: resources},
    }
    return json.dumps(document, indent=1)


def _resource_name(rule: AlertRule) -> str:
    return rule.runbook.removesuffix(".md").replace("-", "_")


def _versions() -> str:
    provider = {"source": "dynatrace-oss/dynatrace", "version": ">= 1.80.0"}
    return json.dumps({"terraform": {"required_providers": {"dynatrace": provider}}}, indent=1)


def _file(path: str) -> str:
    return f'${{file("${{path.module}}/{path}")}}'


def terraform_files() -> dict[str, str]:
    """Return Terraform modules: documents and detectors for SaaS, classic for Managed, metadata."""
    documents = {
        document.name: {
            "type": "dashboard",
            "name": document.title,
            "content": _file(f"../../documents/{document.name}.json"),
        }
        for document in DOCUMENTS
    }
    boards = {
        document.name: {"contents": _file(f"../../classic/{document.name}.json")}
        for document in DOCUMENTS
    }
    metadata = {
        metric.name.replace(".", "_"): metadata_resource(metric) for metric in catalog.CATALOG
    }
    detectors = {_resource_name(rule): detector_resource(rule) for rule in _WATCHED}
    events = {_resource_name(rule): event_resource(rule) for rule in _WATCHED}
    described = _terraform("dynatrace_metric_metadata", metadata)
    return {
        "saas/versions.tf.json": _versions(),
        "saas/dashboards.tf.json": _terraform("dynatrace_document", documents),
        "saas/detectors.tf.json": _terraform("dynatrace_davis_anomaly_detectors", detectors),
        "saas/metadata.tf.json": described,
        "managed/versions.tf.json": _versions(),
        "managed/dashboards.tf.json": _terraform("dynatrace_json_dashboard", boards),
        "managed/events.tf.json": _terraform("dynatrace_metric_events", events),
        "managed/metadata.tf.json": described,
    }


def _manifest() -> dict[str, Any]:
    address = {"type": "environment", "value": "DYNATRACE_ENVIRONMENT_URL"}
    return {
        "manifestVersion": "1.0",
        "projects": [{"name": "saas"}, {"name": "managed"}],
        "environmentGroups": [
            {
                "name": "default",
                "environments": [
                    {
                        "name": "mlmonitor",
                        "url": address,
                        "auth": {
                            "token": {"name": "DYNATRACE_API_TOKEN"},
                            "oAuth": {
                                "clientId": {"name": "DYNATRACE_CLIENT_ID"},
                                "clientSecret": {"name": "DYNATRACE_CLIENT_SECRET"},
                            },
                        },
                    }
                ],
            }
        ],
    }


def _config(identity: str, name: str, template: str, kind: dict[str, Any]) -> dict[str, Any]:
    return {"id": identity, "type": kind, "config": {"name": name, "template": template}}


def _settings(schema: str) -> dict[str, Any]:
    return {"settings": {"schema": schema, "scope": "environment"}}


def monaco_files() -> dict[str, str]:
    """Return Monaco's manifest and two projects, `saas` and `managed`."""
    detectors, events = "builtin:davis.anomaly-detectors", "builtin:anomaly-detection.metric-events"
    files = {"manifest.yaml": yaml.safe_dump(_manifest(), sort_keys=False)}
    saas, managed = [], []
    for document in DOCUMENTS:
        kind = {"document": {"kind": "dashboard", "private": False}}
        template = f"dashboards/{document.name}.json"
        identity = f"mlmonitor-{document.name}"
        saas.append(_config(identity, document.title, template, kind))
        managed.append(_config(identity, document.title, template, {"api": "dashboard"}))
        files[f"saas/{template}"] = write_document(document)
        files[f"managed/{template}"] = write_classic_board(document)
    for rule in _WATCHED:
        identity = f"mlmonitor-alert-{rule.runbook.removesuffix('.md')}"
        template = f"alerts/{rule.runbook.removesuffix('.md')}.json"
        saas.append(_config(identity, rule.name, template, _settings(detectors)))
        managed.append(_config(identity, rule.name, template, _settings(events)))
        files[f"saas/{template}"] = json.dumps(detector_settings(rule), indent=1)
        files[f"managed/{template}"] = json.dumps(event_settings(rule), indent=1)
    for project, configs in (("saas", saas), ("managed", managed)):
        files[f"{project}/config.yaml"] = yaml.safe_dump({"configs": configs}, sort_keys=False)
    return files


def dynatrace_files() -> dict[str, str]:
    """Return all files for Dynatrace, by path below `present/`."""
    boards, alerts = "dashboards/dynatrace", "alerts/dynatrace"
    files = {}
    for document in DOCUMENTS:
        files[f"{boards}/documents/{document.name}.json"] = write_document(document)
        files[f"{boards}/classic/{document.name}.json"] = write_classic_board(document)
    files |= {f"{alerts}/terraform/{path}": text for path, text in terraform_files().items()}
    files |= {f"{alerts}/monaco/{path}": text for path, text in monaco_files().items()}
    return files
