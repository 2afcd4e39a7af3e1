"""A complete run over planted personal data: none of it leaves the process in any form."""

import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from opentelemetry.sdk.trace import TracerProvider

from mlmonitor import Config, Field, Monitor, Otlp, Reference
from mlmonitor.cli.main import main
from mlmonitor.formats.reference import CategoricalReference, NumericReference
from mlmonitor.status.status import Status
from mlmonitor.testing import InMemoryExporter, ManualClock, OtlpReceiver
from mlmonitor.testing.receiver.request_handler import RequestHandler
from support.event_recorder import EventRecorder
from support.references import fit_reference

ROWS = 400
PLANTED = "zq"
"""Every planted text begins with it; planted numbers are in `IDS` and nothing else is."""

IDS = np.random.default_rng(9).choice(np.arange(10_000_001, 99_999_999), 2 * ROWS, replace=False)
RARE = 4


class People(NamedTuple):
    """Rows of personal data, whose predictions and actuals also contain some."""

    features: dict[str, Any]
    predictions: dict[str, Any]
    actuals: list[str]


def people(first: int, rows: int = ROWS) -> People:
    """Draw rows of different persons; a few cities and words are frequent."""
    numbers = range(first, first + rows)
    rng = np.random.default_rng(first)
    rare = [f"{PLANTED}town{at // RARE}" for at in numbers]
    frequent = rng.choice(["north", "south"], rows).tolist()
    return People(
        {
            "name": [f"{PLANTED}Mary Smith{at}" for at in numbers],
            "email": [f"{PLANTED}.mary{at}@example.com" for at in numbers],
            "iban": [f"{PLANTED}NL91ABNA{at:010d}" for at in numbers],
            "customer": IDS[list(numbers)].tolist(),
            "customer_text": [f"{PLANTED}{at:08d}" for at in numbers],
            "comment": [f"{PLANTED}mary{at} called about {PLANTED}claim{at}" for at in numbers],
            "city": [
                t if at % 10 == 0 else f for at, t, f in zip(numbers, rare, frequent, strict=True)
            ],
            "age": rng.normal(45, 10, rows).tolist(),
        },
        {
            "prediction": rng.normal(size=rows).tolist(),
            "reason": [f"{PLANTED}because{at}" for at in numbers],
        },
        [f"{PLANTED}truth{at}" for at in numbers],
    )


def fitted(**options: Any) -> Reference:
    """Fit a reference to personal data."""
    data = people(0)
    return fit_reference(
        data.features,
        predictions=data.predictions,
        actuals=data.actuals,
        schema={"comment": "text"},
        segments=["city"],
        **options,
    )


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Return all bytes that receivers get, decompressed."""
    bodies: list[bytes] = []
    judge: Callable[..., Any] = RequestHandler._judge

    def judged(self: RequestHandler, head: Any, body: bytes) -> Any:
        bodies.append(body)
        return judge(self, head, body)

    monkeypatch.setattr(RequestHandler, "_judge", judged)
    return bodies


def assert_clean(where: str, text: str | bytes) -> None:
    """Assert that no planted text and no planted number occurs."""
    whole = text if isinstance(text, bytes) else text.encode()
    at = whole.find(PLANTED.encode())
    assert at < 0, f"{where}: {whole[max(at - 40, 0) : at + 40]!r}"
    for number in IDS.tolist():
        assert str(number).encode() not in whole, where
        assert np.float64(number).tobytes() not in whole, where  # as protobuf has a double


def test_no_planted_value_leaves_the_process_in_a_complete_run(
    wire: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reference file, exports over HTTP and gRPC, logs, reprs, status text and JSON."""
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "people.reference.json"
    reference = fitted()
    reference.save(path)
    memory, clock, alerts = InMemoryExporter(), ManualClock(), []
    live = people(ROWS)
    with OtlpReceiver() as over_http, OtlpReceiver(protocol="grpc") as over_grpc:
        with Monitor(
            "people",
            reference=Reference.load(path),
            segments=["city"],
            exporters=[
                Otlp.collector(over_http.url),
                Otlp.collector(over_grpc.url, protocol="grpc"),
                memory,
            ],
            on_alert=alerts.append,
            clock=clock,
        ) as monitor:
            for _ in range(5):
                monitor.record(live.features, live.predictions, ids=live.features["email"])
                monitor.label(live.features["email"], live.actuals)
            monitor.kpi("saved", 12.5)
            monitor.flush()
            status = monitor.status()
        assert over_http.ledger.total("mlmonitor.predictions")
        assert over_grpc.ledger.total("mlmonitor.predictions")
    assert alerts
    assert len(wire) >= 2
    for body in wire:
        assert_clean("wire", body)
    for form in (
        repr(status),
        str(status),
        repr(status.fields),
        repr(status.alerts),
        repr(status.to_dict()),
        status.to_json(),
        status._repr_html_(),
    ):
        assert_clean("status", form)
    assert_clean("alerts", repr([(alert, alert.reason) for alert in alerts]))
    assert_clean("memory", repr(memory.points if hasattr(memory, "points") else memory.__dict__))
    assert_clean("log", caplog.text)
    assert_clean("file", path.read_bytes())
    assert_clean(
        "reference", repr(reference) + repr(reference.content) + repr(reference.segment_names)
    )


