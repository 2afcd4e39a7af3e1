"""Check that a destination accepts what this library sends, with one point of each kind."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.call_stats import LATENCY_BOUNDS_SECONDS
from mlmonitor.catalog import MetricSpec
from mlmonitor.errors import ExportError
from mlmonitor.export.base import Attributes, Family, Histograms, Series, Snapshot
from mlmonitor.export.otlp.attribute_limits import KEY_LIMIT, VALUE_LIMIT, legalize_value
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.series.budget import series_count
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.reference.reference import Reference

CheckResult = Literal["ok", "warning", "failed"]

MODEL = "mlmonitor-doctor"
"""The model name on every test point: easy to find, and different from real models."""

_AGE_SECONDS = 60.0  # since the test counters started
_SHOWN_NAMES = 5


class Check(NamedTuple):
    """One check: its result, its finding, and how to fix a problem."""

    name: str
    result: CheckResult
    finding: str
    fix: str = ""

    def __str__(self) -> str:
        fix = f"\n           -> {self.fix}" if self.fix else ""
        return f"{self.result:8} {self.name}: {self.finding}{fix}"


def try_destination(exporter: OtlpExporter, *, now: float | None = None) -> Iterator[Check]:
    """Send one point of each kind to the destination, and yield its answer to each.

    Each kind is a separate request, so a refusal concerns only one kind. Failures of the
    destination are yielded, not raised. now: the time of the points, in seconds since 1970.
    """
    then = time.time() if now is None else now
    instance = str(uuid.uuid4())
    for number, (kind, family) in enumerate(_make_families()):
        snapshot = Snapshot(
            instance=instance,
            service=MODEL,
            start_unix_ns=int((then - _AGE_SECONDS) * 1e9),
            time_unix_ns=int(then * 1e9) + number * 1_000_000,
            families=[family],
        )
        check = _try_kind(exporter, kind, snapshot)
        yield check
        if check.result == "failed" and (not _is_answer(check) or _is_final(check)):
            return  # the other kinds would fail for the same reason


def check_plan(
    exporter: OtlpExporter, reference: Reference, *, segments: int | None = None
) -> Iterator[Check]:
    """Check what a model with this reference would send: how many series, and which names change.

    segments: the largest expected number of segments; if None, the number in the reference.
    """
    own = reference.segment_values
    listed = sum(values is not None for values in own) if segments is None else segments
    populations = 2 + listed if listed else 1
    entries = reference.entries(tuple(Role))
    widths = [len(entry.counts) for entry in entries if isinstance(entry, NumericReference)]
    others = [len(entry.counts) for entry in entries if not isinstance(entry, NumericReference)]
    numeric, bins, categories = len(widths), max(widths, default=10), max(others, default=50)
    count = series_count(
        numeric=numeric,
        categorical=len(entries) - numeric,
        bins=bins,
        categories=categories,
        segments=listed,
        has_compared_rest=None in own,
    )
    yield Check(
        "series",
        "ok",
        f"at most {count:,} a process for {amount(numeric, 'numeric field')} and "
        f"{amount(len(entries) - numeric, 'categorical one')} in "
        f"{amount(populations, 'population')}, and about 110 more",
    )
    requests = -(-count // exporter.profile.limits.points)
    yield Check("requests", "ok", f"{requests:,} an export at most, within this backend's limits")
    changed = [entry.name for entry in entries if legalize_value(entry.name) != entry.name]
    if changed:
        shown = ", ".join(truncate(legalize_value(name), 40) for name in changed[:_SHOWN_NAMES])
        yield Check(
            "names",
            "warning",
            f"{amount(len(changed), 'field name')} sent in another spelling, such as {shown}",
            f"use names of 1 to {VALUE_LIMIT} printable characters; keys have up to {KEY_LIMIT}",
        )


def _try_kind(exporter: OtlpExporter, kind: str, snapshot: Snapshot) -> Check:
    try:
        delivered = exporter.send(snapshot)
    except ExportError as error:
        finding = str(error).removeprefix(f"{exporter!r}: ")  # the line above names it
        return Check(kind, "failed", finding, _find_fix(finding, exporter.name))
    if delivered.rejected or delivered.failed:
        fix = _find_fix(delivered.reason, exporter.name)
        return Check(kind, "failed", f"refused: {delivered.reason}", fix)
    if delivered.possibly_lost or delivered.possibly_doubled:
        return Check(kind, "warning", f"sent, but no answer arrived: {delivered.reason}")
    if delivered.reason:
        return Check(kind, "warning", f"stored, with a remark: {delivered.reason}")
    return Check(kind, "ok", f"{delivered.accepted} stored")


def _is_answer(check: Check) -> bool:
    """Whether the destination answered, even with a refusal."""
    return "status " in check.finding or check.finding.startswith("refused")


def _is_final(check: Check) -> bool:
    """Whether the next kind would be refused for the same reason."""
    return any(f"status {status}" in check.finding for status in (401, 403, 404))


_RECEIVERS = {
    "prometheus": "check the URL; Prometheus needs --web.enable-otlp-receiver",
    "mimir": "check the URL; Mimir receives at /otlp, or behind a gateway's own path",
    "grafana_cloud": "check the URL; it is the OTLP endpoint on the stack's page",
    "dynatrace": "check the URL; it is that of the environment, and /api/v2/otlp is added to it",
    "collector": "check the URL; the collector needs an otlp receiver with http, on port 4318",
}
_FIXES = (
    ("no host of this name", "check the spelling of the host, and this machine's DNS"),
    ("refused the connection", "start the server, or check the port"),
    ("CUMULATIVE", "this backend accepts deltas: use --destination dynatrace"),
    (
        "temporality",
        "this backend accepts totals: use --destination prometheus, mimir or collector",
    ),
    (
        "BUCKET",
        "enable the ingest of complete explicit bucket histograms",
    ),
    ("out of order", "allow late samples: out_of_order_time_window: 30m"),
    ("the port of gRPC", "use port 4318, or --protocol grpc"),
    ("proxy", "check the proxy: --proxy, or HTTP_PROXY, HTTPS_PROXY and NO_PROXY"),
    ("there is no file", "correct the path in the variable or option named"),
    ("401", "give a valid token: --token-file, or the backend's variable"),
    ("403", "give the token the permission to write metrics"),
    ("certificate", "give the authority that signed it: --ca-file"),
)


def _find_fix(finding: str, destination: str) -> str:
    if "status 404" in finding:
        return _RECEIVERS.get(destination, _RECEIVERS["collector"])
    return next((fix for sign, fix in _FIXES if sign in finding), "")


def _make_families() -> Iterator[tuple[str, Family]]:
    """Yield one point of each kind that the library sends."""
    identity: Attributes = (("model.name", MODEL), ("model.version", "0"))
    field: Attributes = (*identity, ("field", "example"), ("role", "feature"))
    one = np.ones(1, np.int64)
    yield "counter", _build_numbers(catalog.PREDICTIONS, (*identity, ("status", "ok")), one)
    yield "gauge", _build_numbers(catalog.MEAN, field, np.array([-1.5]))
    yield (
        "durations",
        _build_histogram(catalog.DURATION, identity, LATENCY_BOUNDS_SECONDS, np.array([0.5])),
    )
    bounds = (-1.0, 0.0, 1.0)
    yield "distribution", _build_histogram(catalog.DISTRIBUTION, field, bounds, np.array([np.nan]))
    yield "categories", _build_numbers(catalog.BIN, (*field, ("bin", "a category, spelt ü")), one)


def _build_numbers(metric: MetricSpec, attributes: Attributes, values: Floats | Counts) -> Family:
    return Family(metric, Series([attributes]), values)


def _build_histogram(
    metric: MetricSpec, attributes: Attributes, bounds: Sequence[float], sums: Floats
) -> Family:
    counts = np.zeros((1, len(bounds) + 1), np.int64)
    counts[0, 1] = 1
    ends = np.array([bounds[0]]), np.array([bounds[1]])
    return Family(metric, Series([attributes]), Histograms((tuple(bounds),), counts, sums, *ends))


def report(checks: Iterator[Check], write: Callable[[str], object]) -> bool:
    """Write each check as soon as it is made; return False if any has failed."""
    is_well = True
    for check in checks:
        write(str(check))
        is_well = is_well and check.result != "failed"
    return is_well
