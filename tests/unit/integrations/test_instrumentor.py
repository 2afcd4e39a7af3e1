"""What the instrumentor watches, leaves unchanged and restores."""

import importlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("opentelemetry.instrumentation", reason="extra instrument")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from mlmonitor.integrations.instrumentor import MonitorInstrumentor

SERVICE = """
class Base:
    def predict(self, row):
        return {"price": row["age"] * 2.0}

class Service(Base):
    @staticmethod
    def score(row):
        return row["age"] * 2.0

async def predict_later(row):
    return row["age"] * 2.0

def predict(row):
    return row["age"] * 2.0

def fail(row):
    raise LookupError("4711")

service = Service()
price = lambda age, line: age * 2.0
"""
NUMBERS = itertools.count()
Load = Callable[..., ModuleType]


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """The metric reader of the host's provider."""
    return InMemoryMetricReader()


@pytest.fixture
def load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reader: InMemoryMetricReader
) -> Iterator[Load]:
    """Instrument as the environment says, then import a new service module."""
    instrumentor = MonitorInstrumentor()
    provider = MeterProvider([reader])

    def load_service(attribute: str, **variables: str) -> ModuleType:
        name = f"instrumented_{next(NUMBERS)}"
        (tmp_path / f"{name}.py").write_text(SERVICE, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        options = {"WATCH": f"{name}:{attribute}", "MODEL": "claims"} | variables
        for option, value in options.items():
            monkeypatch.setenv(f"MLMONITOR_{option}", value)
        instrumentor.instrument(meter_provider=provider)
        return importlib.import_module(name)

    yield load_service
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
    provider.shutdown()


def count_predictions(reader: InMemoryMetricReader, status: str = "ok") -> int:
    """Close the monitor, and return how many predictions the provider shows."""
    MonitorInstrumentor().uninstrument()
    data: Any = reader.get_metrics_data()
    return sum(
        point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "mlmonitor.predictions"
        for point in metric.data.data_points
        if point.attributes["status"] == status
    )


@pytest.mark.parametrize(
    ("attribute", "call"),
    [
        ("predict", lambda module: module.predict({"age": 21.0})),
        ("Service.score", lambda module: module.Service.score({"age": 21.0})),
        ("Service.predict", lambda module: module.service.predict({"age": 21.0})["price"]),
        ("service.predict", lambda module: module.service.predict({"age": 21.0})["price"]),
        ("service", lambda module: module.service.predict({"age": 21.0})["price"]),
    ],
)
def test_a_call_of_the_named_callable_is_counted(
    attribute: str, call: Callable[[ModuleType], float], load: Load, reader: InMemoryMetricReader
) -> None:
    """It is a function, a method of any kind, or a model, and returns its own result."""
    module = load(attribute)
    assert call(module) == 42.0
    assert count_predictions(reader) == 1


def test_each_of_several_arguments_is_one_feature(load: Load, reader: InMemoryMetricReader) -> None:
    """`MLMONITOR_FEATURES` names them."""
    module = load("price", FEATURES="age,line")
    assert [module.price(age=21.0, line="home") for _ in range(3)] == [42.0] * 3
    assert count_predictions(reader) == 3


def test_an_exception_of_an_instrumented_service_passes_unchanged(
    load: Load, reader: InMemoryMetricReader
) -> None:
    """It is counted as an error."""
    module = load("fail")
    with pytest.raises(LookupError, match="4711"):
        module.fail({"age": 21.0})
    assert count_predictions(reader, "error") == 1


@pytest.mark.parametrize("attribute", ["predict", "service.predict", "Service.score"])
def test_uninstrumenting_restores_the_original_object(attribute: str, load: Load) -> None:
    """A class or an instance does not keep an attribute that it did not have."""
    module = load(attribute)
    owner = getattr(module, attribute.partition(".")[0]) if "." in attribute else module
    name = attribute.rpartition(".")[2]
    MonitorInstrumentor().uninstrument()
    assert not hasattr(getattr(owner, name), "__wrapped__")
    assert "predict" not in vars(module.service)


def test_modules_imported_after_uninstrumenting_are_not_watched(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The import hook of the module stays, but does nothing."""
    (tmp_path / "imported_late.py").write_text(SERVICE, encoding="utf-8")
    load("predict", WATCH="imported_late:predict")
    MonitorInstrumentor().uninstrument()
    late = importlib.import_module("imported_late")
    assert not hasattr(late.predict, "__wrapped__")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"WATCH": "predict"}, "MLMONITOR_WATCH"),
        ({"MODEL": ""}, "MLMONITOR_MODEL"),
        ({"FEATURES": "secret_column"}, "secret_column"),
        ({"REFERENCE": "/nowhere/at_all.json"}, "FileNotFoundError"),
        ({"WINDOW_ROW": "5"}, "MLMONITOR_WINDOW_ROW"),
    ],
)
def test_a_mistake_is_logged_and_the_service_runs_without_a_monitor(
    variables: dict[str, str], reason: str, load: Load, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither the import nor the call fails."""
    module = load("predict", **variables)
    assert module.predict({"age": 21.0}) == 42.0
    assert not hasattr(module.predict, "__wrapped__")
    assert reason in caplog.text
