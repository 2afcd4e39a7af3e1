"""Webhooks against a real HTTP server: what is sent, signed, retried, lost and kept secret."""

import base64
import itertools
import json
import logging
import os
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
import trustme
from cloudevents.v1.http import from_http
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from mlmonitor import Alert, Config, ConfigError, Incident, Monitor, Reference, Webhook
from mlmonitor.notify import notifier as notifiers
from mlmonitor.notify.cloudevents import build_event
from mlmonitor.notify.notifier import MOST_EVENTS, Notifier, choose_pause
from mlmonitor.notify.signature import SigningKeys
from mlmonitor.notify.webhook_sender import read_answer
from mlmonitor.records import Role
from support.hook_server import Hook, Reply, receive_hooks, wait_until

SECRET = "whsec_" + base64.b64encode(b"k" * 32).decode()
NOW = 1_700_000_000.0


def alert(field: str = "age", **changes: Any) -> Alert:
    """Return an alert on a field."""
    values: dict[str, Any] = {
        "field": field,
        "role": Role.FEATURE,
        "segment": "all",
        "measure": "psi",
        "value": 0.3,
        "current": 0.4,
        "threshold": 0.1,
        "log10_e_value": float("inf"),
        "state": "firing",
        "rows": 1_000,
        "started_at": NOW - 60,
        "reason": "above 60: 1% before, 20% now",
    }
    return Alert(**(values | changes))


