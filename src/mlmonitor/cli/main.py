"""The command line: `mlmonitor doctor` and `mlmonitor reference show`."""

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import chain

from mlmonitor import doctor
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError, FormatError, MissingExtra
from mlmonitor.export.destinations import Otlp
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.reference.reference import Reference
from mlmonitor.status.reference_text import shown

OK, FAILED, WRONG = 0, 1, 2
"""Exit status: all is well; a check failed; the question itself was wrong."""

_DESTINATIONS = ("collector", "prometheus", "mimir", "grafana_cloud", "dynatrace", "environment")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except (ConfigError, FormatError, MissingExtra) as error:
        print(f"failed   configuration: {error}", file=sys.stderr)
        return WRONG
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        print(f"failed   file: {error.strerror or type(error).__name__}{where}", file=sys.stderr)
        return WRONG


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="mlmonitor", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    _add_doctor(commands.add_parser("doctor", help="try a destination with one point of each kind"))
    reference = commands.add_parser("reference", help="what a saved reference holds")
    of_reference = reference.add_subparsers(required=True, metavar="command")
    show = of_reference.add_parser("show", help="its fields, one a line")
    show.add_argument("file")
    show.set_defaults(run=_show)
    return parser


def _add_doctor(parser: argparse.ArgumentParser) -> None:
    parser.description = (
        "Checks the configuration, reaches the endpoint, sends one point of each kind, reads the "
        f"answers, and says how to mend what is wrong. The points are of a model called "
        f"{doctor.MODEL}. Tokens are read from --token-file or from the variables "
        "DYNATRACE_API_TOKEN and GRAFANA_CLOUD_TOKEN, never from the command line. "
        "Exit status: 0 all is well, 1 something is refused, 2 the configuration is wrong."
    )
    parser.add_argument("--destination", choices=_DESTINATIONS, required=True)
    parser.add_argument(
        "--url", help="base URL; not given, the destination's default if it has one"
    )
    parser.add_argument("--protocol", choices=("http/protobuf", "grpc"), default="http/protobuf")
    parser.add_argument("--tenant", help="of Mimir")
    parser.add_argument("--instance", help="of Grafana Cloud: the number on the stack's page")
    parser.add_argument("--token-file", help="file that holds the token")
    parser.add_argument("--ca-file", help="authority that the server's certificate is checked with")
    parser.add_argument("--proxy", help="URL of a proxy")
    parser.add_argument("--timeout-seconds", type=float, default=5.0)
    parser.add_argument("--reference", help="a saved reference: says how many series it makes")
    parser.add_argument("--segments", type=int, default=0, help="expected number of segments")
    parser.set_defaults(run=_doctor)


def _doctor(options: argparse.Namespace) -> int:
    config = Config.from_environment(os.environ)
    exporter = _exporter(options)
    print(doctor.Check("configuration", "ok", repr(exporter)))
    if not config.enabled:
        print(
            doctor.Check("switched off", "warning", "OTEL_SDK_DISABLED or MLMONITOR_ENABLED is set")
        )
    checks = doctor.trials(exporter)
    if options.reference:
        reference = Reference.load(options.reference)
        planned = doctor.check_plan(exporter, reference, segments=options.segments)
        checks = chain(checks, planned)
    try:
        return OK if doctor.told(checks, print) else FAILED
    finally:
        exporter.close(timeout_seconds=1.0)


def _exporter(options: argparse.Namespace) -> OtlpExporter:
    """The exporter that the options describe; each has a say only where it means something."""
    kind = options.destination
    if kind == "environment":
        found = Otlp.from_environment(os.environ)
        if found is None:
            raise ConfigError(
                "the standard variables name no endpoint: set OTEL_EXPORTER_OTLP_ENDPOINT"
            )
        return found
    given = {
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
        raise ConfigError("Otlp.dynatrace: takes no gRPC: leave --protocol out")
    if options.url is None and kind not in ("collector", "prometheus"):
        raise ConfigError(f"Otlp.{kind}: expected --url")
    where = [] if options.url is None else [options.url]
    made: OtlpExporter = getattr(Otlp, kind)(*where, **given, **own)
    return made


def _show(options: argparse.Namespace) -> int:
    print(shown(Reference.load(options.file)))
    return OK
