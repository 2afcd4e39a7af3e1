"""The live page over ASGI: what it answers, what it refuses, and what it costs when idle."""

import gzip
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from mlmonitor import Challenger, Config, Monitor, Objective
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import short
from mlmonitor.integrations.asgi import page
from mlmonitor.present.names import field_id, segment_id
from mlmonitor.present.page.host_check import split_host
from mlmonitor.present.renderer import load_environment
from mlmonitor.records import Role
from mlmonitor.testing import ManualClock
from support.cases import short_form
from support.html_checks import Document
from support.references import fit_reference
from support.shown_models import (
    HOSTILE,
    claims_reference,
    draw_claims,
    hostile_monitor,
    shifted_monitor,
    wide_monitor,
)

PARTS = {
    "challengers",
    "count",
    "field",
    "fields",
    "incidents",
    "kpis",
    "masthead",
    "models",
    "monitoring",
    "performance",
    "prediction",
    "why",
}


@pytest.fixture(scope="module")
def shifted() -> Iterator[Monitor]:
    """Return a monitor whose last twenty minutes have shifted."""
    with shifted_monitor() as monitor:
        yield monitor


@pytest.fixture
def client(shifted: Monitor) -> TestClient:
    """Return a client of the page of the shifted model."""
    return TestClient(page(shifted))


def parts_of(client: TestClient, query: str = "") -> dict[str, str]:
    """Return the parts of the snapshot of a page."""
    parts: dict[str, str] = client.get(f"/snapshot.json{query}").json()["parts"]
    return parts


def test_the_page_starts_with_the_verdict_before_any_chart(client: TestClient) -> None:
    """Incidents with advice follow, then the fields with the drifted ones first."""
    html = client.get("/").text
    document = Document(html)
    assert document.problems == []
    text = document.text
    assert "claims-severity" in text
    assert "Look" in text
    assert html.index('class="verdict alert"') < html.index("<svg")
    fields = Document(parts_of(client)["fields"])
    assert "limit" in fields.text
    assert "3 fields as trained, folded away: show" in fields.text
    assert "customer_age" not in fields.text


def test_a_snapshot_has_all_parts_as_fragments(client: TestClient) -> None:
    """Each fragment is well-formed on its own; the models are listed with their state."""
    snapshot = client.get("/snapshot.json").json()
    assert snapshot["schema"] == 1
    assert set(snapshot["parts"]) == PARTS
    assert [(m["model"], m["version"], m["state"]) for m in snapshot["models"]] == [
        ("claims-severity", "7", "alert")
    ]
    for name, html in snapshot["parts"].items():
        assert Document(html).problems == [], name