def event(number: int = 0) -> Any:
    """Return one of many distinguishable events."""
    return build_event(alert(f"field {number}"), "claims", "7", now=NOW)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make retries follow one another as fast as the answers allow."""
    monkeypatch.setattr(notifiers, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(notifiers, "_LONGEST_PAUSE", 0.05)


@pytest.fixture
def notifier_of() -> Iterator[Any]:
    """Return a function that makes notifiers, all of which are closed after the test."""
    notifiers: list[Notifier] = []

    def make(url: str, *, clock: Callable[[], float] = time.monotonic, **options: Any) -> Notifier:
        notifiers.append(Notifier(Webhook(url, **options), clock=clock))
        return notifiers[-1]

    yield make
    for notifier in notifiers:
        notifier.close()


def test_an_event_can_be_read_with_the_cloudevents_library(notifier_of: Any) -> None:
    """It is sent in structured mode with the alert as data, and holds no NaN or infinity."""
    with receive_hooks() as server:
        notifier = notifier_of(server.url)
        notifier.put(event())
        (hook,) = server.wait_for(1)
        assert notifier.finish(timeout_seconds=5)
    assert hook.headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    read = from_http(hook.headers, hook.body)
    assert read["specversion"] == "1.0"
    assert read["type"] == "mlmonitor.alert.firing"
    assert read["source"] == "/mlmonitor/claims/7"
    assert read["subject"] == "feature/field 0/psi"
    assert read["time"] == "2023-11-14T22:13:20Z"
    assert read["id"] == hook.headers["webhook-id"]
    assert read.data["value"] == 0.3
    assert read.data["log10_e_value"] is None
    assert read.data["started_at"] == "2023-11-14T22:12:20Z"
    assert (read.data["model"], read.data["version"]) == ("claims", "7")


def test_an_incident_event_lists_twenty_alerts_and_counts_them_all() -> None:
    """The list is limited so that the size of an event is bounded."""
    members = tuple(alert(f"field {number}") for number in range(46))
    incident = Incident("46 fields changed", "inputs", "ask", members, NOW, "closed")
    document = json.loads(build_event(incident, "m", "", now=NOW).body)
    assert document["type"] == "mlmonitor.incident.closed"
    assert document["source"] == "/mlmonitor/m"
    assert (len(document["data"]["members"]), document["data"]["alerts"]) == (20, 46)


@pytest.mark.parametrize(
    "secret",
    [
        "fifteen letters",
        b"fifteen bytes!!",
        "whsec_" + base64.b64encode(b"k" * 15).decode(),
        [SECRET, "fifteen letters"],
    ],
)
def test_a_secret_shorter_than_16_bytes_is_refused(secret: Any) -> None:
    """A short secret can be guessed; the message names the remedy but not the secret."""
    with pytest.raises(ConfigError, match="secret: expected at least 16 bytes") as error:
        Webhook("https://example.com", secret=secret)
    assert "fifteen" not in str(error.value)
    Webhook("https://example.com", secret="sixteen letters.")  # noqa: S106 - of no receiver


@pytest.mark.parametrize(
    ("secret", "key"),
    [
        (SECRET, SECRET),
        (SECRET.rstrip("="), SECRET),
        (SECRET.removeprefix("whsec_"), SECRET),
        ("plain words, and enough", b"plain words, and enough"),
        (b"\x00\x01 of sixteen bytes", b"\x00\x01 of sixteen bytes"),
        (["the new signing key", "the old signing key"], b"the new signing key"),
        (["the new signing key", "the old signing key"], b"the old signing key"),
    ],
)
def test_a_signature_is_accepted_by_the_library_of_the_scheme(
    notifier_of: Any, secret: Any, key: Any
) -> None:
    """Any form of the secret works, and during a rotation either key does."""
    with receive_hooks() as server:
        notifier_of(server.url, secret=secret).put(event())
        (hook,) = server.wait_for(1)
    Verifier(key).verify(hook.body, hook.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(key).verify(hook.body + b" ", hook.headers)
    with pytest.raises(WebhookVerificationError):
        Verifier(b"another").verify(hook.body, hook.headers)


def test_requests_without_a_secret_are_not_signed(notifier_of: Any) -> None:
    """They still carry an id and a time."""
    with receive_hooks() as server:
        notifier_of(server.url, headers={"Authorization": "Bearer t"}).put(event())
        (hook,) = server.wait_for(1)
    assert "webhook-signature" not in hook.headers
    assert hook.headers["webhook-timestamp"].isdecimal()
    assert hook.headers["Authorization"] == "Bearer t"


FAULTS = [
    Reply(500),
    Reply(503, {"Retry-After": "0"}),
    Reply(429),
    Reply(408),
    Reply(0),
    Reply(204, seconds=0.6),  # later than the timeout
]


@pytest.mark.parametrize("fault", FAULTS, ids=[str(fault.status) for fault in FAULTS])
def test_a_transient_fault_is_retried_with_the_same_id_in_order(
    notifier_of: Any, fault: Reply
) -> None:
    """After three failures the event is accepted; the next event waits for it."""
    with receive_hooks(fault, fault, fault) as server:
        notifier = notifier_of(server.url, secret=SECRET, timeout_seconds=0.3)
        notifier.put(event(1))
        notifier.put(event(2))
        hooks = server.wait_for(5)
        assert notifier.finish(timeout_seconds=5)
    fields = [json.loads(hook.body)["data"]["field"] for hook in hooks]
    assert fields == ["field 1"] * 4 + ["field 2"]
    assert len({hook.headers["webhook-id"] for hook in hooks[:4]}) == 1
    for hook in hooks:
        Verifier(SECRET).verify(hook.body, hook.headers)
    status = notifier.status()
    assert (status.delivered, status.retries, status.waiting) == (2, 3, 0)
    assert status.last_reason is None


@pytest.mark.parametrize("status", [301, 307, 400, 401, 404, 410])
def test_a_final_answer_is_counted_and_the_next_event_is_sent(
    notifier_of: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Redirects are final, because following one could lead to another host."""
    with receive_hooks(Reply(status, {"Location": "http://127.0.0.1:9/"})) as server:
        notifier = notifier_of(server.url)
        with caplog.at_level(logging.WARNING):
            notifier.put(event(1))
            notifier.put(event(2))
            server.wait_for(2)
            wait_until(lambda: notifier.status().delivered)
    counts = notifier.status()
    assert (counts.delivered, counts.refused, counts.retries) == (1, 1, 0)
    assert f"events lost so far, 1: answered {status}" in caplog.text


