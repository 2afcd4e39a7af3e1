"""`mlmonitor load`: copy events from Kafka into the store until stopped."""

import argparse
import gc
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.cli.store.loader_metrics import LoaderMetrics
from mlmonitor.cli.store.store_command import add_database, require_database, waiting_refused
from mlmonitor.errors import ConfigError
from mlmonitor.events.kafka import TOPIC
from mlmonitor.export.destinations import Otlp
from mlmonitor.store.load.consumer import client_settings
from mlmonitor.store.load.file_loader import load_files
from mlmonitor.store.load.health_server import HealthServer
from mlmonitor.store.load.loader import Loader, LoaderStopped, LoadOptions

_LETTERS = ".dead-letters"
_GARBAGE_THRESHOLDS = 200_000, 20, 20
"""Make garbage collection rare: events have no cycles, and looking for any costs 20% of the CPU."""


def add_command(commands: Any) -> None:
    """Add `load` with its options."""
    parser = commands.add_parser("load", help="events from Kafka into the store")
    parser.description = (
        "Loads a topic of events into PostgreSQL, each event exactly once. Start as many instances "
        "as the topic has partitions. On SIGTERM it stores what was read and leaves the group. "
        "Exit status: 0 stopped or idle, 1 the database refuses to load, 2 the configuration is "
        "wrong."
    )
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--brokers", help="HOST:PORT, several separated by commas")
    source.add_argument("--files", type=Path, help="a folder of finished files; loads them once")
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--group", default="mlmonitor")
    add_database(parser)
    parser.add_argument(
        "--until-idle",
        type=float,
        metavar="SECONDS",
        help="stop when nothing arrives for this many seconds",
    )
    parser.add_argument(
        "--property",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of librdkafka, such as security.protocol=ssl; repeatable",
    )
    parser.add_argument(
        "--property-file", help="file of such settings, one per line; for passwords"
    )
    parser.add_argument("--batch", type=int, default=10_000, help="most events per transaction")
    parser.add_argument(
        "--dead-letter-topic", help=f"by default TOPIC{_LETTERS}; an empty name for none"
    )
    parser.add_argument("--schema-registry", help="URL; for events in Avro")
    parser.add_argument("--health-port", type=int, help="serve /livez and /readyz on 127.0.0.1")
    parser.add_argument("--otlp", help="collector's URL; by default OTEL_EXPORTER_OTLP_ENDPOINT")
    parser.add_argument("--otlp-interval", type=float, default=60.0, metavar="SECONDS")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    if options.files is not None:
        return _load_folder(options)
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    loader = Loader(_read_options(options))
    with ExitStack() as stack:
        stack.enter_context(_rare_collections())
        if options.health_port is not None:
            server = HealthServer(loader, options.health_port)
            stack.callback(server.close)
        exporter = (
            Otlp.collector(options.otlp) if options.otlp else Otlp.from_environment(os.environ)
        )
        if exporter is not None:
            metrics = LoaderMetrics(loader, exporter, interval_seconds=options.otlp_interval)
            stack.callback(metrics.close)
        stack.enter_context(_stop_at_signals(loader))
        return _run_loader(loader)


@contextmanager
def _rare_collections() -> Iterator[None]:
    """Collect garbage rarely, and restore the collector: a caller may go on afterwards.

    What a caller had frozen stays frozen, together with what is frozen here.
    """
    thresholds, was_frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    gc.freeze()
    gc.set_threshold(*_GARBAGE_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
        if not was_frozen:
            gc.unfreeze()


def _load_folder(options: argparse.Namespace) -> int:
    with waiting_refused():
        counts = load_files(
            options.files,
            group=options.group,
            database=require_database(options),
            batch_messages=options.batch,
        )
    print(f"loaded   {counts.events:,} events, {counts.dead:,} dead letters")
    return OK


def _run_loader(loader: Loader) -> int:
    """Run a loader with progress on a terminal; return the exit status."""
    progress = _Progress(loader) if sys.stderr.isatty() else None
    try:
        with waiting_refused():
            loader.run(report=progress or (lambda: None))
    except LoaderStopped as error:
        print(f"failed   {error}", file=sys.stderr)
        return FAILED
    finally:
        if progress is not None:
            progress.finish()
    return OK


def _read_options(options: argparse.Namespace) -> LoadOptions:
    if options.batch < 1:
        raise ConfigError("--batch: expected at least 1")
    properties = list(options.property)
    if options.property_file:
        with open(options.property_file, encoding="utf-8") as file:  # noqa: PTH123 - read line by line
            lines = (line.strip() for line in file)
            properties += [line for line in lines if line and not line.startswith("#")]
    letters = options.dead_letter_topic
    return LoadOptions(
        kafka=client_settings(options.brokers, properties),
        topic=options.topic,
        group=options.group,
        database=require_database(options),
        until_idle_seconds=options.until_idle,
        batch_messages=options.batch,
        dead_letter_topic=(options.topic + _LETTERS if letters is None else letters) or None,
        schema_registry=options.schema_registry,
    )


@contextmanager
def _stop_at_signals(loader: Loader) -> Iterator[None]:
    """Stop the loader at SIGTERM and SIGINT; a second signal ends the process immediately."""
    previous: dict[int, Any] = {}

    def stop(number: int, _frame: object) -> None:
        loader.stop()
        signal.signal(number, previous[number] or signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        previous[int(number)] = signal.signal(number, stop)
    try:
        yield
    finally:
        for restored, handler in previous.items():
            signal.signal(restored, handler)


class _Progress:
    """A progress line on the terminal, rewritten at most four times a second."""

    _INTERVAL_SECONDS = 0.25

    def __init__(self, loader: Loader, clock: Callable[[], float] = time.monotonic) -> None:
        self._loader, self._clock = loader, clock
        self._started_at, self._shown_at = clock(), 0.0

    def __call__(self) -> None:
        if self._clock() - self._shown_at >= self._INTERVAL_SECONDS:
            self._show()

    def finish(self) -> None:
        """Show the final counts and end the line."""
        self._show()
        print(file=sys.stderr)

    def _show(self) -> None:
        self._shown_at = self._clock()
        counts = self._loader.counts
        rate = counts.events / max(self._shown_at - self._started_at, 1e-9)
        text = f"{counts.events:,} events loaded, {rate:,.0f}/s, {self._loader.lag:,} to go"
        text += f", {counts.replayed:,} replayed" if counts.replayed else ""
        text += f", {counts.dead:,} dead letters" if counts.dead else ""
        text += ", database down" if not self._loader.is_connected and self._loader.outages else ""
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
