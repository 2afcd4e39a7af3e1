"""One run of the demo: start the servers, replay the claims, stop the servers, print results."""

import math
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

import httpx

import claims
import event_store
import report
import services
from event_store import EventStore
from replay import Replay, ReplayError, agenda, shifted
from sink import Received, Sink
from snapshot import Snapshot

START_AND_STOP_SECONDS = 14.0
LEAST_REPLAY_SECONDS = 3.0
CLAIMS_A_SECOND = 260
ARRIVAL_SECONDS = 5.0

# Both windows are a whole year with all seasons: the year up to the shift, and the last year.
BEFORE = (date(2014, 10, 1), claims.SHIFT_DATE)
AFTER = (date(2016, 1, 1), claims.LIVE[1])
WINDOW_DAYS = 365


class Outcome(NamedTuple):
    """The numbers that the client sent, and the monitor's status at the end of each period."""

    predictions: int
    labels: int
    snapshots: dict[date, Snapshot]


def replay_seconds(environ: Mapping[str, str]) -> float:
    """Return the part of `DEMO_SECONDS` that is left for the replay.

    Raises:
        ValueError: the variable is not a number above 0.
    """
    try:
        total = float(environ.get("DEMO_SECONDS", "60"))
    except ValueError:
        total = 0.0
    if not 0 < total < float("inf"):
        raise ValueError("DEMO_SECONDS: expected a number of seconds above 0")
    return max(total - START_AND_STOP_SECONDS, LEAST_REPLAY_SECONDS)


def play(
    client: httpx.Client, live: list[claims.Claim], store: EventStore, *, day_seconds: float
) -> Outcome:
    """Replay all events, and read the monitor's status at the start and end of both windows."""
    replay, progress = Replay(client, live), report.Progress(sys.stdout)
    events = agenda(live)
    snapshots: dict[date, Snapshot] = {}
    since = events[0].day
    for until in (claims.LIVE[0], *BEFORE, *AFTER, events[-1].day + timedelta(days=1)):
        if since == claims.SHIFT_DATE:
            progress.clear()
            print(f"           inflation begins with claims reported from {since} on")
        # Claims that are already open are sent at once, and so are the closures after the last
        # report.
        pace = day_seconds if claims.LIVE[0] <= since < claims.LIVE[1] else 0.0
        for event in replay.play(events, since=since, until=until, day_seconds=pace):
            done = (replay.predictions + replay.labels) / len(events)
            progress.show(
                done,
                day=event.day,
                predictions=replay.predictions,
                labels=replay.labels,
                stored=store.count,
            )
        snapshots[until] = status(client)
        since = until
    progress.clear()
    return Outcome(replay.predictions, replay.labels, snapshots)


def status(client: httpx.Client) -> Snapshot:
    """Read the current status of the service's monitor."""
    return Snapshot.model_validate(client.get("/status.json").raise_for_status().json())


def run(folder: Path, *, environ: Mapping[str, str]) -> int:
    """Run the whole demo, with its files in `folder`; return the exit status."""
    try:
        is_served = environ.get("DEMO_SERVE", "") not in ("", "0")
        return _run(folder, seconds=replay_seconds(environ), is_served=is_served)
    except (ValueError, OSError, ReplayError, httpx.HTTPError, services.ServiceFailed) as error:
        print(f"\nthe demo failed: {error}", file=sys.stderr)
        return 1


def _run(folder: Path, *, seconds: float, is_served: bool) -> int:
    started, inflation = time.monotonic(), claims.Inflation()
    day_seconds = seconds / (claims.LIVE[1] - claims.LIVE[0]).days
    every = claims.live(claims.load(claims.prism_path()))
    live = shifted(every[:: math.ceil(len(every) / (seconds * CLAIMS_A_SECOND))], inflation)
    with ExitStack() as stack:
        sink = stack.enter_context(Sink())
        collector, otlp = services.collector(folder, forward_to=sink.address)
        stack.enter_context(collector)
        brokers, store = stack.enter_context(event_store.start(folder))
        app, address = services.app(folder, environ=_settings(folder, otlp, brokers, day_seconds))
        stack.enter_context(app)
        verdicts = stack.enter_context(services.verdicts(folder))
        announce(otlp, brokers, address)
        print(
            f"replay     {len(live):,} of {len(every):,} claims since {claims.LIVE[0]}, in "
            f"{seconds:.0f} s"
        )
        with httpx.Client(base_url=address, timeout=30.0) as client:
            outcome = play(client, live, store, day_seconds=day_seconds)
            sent = keep_serving(client, live, day_seconds=day_seconds) if is_served else 0
            outcome = outcome._replace(predictions=outcome.predictions + sent)
        app.stop()  # sends its last export before it ends
        wait_for(sink.received, outcome.predictions)
        stored, judged = store.wait_for(outcome.predictions, outcome.labels), verdicts.read()
        collector.stop()
    exit_status = tell(outcome, sink.received, stored, inflation, judged)
    more = (
        "" if is_served else f"; DEMO_SERVE=1 make demo leaves the page at {address}/monitor/ open"
    )
    print(f"\nended after {time.monotonic() - started:.0f} s{more}")
    return exit_status