def test_an_event_is_given_up_once_it_is_too_old(notifier_of: Any) -> None:
    """The clock advances by a second when the event is queued and after each attempt."""
    with receive_hooks(*[Reply(503)] * 200) as server:
        seconds = itertools.count()
        notifier = notifier_of(server.url, retry_seconds=3, clock=lambda: float(next(seconds)))
        notifier.put(event(1))
        wait_until(lambda: notifier.status().given_up)
    status = notifier.status()
    assert (status.given_up, status.waiting, status.retries) == (1, 0, 2)
    assert status.last_reason == "answered 503"


def test_a_receiver_that_is_down_is_retried_until_it_is_up(notifier_of: Any) -> None:
    """A refused connection counts as no answer, and no event is lost."""
    with receive_hooks() as server:
        url = server.url
    notifier = notifier_of(url)
    notifier.put(event())
    wait_until(lambda: notifier.status().retries >= 2)
    reason = notifier.status().last_reason
    assert reason is not None
    assert reason.startswith("no answer (Connect")
    assert "path-is-secret" not in reason


def test_a_full_queue_drops_the_oldest_events_and_counts_them(notifier_of: Any) -> None:
    """Queueing an event never blocks, however slow the receiver is."""
    with receive_hooks(*[Reply(503)] * 10_000) as server:
        notifier = notifier_of(server.url)
        for number in range(MOST_EVENTS + 50):
            notifier.put(event(number))
        status = notifier.status()
        assert (status.waiting, status.dropped) == (MOST_EVENTS, 50)
        notifier.close()
    assert notifier.status().dropped == MOST_EVENTS + 50
    notifier.put(event())
    assert notifier.status().dropped == MOST_EVENTS + 51


def test_events_of_types_that_were_not_requested_are_not_sent(notifier_of: Any) -> None:
    """A receiver may ask for verdicts alone."""
    notifier = notifier_of("http://127.0.0.1:9/", events=["verdict", "incident"])
    notifier.put(event())
    assert notifier.status().waiting == 0
    assert notifier._thread is None


def test_closing_shortens_the_pauses_between_retries(
    notifier_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pause of minutes or a dead receiver must not delay the end of the process."""
    monkeypatch.setattr(notifiers, "_FIRST_PAUSE", 500.0)
    monkeypatch.setattr(notifiers, "_LONGEST_PAUSE", 500.0)
    with receive_hooks(Reply(503)) as server:
        notifier = notifier_of(server.url)
        notifier.put(event())
        wait_until(lambda: notifier.status().retries == 1)
        assert notifier.finish(timeout_seconds=10)
    dead = notifier_of("http://127.0.0.1:9/")
    dead.put(event())
    threading.Timer(0.2, dead.close).start()
    assert not dead.finish(timeout_seconds=60)
    assert dead.status().dropped == 1


def test_pauses_double_with_jitter_up_to_a_limit_but_never_fall_below_retry_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The jitter draws from half of the pause to the whole of it."""
    monkeypatch.undo()
    random = Random(0)  # noqa: S311 - a test must repeat
    for attempts, longest in ((1, 0.5), (2, 1.0), (5, 8.0), (8, 60.0), (10_000, 60.0)):
        pauses = [choose_pause(attempts, 0.0, random) for _ in range(200)]
        assert longest / 2 <= min(pauses) < 0.6 * longest
        assert 0.9 * longest < max(pauses) <= longest
    assert choose_pause(1, 30.0, random) == 30.0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("Tue, 14 Nov 2023 22:13:50 GMT", 30.0),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0.0),
        ("1" * 500, 600.0),
        ("-3", 0.0),
        ("soon", 0.0),
        ("", 0.0),
    ],
)
def test_retry_after_may_be_seconds_or_a_date_and_is_bounded(text: str, seconds: float) -> None:
    """An invalid value is ignored."""
    assert read_answer(429, {"Retry-After": text}, now=NOW).wait_seconds == seconds