def test_a_challenger_has_a_card_on_the_page_and_in_the_report(tmp_path: Path) -> None:
    """It shows the decision in words, the difference with its limit, and the counts."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    ids = [f"r{row}" for row in range(300)]
    reference = fit_reference({"x": x}, predictions=x, actuals=x)
    challengers = [Challenger("8"), Challenger("<b>9</b>")]
    options = {"reference": reference, "challengers": challengers}
    with Monitor("m", version="7", exporters=[], **options) as monitor:
        monitor.record({"x": x}, x + rng.normal(size=300), ids=ids)
        monitor.record_challenger("8", x, ids=ids)
        monitor.label(ids, x)
        card = parts_of(TestClient(page(monitor)))["challengers"]
        report = monitor.report(tmp_path / "report.html").read_text(encoding="utf-8")
    for html in (card, report):
        document = Document(html)
        assert document.problems == []
        assert "The challenger is better, decided after 300 labels." in document.text
        assert "absolute loss of the challenger minus that of the champion" in document.text
        assert "decides at 1.30" in document.text
        assert "300 both. Labels: matched 300." in document.text
        assert "<b>9</b> against 7" in document.text


def test_an_unchanged_page_is_not_sent_twice(client: TestClient) -> None:
    """A request with the ETag of the first answer gets 304 without a body."""
    first = client.get("/snapshot.json")
    again = client.get("/snapshot.json", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    other = client.get("/snapshot.json?all=1", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_new_rows_change_the_etag_of_the_snapshot() -> None:
    """Otherwise a browser would keep showing old numbers."""
    clock = ManualClock()
    with Monitor("m", reference=claims_reference(), exporters=[], clock=clock) as monitor:
        tags = set()
        for _ in range(2):
            claims = draw_claims(np.random.default_rng(0), 50)
            monitor.record(claims, claims["limit"])
            tags.add(TestClient(page(monitor)).get("/snapshot.json").headers["ETag"])
    assert len(tags) == 2


def test_a_snapshot_is_compressed_for_clients_that_ask_for_it(client: TestClient) -> None:
    """The decompressed text equals the uncompressed one."""
    plain = client.get("/snapshot.json", headers={"Accept-Encoding": "identity"})
    with client.stream("GET", "/snapshot.json", headers={"Accept-Encoding": "gzip"}) as packed:
        body = b"".join(packed.iter_raw())
    assert packed.headers["Content-Encoding"] == "gzip"
    assert len(body) < len(plain.content) / 3
    assert json.loads(gzip.decompress(body))["parts"] == plain.json()["parts"]


def test_every_answer_forbids_what_the_page_does_not_need(client: TestClient) -> None:
    """The headers rule out foreign and inline scripts, inline style, caching and sniffing."""
    for address in ("/", "/snapshot.json", "/page.css", "/page.js"):
        headers = client.get(address).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_is_read_only(client: TestClient) -> None:
    """Only GET and HEAD are answered."""
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert client.request(method, "/").status_code == 405
    assert client.head("/").status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "evil.example:80", "127.0.0.1.evil", "", "["]
)
def test_a_foreign_host_is_refused(client: TestClient, host: str) -> None:
    """Another site may have rebound its name to this address."""
    for address in ("/", "/snapshot.json", "/page.js"):
        answer = client.get(address, headers={"Host": host})
        assert answer.status_code == 421, address
        assert "claims" not in answer.text


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:8808", "127.0.0.1:80", "[::1]:8808", "10.1.2.3", "testserver"]
)
def test_a_host_that_cannot_be_rebound_is_served(client: TestClient, host: str) -> None:
    """These are names of this machine, IP addresses, and the address that got the request."""
    assert client.get("/", headers={"Host": host}).status_code == 200


def test_a_host_listed_in_allowed_hosts_is_served(shifted: Monitor) -> None:
    """Port and case are ignored, and `*` allows every host."""
    named = TestClient(page(shifted, allowed_hosts=["claims.internal"]))
    assert named.get("/", headers={"Host": "Claims.Internal:8443"}).status_code == 200
    assert named.get("/", headers={"Host": "other.internal"}).status_code == 421
    anyone = TestClient(page(shifted, allowed_hosts=["*"]))
    assert anyone.get("/", headers={"Host": "other.internal"}).status_code == 200


def test_the_port_is_removed_from_a_host_header() -> None:
    """The header may hold a name or an IPv4 or IPv6 address."""
    texts = ("a.example:80", "[::1]:80", "127.0.0.1", "A.example.", " a ")
    hosts = ["a.example", "::1", "127.0.0.1", "a.example", "a"]
    assert [split_host(text) for text in texts] == hosts


@pytest.mark.parametrize("kind", [FastAPI, Starlette])
def test_the_page_can_be_mounted_in_an_app(shifted: Monitor, kind: Any) -> None:
    """Its links are relative, so they work under any prefix."""
    if kind is FastAPI:
        app: Any = FastAPI()
        app.mount("/ops/monitor", page(shifted))
    else:
        app = Starlette(routes=[Mount("/ops/monitor", page(shifted))])
    client = TestClient(app)
    answer = client.get("/ops/monitor")
    assert answer.status_code == 200
    assert str(answer.url).endswith("/ops/monitor/")
    assert 'href="./page.css"' in answer.text
    for name in ("page.css", "page.js", "snapshot.json"):
        assert client.get(f"/ops/monitor/{name}").status_code == 200


def test_one_page_shows_several_models(shifted: Monitor) -> None:
    """Each model has a link with its verdict; the selected one is shown."""
    with hostile_monitor() as other:
        client = TestClient(page(shifted, other))
        first, second = (Document(client.get(f"/?m={place}").text) for place in range(2))
        assert HOSTILE[0] in first.text
        assert "claims-severity" in second.text
        assert len(client.get("/snapshot.json?m=1").json()["models"]) == 2
        assert client.get("/?m=7").status_code == 200
        assert client.get("/?m=x").status_code == 200


def test_a_page_needs_a_monitor() -> None:
    """The mistake is reported before anything is served."""
    with pytest.raises(ConfigError, match="one or more monitors"):
        page()
    with pytest.raises(ConfigError, match="one or more monitors"):
        page("claims")  # type: ignore[arg-type]


def test_hostile_names_are_escaped_on_the_page() -> None:
    """No name opens an element, an attribute or a template, on the page or in its details."""
    with hostile_monitor() as monitor:
        client = TestClient(page(monitor))
        html = client.get("/?all=1").text
        links = {v for _, name, v in Document(html).attributes if name == "data-field"}
        assert len(links) == len(HOSTILE) + 2
        for text in (html, *(client.get(f"/?all=1&field={link}").text for link in links)):
            document = Document(text)
            assert document.problems == []
            assert document.find_active() == []
            assert document.tags.count("script") == 1
            assert "\u202e" not in text
            assert "\x00" not in text
        assert HOSTILE[0] in Document(html).text
        assert HOSTILE[4] in Document(html).text


@pytest.mark.parametrize(
    "query",
    [
        "q=<script>",
        "q=%00",
        "sort=none",
        "segment=x",
        "field=x",
        "q=" + "a" * 5_000,
        "m=99999",
        "all=2",
    ],
)
def test_the_query_of_the_page_is_escaped_as_text(client: TestClient, query: str) -> None:
    """Parameters of a link only select; they are never inserted as markup."""
    answer = client.get(f"/?{query}")
    assert answer.status_code == 200
    assert Document(answer.text).problems == []
    assert "<script>" not in answer.text.replace("<script src", "")


def test_the_list_of_fields_is_filtered_and_sorted(client: TestClient) -> None:
    """The filter is a part of the name in any case; every order is tested."""
    assert "customer_age" in parts_of(client, "?q=CUSTOMER")["fields"]
    assert "limit" not in Document(parts_of(client, "?q=customer")["fields"]).text
    assert "No field has this" in parts_of(client, "?q=nothing")["fields"]
    names = [
        value
        for _, attribute, value in Document(
            parts_of(client, "?all=1&sort=name")["fields"]
        ).attributes
        if attribute == "data-name"
    ]
    assert names == sorted(name or "" for name in names)
    by_drift = Document(parts_of(client, "?all=1&sort=drift")["fields"]).attributes
    assert next(value for _, name, value in by_drift if name == "data-name") == "line"


def test_changed_and_important_fields_are_listed_first(client: TestClient) -> None:
    """Fields with an alert precede those without."""
    document = Document(parts_of(client, "?all=1")["fields"])
    states = [v for tag, name, v in document.attributes if (tag, name) == ("tr", "class")]
    assert states == sorted(states, key=lambda state: state != "alert")
    assert states[0] == "alert"
    assert states[-1] == "calm"


def test_a_field_is_shown_in_full(client: TestClient) -> None:
    """Distribution, time course, quantiles, distances and numbers beside those at training."""
    link = field_id(Role.FEATURE, "limit")
    detail = Document(parts_of(client, f"?field={link}")["field"])
    assert detail.problems == []
    for phrase in ("Distribution", "PSI beyond chance", "Mean of limit", "at training", "drift"):
        assert phrase in detail.text, phrase


def test_a_categorical_field_shows_its_shares_over_time(client: TestClient) -> None:
    """The title names the category that changed most, and the table holds the shares."""
    link = field_id(Role.FEATURE, "line")
    html = parts_of(client, f"?field={link}")["field"]
    detail = Document(html)
    assert detail.problems == []
    assert "Mix over time: travel from 2" in detail.text
    (figure,) = [part for part in html.split("<figure") if "Mix over time" in part]
    rows = [re.findall(r"<td>([\d.]+)%</td>", row) for row in figure.split("<tr>")]
    sums = [sum(map(float, cells)) for cells in rows if cells]
    assert len(sums) > 10
    np.testing.assert_allclose(sums, 100, atol=0.1)


@pytest.mark.parametrize("is_lost_first", [True, False])
def test_a_categorical_field_without_values_in_a_part_of_the_window_is_shown(
    *, is_lost_first: bool
) -> None:
    """Its shares are compared over the parts that have values."""
    rng = np.random.default_rng(0)
    lines = rng.choice(["home", "motor"], 400)
    reference = fit_reference({"line": lines}, predictions=np.zeros(400))
    clock = ManualClock(1_700_006_400.0)
    config = Config(window_seconds=86_400, window_slices=12, export_interval_seconds=86_400)
    with Monitor("m", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        for part in range(12):
            is_lost = (part < 6) == is_lost_first
            monitor.record({"line": [None] * 40 if is_lost else lines[:40]}, np.zeros(40))
            monitor.status()
            clock.advance(7_200)
        link = field_id(Role.FEATURE, "line")
        detail = Document(parts_of(TestClient(page(monitor)), f"?field={link}")["field"])
    assert detail.problems == []
    assert "Mix over time: motor from" in detail.text


def test_incidents_are_named_once_beside_the_charts_of_a_field(client: TestClient) -> None:
    """Every chart marks the incidents with lines; a single legend explains them."""
    html = parts_of(client, f"?field={field_id(Role.FEATURE, 'limit')}")["field"]
    assert html.count('<path class="mark" d="M10') == html.count('<p class="marks">') == 1
    assert html.count('<path class="mark" d="M') > 3


@pytest.mark.parametrize(("count", "in_a_row"), [(1, 1), (7, 7), (8, 4), (9, 5), (15, 5)])
def test_tiles_are_arranged_in_rows_of_equal_length(count: int, in_a_row: int) -> None:
    """With up to seven tiles in a row, the last row never holds a single tile."""
    macros = load_environment("page").get_template("parts.html.j2").module
    assert macros.row_class(count) == f"row-{in_a_row}"


def test_performance_is_shown_beside_training_and_objectives(client: TestClient) -> None:
    """Each measure has its interval and training value, and cohorts their labelled share."""
    text = Document(parts_of(client)["performance"]).text
    assert "MAE" in text
    assert "160 at training" in text
    assert "50% labelled" in text
    assert "By limit" in text


def test_the_explanation_of_a_shift_names_the_feature_that_moved(client: TestClient) -> None:
    """It shows the shift of the mean and the shares of the shifted feature."""
    assert "the mix of limit alone makes" in Document(parts_of(client)["why"]).text


def test_a_model_is_not_read_while_no_one_views_its_page(shifted: Monitor) -> None:
    """Simultaneous viewers share one reading."""
    reads = []
    app = page(shifted)
    original = shifted._worker.read

    def read(**options: Any) -> Any:
        reads.append(options)
        return original(**options)

    shifted._worker.read = read  # type: ignore[method-assign]
    try:
        client = TestClient(app)
        assert reads == []
        for _ in range(5):
            client.get("/snapshot.json")
        assert reads == [{"with_history": True}]
    finally:
        del shifted._worker.read  # type: ignore[method-assign]


def learning_monitor() -> Monitor:
    """Return a monitor that is still learning its reference."""
    monitor = Monitor("m", exporters=[])
    monitor.record({"a": [1.0, 2.0]}, [1.0, 2.0])
    return monitor


def one_row_monitor() -> Monitor:
    """Return a monitor with a single row that lacks some fields."""
    monitor = Monitor("m", reference=claims_reference(), exporters=[])
    monitor.record({"limit": [1.0], "line": ["home"]}, [1.0])
    return monitor


def closed_monitor() -> Monitor:
    """Return a monitor that has been closed."""
    monitor = Monitor("m", reference=claims_reference(), exporters=[])
    monitor.close()
    return monitor


STATES: dict[str, tuple[Callable[[], Monitor], str]] = {
    "waiting": (lambda: Monitor("m", exporters=[]), "No predictions yet"),
    "disabled": (
        lambda: Monitor("m", exporters=[], config=Config(enabled=False)),
        "Monitoring is switched off",
    ),
    "learning": (learning_monitor, "2 of 1,000 rows so far"),
    "one row": (one_row_monitor, "over 1 row"),
    "no rows": (
        lambda: Monitor("m", reference=claims_reference(), exporters=[]),
        "No predictions in this window",
    ),
    "closed": (closed_monitor, "The monitor is closed"),
}


@pytest.mark.parametrize("state", STATES)
def test_the_page_renders_in_every_state_of_a_model(state: str) -> None:
    """A sentence states what is available, and the document is well-formed."""
    build, sentence = STATES[state]
    with build() as monitor:
        document = Document(TestClient(page(monitor)).get("/?all=1").text)
    assert document.problems == []
    assert sentence in document.text


@pytest.mark.parametrize("fields", short_form([500, 100], 100))
def test_five_hundred_fields_fit_on_a_page(fields: int) -> None:
    """Fields without change are folded; with all unfolded the compressed snapshot stays small."""
    with wide_monitor(fields) as monitor:
        client = TestClient(page(monitor))
        document = Document(client.get("/").text)
        assert document.problems == []
        assert fields / 10 <= sum(name == "data-name" for _, name, _ in document.attributes) < 100
        with client.stream("GET", "/snapshot.json?all=1") as answer:
            size = len(b"".join(answer.iter_raw()))
        assert size < 500 * fields


def test_an_internal_error_is_answered_without_its_text(
    shifted: Monitor, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The text may hold a personal value; answer and log contain only the type."""

    def fail(**_options: Any) -> Any:
        raise ValueError("customer 4711")

    monkeypatch.setattr(shifted._worker, "read", fail)
    client = TestClient(page(shifted))  # which raises what an app raises
    for address in ("/", "/snapshot.json"):
        answer = client.get(address)
        assert answer.status_code == 500
        assert "4711" not in answer.text + caplog.text
    assert "ValueError" in caplog.text


