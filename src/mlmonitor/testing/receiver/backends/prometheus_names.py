"""Prometheus' names for metrics and labels that arrive over OTLP.

Source: prometheus/otlptranslator (`metric_namer.go`, `unit_namer.go`, `label_namer.go`) in the
strategies `UnderscoreEscapingWithSuffixes`, Prometheus' default, and
`UnderscoreEscapingWithoutSuffixes`, Mimir's default; docs of `otlp:` in Prometheus' configuration.
"""

import re
from typing import NamedTuple

from mlmonitor.testing.receiver.decoding import MetricHead, WirePoint, as_text

UNITS = {
    "d": "days",
    "h": "hours",
    "min": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "us": "microseconds",
    "ns": "nanoseconds",
    "By": "bytes",
    "KiBy": "kibibytes",
    "MiBy": "mebibytes",
    "GiBy": "gibibytes",
    "TiBy": "tibibytes",
    "KBy": "kilobytes",
    "MBy": "megabytes",
    "GBy": "gigabytes",
    "TBy": "terabytes",
    "m": "meters",
    "V": "volts",
    "A": "amperes",
    "J": "joules",
    "W": "watts",
    "g": "grams",
    "Cel": "celsius",
    "Hz": "hertz",
    "1": "",
    "%": "percent",
}
PER_UNITS = {
    "s": "second",
    "m": "minute",
    "h": "hour",
    "d": "day",
    "w": "week",
    "mo": "month",
    "y": "year",
}

_NOT_IN_TOKEN = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_NAME = re.compile(r"[^a-zA-Z0-9:_]+")
_NOT_IN_LABEL = re.compile(r"[^a-zA-Z0-9_]")


def metric_name(metric: MetricHead, *, with_suffixes: bool) -> str | None:
    """Return a metric's name; None if no character can be used.

    The suffixes are the unit, `_total` for monotonic sums, and `_ratio` for gauges of unit 1; a
    suffix that the name already has is not repeated. A leading digit is preceded by `_`.
    """
    pattern = _NOT_IN_TOKEN if with_suffixes else _NOT_IN_NAME
    tokens = [token for token in pattern.split(metric.name) if token]
    if with_suffixes:
        tokens = _with_suffixes(tokens, metric)
    name = "_".join(tokens)
    if not name.strip("_"):
        return None
    return f"_{name}" if name[0].isdigit() else name


def _with_suffixes(tokens: list[str], metric: MetricHead) -> list[str]:
    named = tokens + [token for token in _translate_unit(metric.unit) if token not in tokens]
    if metric.is_monotonic:
        named = [*(token for token in named if token != "total"), "total"]  # noqa: S105 - no secret
    if metric.kind == "gauge" and metric.unit == "1":
        named = [*(token for token in named if token != "ratio"), "ratio"]  # noqa: S105 - no secret
    return named


def _translate_unit(unit: str) -> list[str]:
    """Translate a unit, such as `By/s` to `bytes` and `per_second`, and drop text in braces."""
    main, _, per = unit.partition("/")
    tokens = [_translate_unit_name(main, UNITS)]
    below = _translate_unit_name(per, PER_UNITS)
    tokens.append(f"per_{below}" if below else "")
    return [token for token in tokens if token]


def _translate_unit_name(unit: str, names: dict[str, str]) -> str:
    unit = unit.strip()
    if not unit or "{" in unit or "}" in unit:
        return ""
    return _NOT_IN_TOKEN.sub("_", names.get(unit, unit)).strip("_")


def label_name(key: str) -> str | None:
    """Return a label's name: invalid characters become `_`; None if none can be used.

    A leading digit is preceded by `key_`, a leading single underscore by `key`.
    """
    name = _NOT_IN_LABEL.sub("_", key)
    if not name.strip("_"):
        return None
    if name[0].isdigit():
        return f"key_{name}"
    return f"key{name}" if re.match(r"_[^_]", name) else name


class Labels(NamedTuple):
    """The labels of a point, and the attributes whose labels collided."""

    kept: dict[str, str]
    notes: list[str]


def labels(point: WirePoint) -> Labels | None:
    """Return a point's labels: attributes, `job`, `instance`; None if a key has no valid name.

    If two attributes get the same label name, their values are joined with `;`. Empty values make
    no label. Other resource attributes appear only in `target_info` and do not identify series.
    """
    result = Labels({}, [])
    for key, value in sorted(point.attributes, key=lambda pair: pair[0]):
        name = label_name(key)
        if name is None:
            return None
        text = as_text(value)
        if name in result.kept:
            result.notes.append(f"attributes collide in one label: {name!r}")
            result.kept[name] += f";{text}"
        else:
            result.kept[name] = text
    result.kept.update(_make_target_labels(point))
    return Labels({name: text for name, text in result.kept.items() if text}, result.notes)


def _make_target_labels(point: WirePoint) -> dict[str, str]:
    """Return `job` (`[service.namespace/]service.name`) and `instance` (`service.instance.id`)."""
    resource = {key: as_text(value) for key, value in point.source.resource}
    space, service = resource.get("service.namespace", ""), resource.get("service.name", "")
    target = {}
    if service:
        target["job"] = f"{space}/{service}" if space else service
    if point.source.instance:
        target["instance"] = point.source.instance
    return target