def test_webhooks_use_the_certificates_and_proxies_of_requests(
    notifier_of: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown certificate counts as no answer; an option or variable adds an authority."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(tls)
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(bundle)
    with receive_hooks(tls=tls) as server:
        unknown = notifier_of(server.url, retry_seconds=0.01)
        unknown.put(event())
        wait_until(lambda: unknown.status().given_up)
        assert unknown.status().last_reason == "no answer (SSLError)"
        trusting = notifier_of(server.url, ca_file=bundle)
        trusting.put(event())
        assert trusting.finish(timeout_seconds=10)
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
        by_variable = notifier_of(server.url)
        by_variable.put(event())
        assert by_variable.finish(timeout_seconds=10)
    with receive_hooks() as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        proxied = notifier_of("http://receiver.invalid/hook")
        proxied.put(event())
        assert proxied.finish(timeout_seconds=10)
        assert proxy.hooks[0].path == "http://receiver.invalid/hook"


def test_neither_the_secret_nor_the_path_of_the_url_is_shown(
    notifier_of: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Both are credentials and must not appear in a repr, a status, a log or an error."""
    with receive_hooks(Reply(404)) as server, caplog.at_level(logging.DEBUG, "mlmonitor"):
        options: dict[str, Any] = {"secret": "hush-hush-hush-hush", "headers": {"X-Key": "key-key"}}
        webhook = Webhook(server.url, **options)
        notifier = Notifier(webhook)
        notifier.put(event())
        wait_until(lambda: notifier.status().refused)
        notifier.close()
    shown = f"{webhook!r} {vars(webhook)} {webhook.keys!r} {notifier.status()} {caplog.text}"
    for hidden in ("hush-hush-hush-hush", "path-is-secret", "key-key"):
        assert hidden not in shown
    assert webhook.name.startswith("webhook 127.0.0.1:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"url": "example.com/secret-path"}, "url: expected an address"),
        ({"url": "ftp://example.com/secret-path"}, "url: expected an address"),
        ({"url": "https://"}, "url: expected an address"),
        ({"url": "https://example.com:port/secret-path"}, "url: expected an address"),
        ({"url": 3}, "url: expected an address"),
        ({"url": "https://user:secret-path@example.com/"}, "credentials in headers"),
        ({"url": "https://example.com/secret-path\u200b"}, "U\\+200B"),
        ({"secret": ""}, "secret: expected a text"),
        ({"secret": 5}, "secret: expected a text"),
        ({"secret": []}, "secret: expected at least one"),
        ({"secret": "whsec_not base64 secret-path"}, "secret: expected base64"),
        ({"secret": "whsec_"}, "secret: expected base64"),
        ({"events": ["alerts"]}, "events: expected some of alert, incident, verdict"),
        ({"events": "alert"}, "events"),
        ({"events": []}, "events"),
        ({"headers": {"webhook-id": "1"}}, "headers: webhook-id is set"),
        ({"headers": {"X": "secret-path\n"}}, "headers: X"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"timeout_seconds": True}, "timeout_seconds"),
        ({"retry_seconds": float("nan")}, "retry_seconds"),
    ],
)
def test_the_error_for_an_invalid_option_names_it_without_its_value(
    options: dict[str, Any], message: str
) -> None:
    """The message says what is expected; the value may be a credential."""
    with pytest.raises(ConfigError, match=message) as refused:
        Webhook(**({"url": "https://example.com/"} | options))
    assert "secret-path" not in str(refused.value)


@pytest.mark.parametrize("notify", ["https://example.com", [1], Webhook("https://example.com")])
def test_receivers_must_be_a_list_of_webhooks(notify: Any) -> None:
    """A single webhook or an address is refused, and the message shows an example."""
    with pytest.raises(ConfigError, match="notify: expected a list of webhooks"):
        Monitor("m", exporters=[], notify=notify)


def test_signing_keys_are_not_shown() -> None:
    """They appear neither in a repr nor among the variables of a traceback."""
    assert repr(SigningKeys(["a" * 16, "b" * 16])) == "SigningKeys(2 hidden)"


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Return a reference of one feature, which the prediction follows."""
    x = np.random.default_rng(0).normal(size=2_000)
    return Reference.fit(
        {"x": x},
        predictions=x,
        actuals=x + np.random.default_rng(1).normal(size=2_000),
        training_metrics={"mae": 0.8},
        thresholds="asymptotic",
    )


def kinds(hooks: list[Hook]) -> list[str]:
    """Return the types of the events received."""
    return [json.loads(hook.body)["type"] for hook in hooks]


def test_a_monitor_reports_alerts_incidents_and_verdicts(reference: Reference) -> None:
    """Each change is reported once, and all of them before the monitor is closed."""
    rng = np.random.default_rng(2)
    with receive_hooks() as server:
        with Monitor(
            "claims",
            version="7",
            reference=reference,
            exporters=[],
            notify=[Webhook(server.url, secret=SECRET)],
        ) as monitor:
            x = rng.normal(3, 1, 3_000)
            ids = list(map(str, range(3_000)))
            monitor.record({"x": x}, x, ids=ids)
            monitor.status()
            monitor.label(ids, rng.permutation(x) + 10 * rng.normal(size=3_000))
            monitor.flush(timeout_seconds=20)
        received = kinds(server.hooks)
        assert monitor.close()
        status = monitor.status()
    assert received.count("mlmonitor.verdict.retrain") == 1
    assert "mlmonitor.incident.open" in received
    assert "mlmonitor.alert.firing" in received
    (events,) = status.notifications.values()
    assert events.delivered == len(received)
    assert f"delivered {len(received)}" in str(status)
    assert json.loads(status.to_json())["notifications"]


def test_closing_logs_once_that_an_event_was_not_accepted(
    reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """`close` returns False within its timeout, and the event counts as dropped."""
    monitor = Monitor(
        "m", reference=reference, exporters=[], notify=[Webhook("http://127.0.0.1:9/hook")]
    )
    monitor.record({"x": np.full(3_000, 9.0)}, np.full(3_000, 9.0))
    monitor.flush(timeout_seconds=20)
    with caplog.at_level(logging.WARNING):
        assert not monitor.close(timeout_seconds=0.5)
    assert "closed with losses" in caplog.text
    assert monitor.status().notifications["webhook 127.0.0.1:9"].dropped > 0


def test_a_forked_child_sends_its_own_events_and_not_those_of_its_parent(
    reference: Reference,
) -> None:
    """The child has an empty queue and a thread of its own."""
    with receive_hooks() as server:
        monitor = Monitor("m", reference=reference, exporters=[], notify=[Webhook(server.url)])
        monitor.record({"x": np.full(3_000, 9.0)}, np.full(3_000, 9.0))
        monitor.flush(timeout_seconds=20)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                is_new = not sum(
                    notification.delivered + notification.waiting
                    for notification in monitor.status().notifications.values()
                )
                monitor.record({"x": np.full(3_000, 9.0)}, np.full(3_000, 9.0))
                code = 0 if is_new and monitor.close(timeout_seconds=20) else 1
            finally:
                os._exit(code)
        assert os.waitpid(child, 0)[1] == 0
        assert monitor.close()
        received = kinds(server.hooks)
    assert received.count("mlmonitor.incident.open") == 2


def test_a_disabled_monitor_sends_nothing() -> None:
    """It does not start a thread for its webhooks either."""
    monitor = Monitor(
        "m",
        exporters=[],
        notify=[Webhook("http://127.0.0.1:9/")],
        config=Config(enabled=False),
    )
    assert monitor.status().notifications == {}
    assert not [t for t in threading.enumerate() if t.name == notifiers.THREAD_NAME]
