"""How Prometheus names metrics and labels that arrive over OTLP."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.catalog import CATALOG
from mlmonitor.testing.receiver.backends.prometheus_names import label_name, labels, metric_name
from mlmonitor.testing.receiver.decoding import MetricHead, decode
from support.otlp_requests import gauge, number, request


def head(name: str, unit: str = "", kind: str = "gauge") -> MetricHead:
    """Return a metric of that name; "counter" stands for a monotonic sum."""
    is_counter = kind == "counter"
    return MetricHead(name, unit, "sum" if is_counter else kind, "cumulative", is_counter)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "with_suffixes", "without"),
    [
        (head("requests.count", "1", "counter"), "requests_count_total", "requests_count"),
        (head("memory.usage", "By"), "memory_usage_bytes", "memory_usage"),
        (head("http.duration", "s", "histogram"), "http_duration_seconds", "http_duration"),
        (head("share", "1"), "share_ratio", "share"),
        (head("share.ratio.of", "1"), "share_of_ratio", "share_ratio_of"),
        (head("total.sum", "", "counter"), "sum_total", "total_sum"),
        (head("disk.bytes", "By"), "disk_bytes", "disk_bytes"),
        (head("speed", "By/s"), "speed_bytes_per_second", "speed"),
        (head("rate", "{request}/s"), "rate_per_second", "rate"),
        (head("calls", "{call}", "counter"), "calls_total", "calls"),
        (head("odd", "foo"), "odd_foo", "odd"),
        (head("a__b..c"), "a_b_c", "a__b_c"),
        (head("1st"), "_1st", "_1st"),
        (head("a:b"), "a:b", "a:b"),
        (head("äö"), None, None),
        (head("..."), None, None),
    ],
)
def test_metrics_are_named_as_the_translator_of_prometheus_names_them(
    metric: MetricHead, with_suffixes: str | None, without: str | None
) -> None:
    """Prometheus adds suffixes, Mimir by default does not; None is an impossible name."""
    assert metric_name(metric, with_suffixes=True) == with_suffixes
    assert metric_name(metric, with_suffixes=False) == without


@pytest.mark.parametrize("metric", CATALOG, ids=lambda metric: metric.name)
def test_the_prometheus_names_in_the_catalogue_are_those_of_the_translator(metric: object) -> None:
    """Dashboards are written with `Metric.prometheus`."""
    sent = head(metric.name, metric.unit, metric.kind)  # type: ignore[attr-defined]
    assert metric_name(sent, with_suffixes=True) == metric.prometheus  # type: ignore[attr-defined]


@given(st.text(), st.text(max_size=6), st.sampled_from(["gauge", "counter", "histogram"]))
def test_any_metric_name_becomes_a_valid_one(name: str, unit: str, kind: str) -> None:
    """A valid name matches `[a-zA-Z_:][a-zA-Z0-9_:]*`; otherwise there is none."""
    for with_suffixes in (True, False):
        translated = metric_name(head(name, unit, kind), with_suffixes=with_suffixes)
        assert translated is None or re.fullmatch(r"[a-zA-Z_:][a-zA-Z0-9_:]*", translated)


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("model.name", "model_name"),
        ("a..b", "a__b"),
        ("1a", "key_1a"),
        ("_a", "key_a"),
        ("__a", "__a"),
        ("-a", "key_a"),
        ("ä", None),
        ("", None),
    ],
)
def test_labels_are_named_as_the_translator_of_prometheus_names_them(
    sent: str, kept: str | None
) -> None:
    """Invalid characters become `_`; a digit or a single `_` in front gets a prefix."""
    assert label_name(sent) == kept


def test_a_series_has_its_attributes_job_and_instance_as_labels() -> None:
    """Other resource attributes do not identify a series; empty values are left out."""
    sent = request(
        gauge("g", number(1, {"a.b": True, "c": 2, "d": "", "e": 1.0, "f": [1, "x"]})),
        resource={
            "service.name": "claims",
            "service.namespace": "shop",
            "service.instance.id": "i-1",
            "host.name": "h",
        },
    )
    series_labels = labels(decode(sent.SerializeToString()).points[0])
    assert series_labels is not None
    assert series_labels.kept == {
        "a_b": "true",
        "c": "2",
        "e": "1",
        "f": '[1,"x"]',
        "job": "shop/claims",
        "instance": "i-1",
    }
    assert series_labels.notes == []


def test_attributes_that_become_one_label_are_joined_and_reported() -> None:
    """Their values are joined with a semicolon, in the order of the keys."""
    sent = request(gauge("g", number(1, {"a_b": "2", "a.b": "1"})))
    series_labels = labels(decode(sent.SerializeToString()).points[0])
    assert series_labels is not None
    assert series_labels.kept == {"a_b": "1;2"}
    assert series_labels.notes == ["attributes collide in one label: 'a_b'"]