def classifier_monitor(*, has_labels: bool) -> Monitor:
    """Return a classifier in two segments with an objective; its last third has shifted."""
    rng, clock = np.random.default_rng(0), ManualClock()

    def draw(rows: int, shift: float) -> tuple[dict[str, Any], Any, Any]:
        x, region = rng.normal(shift, 1, rows), rng.choice(["north", "south"], rows)
        p = 1 / (1 + np.exp(-1.5 * x))
        actual = np.where(rng.random(rows) < p, "yes", "no")
        return {"x": x, "region": region}, np.column_stack([1 - p, p]), actual

    features, scores, actuals = draw(2_000, 0.0)
    reference = fit_reference(
        features,
        predictions=scores,
        output="probabilities",
        classes=["no", "yes"],
        actuals=actuals,
        segments=["region"],
    )
    monitor = Monitor(
        "churn",
        reference=reference,
        segments=["region"],
        exporters=[],
        clock=clock,
        objectives=[Objective("accuracy", minimum=0.99)],
    )
    for minute in range(30):
        features, scores, actuals = draw(60, 1.0 if minute >= 20 else 0.0)
        ids = [f"{minute}-{place}" for place in range(60)]
        monitor.record(features, scores, output="probabilities", names=["no", "yes"], ids=ids)
        monitor.status()
        if has_labels:
            monitor.label(ids, actuals.tolist())
        clock.advance(60)
    return monitor


