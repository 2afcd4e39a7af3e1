"""Translate metric and label names in templates to the names that a backend's queries need.

A template names a metric of the catalogue as `<mlmonitor.drift.score>{...}`, a part of a histogram
as `<mlmonitor.field.distribution|bucket>{...}`, a label as `<model.name>`, and a label outside of
PromQL, such as in a legend, as `<bare:model.name>`. Files for Dynatrace, which does not change
names, use `<key:mlmonitor.drift.score>`.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from mlmonitor.catalog import CATALOG, IDENTITY, MetricSpec
from mlmonitor.errors import ConfigError

Naming = Literal["prometheus", "mimir", "utf8"]
"""`prometheus` adds units and `_total`, `mimir` adds nothing, `utf8` keeps the dots."""

NAMINGS: Final[tuple[Naming, ...]] = get_args(Naming)

ENVIRONMENT: Final = "deployment.environment.name"
"""A resource attribute that backends are configured to promote to a label."""

LABELS: Final = tuple(
    sorted(
        {
            label
            for metric in CATALOG
            for label in (*IDENTITY, *metric.attributes, ENVIRONMENT)
            if "." in label
        }
    )
)
"""The labels whose names contain dots, which backends translate differently."""

METRIC_TOKEN: Final = re.compile(r"<(mlmonitor\.[a-z0-9_.]+)(?:\|(bucket|sum|count))?>\{")
_KEY_TOKEN = re.compile(r"<key:(mlmonitor\.[a-z0-9_.]+)>")
_LABEL_TOKEN = re.compile(
    "<(bare:)?(" + "|".join(re.escape(label) for label in sorted(LABELS, key=len)) + ")>"
)


def catalogue() -> Mapping[str, MetricSpec]:
    """Return the metrics that a template may name, by their OpenTelemetry names."""
    return {metric.name: metric for metric in CATALOG}


def metrics_in(template: str) -> Iterator[MetricSpec]:
    """Yield the metrics that a template names.

    Raises ConfigError for a metric that is not in the catalogue.
    """
    known_metrics = catalogue()
    for match in METRIC_TOKEN.finditer(template):
        yield _find(known_metrics, match[1], match[2])
    for match in _KEY_TOKEN.finditer(template):
        yield _find_any(known_metrics, match[1])


def render(template: str, naming: Naming) -> str:
    """Replace the names in a template by those of a backend.

    Raises ConfigError for a metric that is not in the catalogue.
    """
    known_metrics = catalogue()

    def write_metric(match: re.Match[str]) -> str:
        metric = _find(known_metrics, match[1], match[2])
        name = metric_name(metric, match[2], naming)
        return f'{{"{name}",' if naming == "utf8" else f"{name}{{"

    def write_label(match: re.Match[str]) -> str:
        name = label_name(match[2], naming)
        return f'"{name}"' if naming == "utf8" and match[1] is None else name

    def write_key(match: re.Match[str]) -> str:
        return _find_any(known_metrics, match[1]).name

    with_metrics = METRIC_TOKEN.sub(write_metric, _KEY_TOKEN.sub(write_key, template))
    return _LABEL_TOKEN.sub(write_label, with_metrics)


def metric_name(metric: MetricSpec, part: str | None, naming: Naming) -> str:
    """Return the backend's name for a metric, or for a part of a histogram such as `bucket`."""
    names = {
        "prometheus": metric.prometheus,
        "mimir": metric.name.replace(".", "_"),
        "utf8": metric.name,
    }
    return names[naming] + (f"_{part}" if part else "")


def label_name(label: str, naming: Naming) -> str:
    """Return the backend's name for a label."""
    return label if naming == "utf8" else label.replace(".", "_")


def _find_any(known_metrics: Mapping[str, MetricSpec], name: str) -> MetricSpec:
    metric = known_metrics.get(name)
    if metric is None:
        raise ConfigError(f"a shipped file names {name}, which the catalogue does not have")
    return metric


def _find(known_metrics: Mapping[str, MetricSpec], name: str, part: str | None) -> MetricSpec:
    metric = _find_any(known_metrics, name)
    if (part is not None) != (metric.kind == "histogram"):
        raise ConfigError(f"a shipped file reads {name} as another kind than {metric.kind}")
    return metric
