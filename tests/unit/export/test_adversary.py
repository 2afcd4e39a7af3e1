"""Hostile names: nothing is refused, and no two are merged."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, Monitor, Otlp
from mlmonitor.testing import InMemoryExporter, ManualClock, OtlpReceiver
from support.cases import short_form
from support.references import fit_reference

TOKEN = "dt0c01.PUBLIC.SECRET"  # noqa: S105 - of a test's own server
LONG, ODD = "x" * 300, 'm\nodel 🚀 "}\ud800'
NAMES = [
    *("a.b", "a_b", "A.b", "a b", "a-b", "a:b", "a/b", "a\\b", 'a"b', "a{b}", "a,b", "a=b"),
    *("field", "role", "le", "__name__", "__other__", "model.name", "~0123456789ab"),
    *(
        "\n",
        "\t",
        " ",
        "\x00",
        "\x7f",
        "a\nb",
        " a",
        "a ",
        "\u202e",
        "\u200d",
        "🚀",
        "e\u0301",
        "é",
    ),
    *(LONG, f"{LONG}y", f"{LONG}z", "🚀" * 300),
]
PROFILES = ("prometheus", "mimir", "collector", "dynatrace")


@pytest.fixture
def receivers(clock: ManualClock) -> Iterator[dict[str, OtlpReceiver]]:
    """One strict backend of each kind."""
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(OtlpReceiver(name, clock=clock))  # type: ignore[arg-type]
            for name in PROFILES
        }


def exporters(receivers: dict[str, OtlpReceiver], profiles: Sequence[str]) -> list[Any]:
    """Return an exporter to each of these receivers."""
    makers = {
        "prometheus": Otlp.prometheus,
        "mimir": Otlp.mimir,
        "collector": Otlp.collector,
        "dynatrace": partial(Otlp.dynatrace, token=TOKEN),
    }
    return [makers[name](receivers[name].url, timeout_seconds=200) for name in profiles]


@pytest.mark.parametrize(
    ("name", "profiles"),
    short_form(
        [(ODD, ("prometheus", "dynatrace")), (ODD, ("mimir", "collector")), (LONG, PROFILES)],
        (ODD, ("prometheus", "dynatrace")),
    ),
)
def test_every_hostile_name_arrives_as_a_separate_series(
    receivers: dict[str, OtlpReceiver],
    exporter: InMemoryExporter,
    clock: ManualClock,
    name: str,
    profiles: Sequence[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is a field, category, figure, error type, model or version, at several backends."""
    many = ",".join(f"k8s.label.{at}=v" for at in range(80))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"{many},Not Legal=1,k8s.empty=")
    columns: dict[str, Any] = {key: np.arange(50.0) - 20 for key in NAMES}
    columns["categories"] = (NAMES * 2)[:50]
    reference = fit_reference(columns, predictions=columns["a.b"], actuals=columns["a.b"])
    config = Config(export_interval_seconds=3_600)
    monitor = Monitor(
        name,
        version=name,
        reference=reference,
        exporters=[exporter, *exporters(receivers, profiles)],
        config=config,
        clock=clock,
    )
    with monitor:
        for at, key in enumerate(NAMES):
            fail(monitor, key)
            monitor.kpi(key, at)
        ids = [str(at) for at in range(50)]
        monitor.record(columns, columns["a.b"], ids=ids)
        monitor.label(ids, columns["a.b"])
        for _ in range(2):
            clock.advance(60)
            assert monitor.flush(timeout_seconds=200)
        assert monitor.status().internal_errors == 0
    metric_names = Counter(point.metric.name for point in exporter.snapshots[-1].points)
    for profile in profiles:
        ledger = receivers[profile].ledger
        assert not ledger.refused, (profile, ledger.refused)
        assert not ledger.warnings, (profile, ledger.warnings)
        for metric, series in metric_names.items():
            if profile != "dynatrace" or metric not in INSTEAD:
                assert len(ledger.series(metric)) == series, (profile, metric)


INSTEAD = ("mlmonitor.field.distribution", "mlmonitor.field.bin")
"""What Dynatrace gets in another form."""


def fail(monitor: Monitor, name: str) -> None:
    """Make a call that fails with an exception of that name."""
    kind = type(name.replace("\x00", "0").encode("utf-8", "replace").decode(), (Exception,), {})

    @monitor.watch
    def predict(features: object) -> float:
        raise kind

    with pytest.raises(kind):
        predict({"a.b": 1.0})