def announce(otlp: str, brokers: str, address: str) -> None:
    """Print the addresses of all servers."""
    print(f"event log  noida-db {version('noida-db')} at {brokers}, loaded into PostgreSQL 18")
    print(f"collector  rotel {version('rotel')}, OTLP/HTTP at {otlp}")
    print(f"service    claim severity, trained on early claims, at {address}")
    print(f"page       {address}/monitor/ shows the model live; drift begins halfway")


def keep_serving(client: httpx.Client, live: list[claims.Claim], *, day_seconds: float) -> int:
    """Send the claims of the last year again and again, until Ctrl-C; return how many.

    A thread sends them, so that Ctrl-C does not interrupt a request, and every claim is counted.
    """
    print(f"page       still at {client.base_url}/monitor/: Ctrl-C ends it")
    since, until = AFTER
    reports = [event for event in agenda(live) if not event.is_closure]
    ended = threading.Event()
    replay = Replay(client, live, sleep=ended.wait)

    def send() -> None:
        while not ended.is_set():
            for _ in replay.play(reports, since=since, until=until, day_seconds=day_seconds):
                if ended.is_set():
                    return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        while sender.is_alive():
            time.sleep(0.2)
    except KeyboardInterrupt:
        print()
    ended.set()
    sender.join()
    return replay.predictions


def wait_for(received: Received, predictions: int) -> None:
    """Wait until the collector has passed on all predictions, or for `ARRIVAL_SECONDS`."""
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while received.total("mlmonitor.predictions") < predictions and time.monotonic() < deadline:
        time.sleep(0.05)


def tell(
    outcome: Outcome,
    received: Received,
    stored: Mapping[str, int],
    inflation: claims.Inflation,
    judged: str,
) -> int:
    """Print statuses, verdicts and receipts; return the exit status, 0 if nothing is missing."""
    (before_opens, before), (after_opens, after) = (
        (outcome.snapshots[since], outcome.snapshots[until]) for since, until in (BEFORE, AFTER)
    )
    print(
        f"\nWhat the monitor saw, as distances from training. Before: "
        f"{before.window_rows:,} claims of the year\nup to {BEFORE[1]}. After: "
        f"{after.window_rows:,} claims of the year up to {AFTER[1]}, with losses\n"
        f"at {inflation.losses:.0%} and limits at {inflation.limits:.0%} of what they were.\n"
    )
    print(report.comparison(before, after))
    print(f"\nAlarms before\n\n{report.alerts(before)}")
    print(f"\nAlarms after\n\n{report.alerts(after)}\n")
    print(report.errors(before.errors_since(before_opens), after.errors_since(after_opens)))
    print(f"\n{judged.rstrip()}")
    print(f"\nWhat the collector received and passed on\n\n{report.receipt(received)}")
    checks = {
        "predictions": (outcome.predictions, received.total("mlmonitor.predictions", status="ok")),
        "labels": (outcome.labels, received.total("mlmonitor.labels", status="matched")),
    }
    rows = ", ".join(f"{count:,} {table}" for table, count in stored.items())
    print(f"\nWhat the loader wrote into the event store\n\n  rows: {rows}")
    checks["rows of predictions"] = (outcome.predictions, stored["prediction"])
    checks["rows of labels"] = (outcome.labels, stored["label"])
    checks["dead letters"] = (0, stored["dead_letter"])
    for name, (sent, arrived) in checks.items():
        verdict = "equal" if sent == arrived else "NOT EQUAL"
        print(f"  {name}: {sent:,} sent by the client, {arrived:,} received: {verdict}")
    return 0 if all(sent == arrived for sent, arrived in checks.values()) else 1


def _settings(folder: Path, otlp: str, brokers: str, day_seconds: float) -> dict[str, str]:
    return {
        "CLAIMS_COLLECTOR": otlp,
        "CLAIMS_BROKERS": brokers,
        "CLAIMS_REFERENCE": str(folder / "claims.reference.json"),
        "CLAIMS_WINDOW_SECONDS": str(WINDOW_DAYS * day_seconds),
        "CLAIMS_EXPORT_SECONDS": str(max(30 * day_seconds, 0.25)),
    }
