"""`mlmonitor doctor`: check that a destination accepts what this library sends."""

import argparse
import os
from itertools import chain
from typing import Any

from mlmonitor import doctor
from mlmonitor.cli.exit_status import FAILED, OK
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.export.destinations import Otlp
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.reference.reference import Reference

_DESTINATIONS = ("collector", "prometheus", "mimir", "grafana_cloud", "dynatrace", "environment")


def add_command(commands: Any) -> None:
    """Add `doctor` with its options."""
    parser = commands.add_parser("doctor", help="try a destination with one point of each kind")
    parser.description = (
        "Checks the configuration, reaches the endpoint, sends one point of each kind, reads the "
        "answers, and says how to fix what is wrong. The points belong to a model called "
        f"{doctor.MODEL}. Tokens are read from --token-file or from the variables "
        "DYNATRACE_API_TOKEN and GRAFANA_CLOUD_TOKEN, never from the command line. "
        "Exit status: 0 all is well, 1 something is refused, 2 the configuration is wrong."
    )
    parser.add_argument("--destination", choices=_DESTINATIONS, required=True)
    parser.add_argument("--url", help="base URL; by default the destination's, if it has one")
    parser.add_argument("--protocol", choices=("http/protobuf", "grpc"), default="http/protobuf")
    parser.add_argument("--tenant", help="tenant of Mimir")
    parser.add_argument("--instance", help="number on the page of the stack, for Grafana Cloud")
    parser.add_argument("--token-file", help="file that holds the token")
    parser.add_argument("--ca-file", help="certificate authority to check the server with")
    parser.add_argument("--proxy", help="URL of a proxy")
    parser.add_argument("--timeout-seconds", type=float, default=5.0)
    parser.add_argument("--reference", help="saved reference, to report how many series it makes")
    parser.add_argument(
        "--segments", type=int, help="expected number of segments; by default the reference's"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    warnings: list[str] = []
    config = Config.from_environment(os.environ, warn=warnings.append)
    try:
        exporter = _make_exporter(options, warnings)
    finally:
        for warning in warnings:
            print(doctor.Check("environment", "warning", warning))
    print(doctor.Check("configuration", "ok", repr(exporter)))
    if not config.enabled:
        switch = "OTEL_SDK_DISABLED or MLMONITOR_ENABLED is set"
        print(doctor.Check("switched off", "warning", switch))
    checks = doctor.try_destination(exporter)
    if options.reference:
        reference = Reference.load(options.reference)
        planned = doctor.check_plan(exporter, reference, segments=options.segments)
        checks = chain(checks, planned)
    try:
        return OK if doctor.report(checks, print) else FAILED
    finally:
        exporter.close(timeout_seconds=1.0)


def _make_exporter(options: argparse.Namespace, warnings: list[str]) -> OtlpExporter:
    """Make the exporter for the chosen destination from the options that apply to it."""
    kind = options.destination
    if kind == "environment":
        by_variables = Otlp.from_environment(os.environ, warn=warnings.append)
        if by_variables is None:
            raise ConfigError(
                "the standard variables name no endpoint: set OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        return by_variables
    common = {
        "timeout_seconds": options.timeout_seconds,
        "ca_file": options.ca_file,
        "proxy": options.proxy,
    }
    own = {
        "collector": {"protocol": options.protocol},
        "prometheus": {},
        "mimir": {"tenant": options.tenant},
        "grafana_cloud": {"instance": options.instance or "", "token_file": options.token_file},
        "dynatrace": {"token_file": options.token_file},
    }[kind]
    if kind == "dynatrace" and options.protocol == "grpc":
        raise ConfigError("Otlp.dynatrace: accepts no gRPC: leave --protocol out")
    if options.url is None and kind not in ("collector", "prometheus"):
        raise ConfigError(f"Otlp.{kind}: expected --url")
    urls = [] if options.url is None else [options.url]
    exporter: OtlpExporter = getattr(Otlp, kind)(*urls, **common, **own)
    return exporter