CUSTOMERS, VISITS = 60, 20


def repeat_customers(first: int) -> People:
    """Return rows of customers who all return twenty times, and two contacts of a household."""
    rng = np.random.default_rng(first)
    who = rng.permutation(np.repeat(np.arange(first, first + CUSTOMERS), VISITS)).tolist()
    household = [at % 2 for at in who]
    return People(
        {
            "name": [f"{PLANTED}Mary Smith{at}" for at in who],
            "email": [f"{PLANTED}.mary{at}@example.com" for at in who],
            "household_email": [f"{PLANTED}.home{at}@example.com" for at in household],
            "phone": [f"+49 171 {IDS[at]}" for at in household],
            "card": [f"4111 1111 {IDS[at]}" for at in household],
            "comment": [f"{PLANTED} called again {at}" for at in who],
            "line": rng.choice(["motor", "home"], len(who)).tolist(),
        },
        {"prediction": rng.normal(size=len(who)).tolist()},
        [f"{PLANTED}.truth{at}@example.com" for at in who],
    )


def serve_customers(monitor: Monitor) -> None:
    """Record, observe and label new customers whose lines of business are e-mail addresses."""
    live = repeat_customers(CUSTOMERS)
    live.features["line"] = live.features["household_email"]
    ids = [f"{PLANTED}{at}" for at in range(len(live.actuals))]
    monitor.record(live.features, live.predictions, ids=ids)
    monitor.label(ids, live.actuals)
    first = {name: values[0] for name, values in live.features.items()}
    with monitor.observe(first, prediction_id=f"{PLANTED}.one@example.com") as prediction:
        prediction.value = 1.0
    monitor.label(f"{PLANTED}.one@example.com", live.actuals[0])
    monitor.flush()


def assert_all_clean(status: Status, wire: list[bytes], memory: InMemoryExporter, log: str) -> None:
    """Assert that no form of a status, no exported byte and no log line has a planted value."""
    assert wire
    for body in wire:
        assert_clean("wire", body)
    for form in (repr(status), str(status), status.to_json(), status._repr_html_()):
        assert_clean("status", form)
    assert_clean("memory", repr(memory.__dict__))
    assert_clean("log", log)