def test_a_classifier_shows_confusion_calibration_and_objectives() -> None:
    """Estimates with their assumptions accompany realised measures; the objective is violated."""
    with classifier_monitor(has_labels=True) as monitor:
        document = Document(parts_of(TestClient(page(monitor)))["performance"])
    assert document.problems == []
    for phrase in ("Actual classes", "Calibration", "at least 0.99", "broken", "estimated"):
        assert phrase in document.text, phrase
    assert "Estimates assume that a score means the same probability" in document.text


def test_cohorts_show_realised_and_estimated_values_on_one_axis() -> None:
    """Text alternative and table hold both values; cohorts still receiving labels say so."""
    with classifier_monitor(has_labels=True) as monitor:
        html = parts_of(TestClient(page(monitor)))["performance"]
        (cohort,) = monitor.status().cohorts
    chart = html[html.index("by time of prediction") :]
    realised, estimated = cohort.performance["accuracy"], cohort.estimated["accuracy"]
    label = chart.split('role="img" aria-label="')[1].split('"')[0]
    values = [short(value) for measure in (realised, estimated) for value in measure[:3]]
    assert label.split(": ", 1)[1] == (
        "realised {} ({} to {}), estimated {} ({} to {}), ".format(*values)
        + "100% labelled, labels still arrive"
    )
    for part in ('class="dot young"', 'class="diamond"', 'class="interval estimated"'):
        assert part in chart, part
    table = chart.split("<table")[1].split("</table>")[0]
    assert "accuracy estimated" in table
    assert table.count("<td>") == 8
    assert all(f"<td>{value}</td>" in table for value in values)
    assert Document(html).problems == []


def test_estimates_are_shown_before_the_first_label() -> None:
    """They are marked as estimates."""
    with classifier_monitor(has_labels=False) as monitor:
        text = Document(parts_of(TestClient(page(monitor)))["performance"]).text
    assert "No label has arrived" in text
    assert "estimated" in text


def test_a_segment_is_shown_on_its_own() -> None:
    """Only its rows count, and the page has a selector of segments."""
    with classifier_monitor(has_labels=True) as monitor:
        client = TestClient(page(monitor))
        name = next(iter(monitor.status().segments))
        assert f">{name}</option>" in client.get("/").text
        whole = parts_of(client, "?all=1")["fields"]
        link = segment_id(name)
        part = parts_of(client, f"?all=1&segment={link}")["fields"]
        detail = parts_of(client, f"?field={field_id(Role.FEATURE, 'x')}")["field"]
    assert "numeric, 1,800" in Document(whole).text
    assert "numeric, 1,800" not in Document(part).text
    assert "By segment" in Document(detail).text