def test_returning_customers_are_as_private_as_those_with_one_row(
    wire: list[bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Twenty rows of one e-mail identify one person, whether at training or among new values."""
    caplog.set_level(logging.DEBUG)
    data = repeat_customers(0)
    reference = fit_reference(
        data.features,
        predictions=data.predictions,
        actuals=data.actuals,
        segments=["household_email"],
    )
    path = tmp_path / "customers.reference.json"
    reference.save(path)
    memory, clock, alerts = InMemoryExporter(), ManualClock(), []
    with (
        OtlpReceiver() as receiver,
        Monitor(
            "customers",
            reference=reference,
            segments=["household_email"],
            exporters=[Otlp.collector(receiver.url), memory],
            on_alert=alerts.append,
            clock=clock,
        ) as monitor,
    ):
        serve_customers(monitor)
        status = monitor.status()
    assert alerts
    assert status.field("line").quality["new_category"] > 1_000
    assert_all_clean(status, wire, memory, caplog.text)
    assert_clean("alerts", repr([(alert, alert.reason) for alert in alerts]))
    assert_clean("file", path.read_bytes())
    assert_clean("reference", repr(reference) + repr(reference.content))
    assert {"email", "household_email", "phone", "card", "actual"} <= set(reference.id_like)


class PlantedError(RuntimeError):
    """An error with a personal value in its message."""


def test_errors_and_traces_of_calls_hold_no_personal_value(
    wire: list[bytes], caplog: pytest.LogCaptureFixture
) -> None:
    """Failed calls, values that raise, and exemplars with the trace of the caller."""
    caplog.set_level(logging.DEBUG)
    data, trace_ids = people(0), set()
    memory = InMemoryExporter()
    with (
        OtlpReceiver() as receiver,
        Monitor(
            "people",
            reference=fitted(),
            exporters=[Otlp.collector(receiver.url), memory],
            clock=ManualClock(),
        ) as monitor,
    ):

        @monitor.watch(id_from="email")
        def predict(row: dict[str, Any]) -> float:
            if row["age"] > 45:
                raise PlantedError(f"{PLANTED}: no price for {row['email']}")
            return float(row["age"])

        tracer = TracerProvider(shutdown_on_exit=False).get_tracer("host")
        for at in range(50):
            row = {name: values[at] for name, values in data.features.items()}
            span = tracer.start_as_current_span(f"{PLANTED}span", attributes={"who": row["email"]})
            with contextlib.suppress(PlantedError), span as current:
                trace_ids.add(current.get_span_context().trace_id.to_bytes(16, "big"))
                predict(row)
        monitor.record({"age": [f"{PLANTED}{at}" for at in range(9)]}, np.zeros(9))
        monitor.record({"age": [1.0]}, [f"{PLANTED}Mary"])
        monitor.label([f"{PLANTED}nobody{at}" for at in range(9)], data.actuals[:9])
        monitor.flush()
        status = monitor.status()
    assert status.errors
    assert any(trace_id in body for trace_id in trace_ids for body in wire)
    assert_all_clean(status, wire, memory, caplog.text)
    assert_clean("last error", repr(status.last_error))


@pytest.mark.parametrize(("rows", "is_learned"), [(0, False), (ROWS, True)])
def test_no_planted_value_is_in_an_event(rows: int, *, is_learned: bool) -> None:
    """As a feature, output, actual, id or segment, in rows of training and in others."""
    recorder, clock, live = EventRecorder(), ManualClock(), people(rows)
    with Monitor(
        "people",
        reference=None if is_learned else fitted(),
        segments=["city"],
        schema={"comment": "text"},
        exporters=[],
        events=recorder,
        clock=clock,
        config=Config(baseline_rows=ROWS // 2),
    ) as monitor:
        monitor.record(live.features, live.predictions, ids=live.features["email"])
        monitor.label(live.features["email"], live.actuals)
        monitor.record_outcomes(live.predictions, live.actuals)
        predict = monitor.watch(lambda row: {"prediction": 1.0, "reason": row["name"]})
        for place in range(20):
            predict({name: column[place] for name, column in live.features.items()})
        monitor.flush()
    for message in recorder.messages:
        assert_clean("event", message)
    events = recorder.select("prediction")
    assert len(events) == ROWS + 20
    assert {"age", "city"} <= set(events[0]["features"])
    assert {event["features"]["city"] for event in events} >= {"north", "south", "__other__"}
    assert "comment.length" in events[0]["derived"]
    assert len(recorder.select("label")) == 2 * ROWS


def test_withheld_categories_are_still_counted_and_compared() -> None:
    """Every row is counted, and a flood of rare names is detected."""
    reference = fitted()
    entries = {entry.name: entry for entry in reference.content.fields}
    city = entries["city"]
    assert isinstance(city, CategoricalReference)
    assert sorted(city.categories) == ["north", "south"]
    assert city.counts[-1] == ROWS // 10
    assert sum(city.counts) == ROWS
    assert set(reference.segment_names) == {"north", "south", "__other__"}
    with Monitor("people", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        live = people(ROWS)
        live.features["city"] = [f"{PLANTED}village{at}" for at in range(ROWS)]
        monitor.record(live.features, live.predictions)
        status = monitor.status()
    assert status.field("city").has_alert
    assert status.field("city").quality["valid"] == ROWS


def test_id_fields_are_listed_whether_they_are_texts_or_numbers() -> None:
    """A reference tells which fields cannot be compared because they hold ids."""
    reference = fitted()
    assert {
        "name",
        "email",
        "iban",
        "customer",
        "customer_text",
        "prediction.reason",
        "actual",
    } <= set(reference.id_like)
    assert not {"age", "city", "prediction.prediction"} & set(reference.id_like)


def test_numeric_ids_are_compared_over_rounded_bins() -> None:
    """No edge, quantile or extreme equals the value of a row, and every row is in a bin."""
    entry = next(e for e in fitted().content.fields if e.name == "customer")
    assert isinstance(entry, NumericReference)
    assert entry.min is not None
    assert entry.max is not None
    kept = {*entry.edges, *entry.quantiles, entry.min, entry.max}
    assert not kept & {float(number) for number in IDS.tolist()}
    assert sum(entry.counts) == ROWS
    assert len(entry.edges) >= 5
    assert max(entry.counts) < ROWS / 3


def test_a_field_declared_public_keeps_all_its_names() -> None:
    """The user declares, for instance, that towns identify no person."""
    reference = fitted(fields=[Field("city", public=True)])
    entry = next(e for e in reference.content.fields if e.name == "city")
    assert isinstance(entry, CategoricalReference)
    assert entry.public
    assert f"{PLANTED}town0" in entry.categories + entry.others
    assert any(PLANTED in name for name in reference.segment_names)


def test_a_new_category_is_named_from_its_fifth_row_on() -> None:
    """A name with fewer rows might identify a person."""
    reference = fit_reference({"line": ["motor", "home"] * 100})
    with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
        monitor.record({"line": ["motor"] * 20 + ["boat"] * 5 + ["plane"] * 4}, np.zeros(29))
        field = monitor.status().field("line")
    assert [hit.name for hit in field.new_categories] == ["boat"]
    assert field.quality["new_category"] == 9


def test_the_privacy_of_a_saved_reference_is_shown_field_by_field(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The text says what is kept and what is withheld, without any value."""
    path = tmp_path / "people.reference.json"
    fitted().save(path)
    assert main(["reference", "show", "--privacy", str(path)]) == 0
    out = capsys.readouterr().out
    assert_clean("shown", out)
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    assert "0 of 400 names" in lines["email"]
    assert "of 400 rows: ids?" in lines["email"]
    assert "rounded bins" in lines["customer"]
    assert "2 of " in lines["city"]
    assert "of 40 rows" in lines["city"]
    assert "Bloom filter" in lines["comment"]
    assert all(len(line) <= 100 for line in out.splitlines())


def test_a_field_whose_names_are_all_withheld_states_their_number(tmp_path: Path) -> None:
    """The number identifies no one; older files that lack it show none."""
    names = [f"Jane Roe {number}" for number in range(300)]
    reference = fit_reference({"name": names, "line": ["home", "motor", "travel"] * 100})
    reference.save(tmp_path / "r.json")
    for loaded in (reference, Reference.load(tmp_path / "r.json")):
        with Monitor("m", reference=loaded, exporters=[]) as monitor:
            monitor.record({"name": names[:50], "line": ["home"] * 50}, None)
            status = monitor.status()
        for name, count in (("name", 300), ("line", 3)):
            training = status.field(name).training
            assert training is not None
            assert training.distinct == count
        assert "300 names" in str(status)
    content = reference.content.model_copy(
        update={
            "fields": [f.model_copy(update={"distinct": None}) for f in reference.content.fields]
        }
    )
    with Monitor("m", reference=Reference(content), exporters=[]) as monitor:
        status = monitor.status()
    numbers = [f.training.distinct for f in status.fields if f.training is not None]
    assert numbers == [None, 3]


def test_a_service_without_a_reference_learns_one_that_names_no_one() -> None:
    """The first rows become the reference under the same privacy rules."""
    data = people(0)
    memory = InMemoryExporter()
    config = Config(baseline_rows=200)
    with Monitor("people", exporters=[memory], clock=ManualClock(), config=config) as monitor:
        monitor.record(data.features, data.predictions)
        monitor.record(data.features, data.predictions)
        monitor.flush()
        status = monitor.status()
    assert status.field("city").count
    texts = repr(status) + str(status) + repr(memory.__dict__)
    names = [f"{PLANTED}Mary", f"{PLANTED}.mary", f"{PLANTED}NL91", f"{PLANTED}town"]
    assert not [name for name in names if name in texts]
