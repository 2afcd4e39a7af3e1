"""Whether a destination takes what this library sends: tried, one point of each kind."""

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor import catalog
from mlmonitor.aggregate.call_stats import LATENCY_BOUNDS_SECONDS
from mlmonitor.catalog import Metric
from mlmonitor.errors import ExportError
from mlmonitor.export.base import Attributes, Family, Histograms, Series, Snapshot
from mlmonitor.export.otlp.attribute_limits import KEY_LIMIT, VALUE_LIMIT, legalize_value
from mlmonitor.export.otlp.exporter import OtlpExporter
from mlmonitor.export.series.budget import series_count
from mlmonitor.formats.reference import NumericReference
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.reference.reference import Reference

Verdict = Literal["ok", "warning", "failed"]

MODEL = "mlmonitor-doctor"
"""The model's name on every point of a trial: easily found, and told apart from real ones."""

_AGE_SECONDS = 60.0  # counters of a trial began so long ago
_SHOWN_NAMES = 5


class Check(NamedTuple):
    """One thing that was looked at: how it is, and how to mend it where it is not well."""

    name: str
    verdict: Verdict
    told: str
    mend: str = ""

    def __str__(self) -> str:
        mend = f"\n           -> {self.mend}" if self.mend else ""
        return f"{self.verdict:8} {self.name}: {self.told}{mend}"


def trials(exporter: OtlpExporter, *, now: float | None = None) -> Iterator[Check]:
    """Send one point of each kind to the destination, and say what it answered to each.

    Each kind is a request of its own, so that a refusal tells which kind it is of. Raises nothing
    for what the other side does. now: seconds since 1970; the points are stamped with it.
    """
    then = time.time() if now is None else now
    instance = str(uuid.uuid4())
    for at, (kind, family) in enumerate(_families()):
        snapshot = Snapshot(
            instance=instance,
            service=MODEL,
            start_unix_ns=int((then - _AGE_SECONDS) * 1e9),
            time_unix_ns=int(then * 1e9) + at * 1_000_000,
            families=[family],
        )
        check = _tried(exporter, kind, snapshot)
        yield check
        if check.verdict == "failed" and (not _is_answer(check) or _is_final(check)):
            return  # whoever cannot be reached, or knows no such caller or path, is asked once


def check_plan(exporter: OtlpExporter, reference: Reference, *, segments: int) -> Iterator[Check]:
    """What a model with this reference would send there: how many series, and which names change.

    segments: how many segments are expected at most, the whole not counted.
    """
    entries = reference.entries(tuple(Role))
    widths = [len(entry.counts) for entry in entries if isinstance(entry, NumericReference)]
    others = [len(entry.counts) for entry in entries if not isinstance(entry, NumericReference)]
    numeric, bins, categories = len(widths), max(widths, default=10), max(others, default=50)
    count = series_count(
        numeric=numeric,
        categorical=len(entries) - numeric,
        bins=bins,
        categories=categories,
        segments=segments + 1,
    )
    yield Check(
        "series",
        "ok",
        f"at most {count:,} a process for {amount(numeric, 'numeric field')} and "
        f"{amount(len(entries) - numeric, 'categorical one')} in "
        f"{amount(segments + 1, 'population')}, and about 70 more",
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


def _tried(exporter: OtlpExporter, kind: str, snapshot: Snapshot) -> Check:
    try:
        delivered = exporter.send(snapshot)
    except ExportError as error:
        told = str(error).removeprefix(f"{exporter!r}: ")  # it stands in the line above
        return Check(kind, "failed", told, _mend(told, exporter.name))
    if delivered.rejected or delivered.failed:
        return Check(
            kind, "failed", f"refused: {delivered.reason}", _mend(delivered.reason, exporter.name)
        )
    if delivered.possibly_lost:
        return Check(kind, "warning", f"sent, but no answer came: {delivered.reason}")
    if delivered.reason:
        return Check(kind, "warning", f"taken, with a remark: {delivered.reason}")
    return Check(kind, "ok", f"{delivered.accepted} taken")


def _is_answer(check: Check) -> bool:
    """Whether the destination said something, and not just nothing at all."""
    return "status " in check.told or check.told.startswith("refused")


def _is_final(check: Check) -> bool:
    """Whether the next kind would be refused for the same reason."""
    return any(f"status {status}" in check.told for status in (401, 403, 404))


_RECEIVERS = {
    "prometheus": "check the URL; Prometheus needs --web.enable-otlp-receiver",
    "mimir": "check the URL; Mimir receives at /otlp, or behind a gateway's own path",
    "grafana_cloud": "check the URL; it is the OTLP endpoint on the stack's page",
    "dynatrace": "check the URL; it is that of the environment, and /api/v2/otlp is added to it",
    "collector": "check the URL; the collector needs an otlp receiver with http, on port 4318",
}
_MENDS = (
    ("no host of this name", "check the spelling of the host, and the DNS that this machine asks"),
    ("refused the connection", "start the server, or check the port"),
    ("CUMULATIVE", "this backend takes deltas: use --destination dynatrace"),
    ("temporality", "this backend takes totals: use --destination prometheus, mimir or collector"),
    (
        "BUCKET",
        "switch on the ingest of complete explicit bucket histograms",
    ),
    ("out of order", "allow late samples: out_of_order_time_window: 30m"),
    ("401", "give a valid token: --token-file, or the backend's variable"),
    ("403", "give the token the permission to write metrics"),
    ("certificate", "give the authority that signed it: --ca-file"),
)


def _mend(told: str, destination: str) -> str:
    if "status 404" in told:
        return _RECEIVERS.get(destination, _RECEIVERS["collector"])
    return next((mend for sign, mend in _MENDS if sign in told), "")


def _families() -> Iterator[tuple[str, Family]]:
    """One point of each kind that the library sends."""
    known: Attributes = (("model.name", MODEL), ("model.version", "0"))
    field: Attributes = (*known, ("field", "example"), ("role", "feature"))
    one = np.ones(1, np.int64)
    yield "counter", _numbers(catalog.PREDICTIONS, (*known, ("status", "ok")), one)
    yield "gauge", _numbers(catalog.MEAN, field, np.array([-1.5]))
    yield "durations", _histogram(catalog.DURATION, known, LATENCY_BOUNDS_SECONDS, np.array([0.5]))
    bounds = (-1.0, 0.0, 1.0)
    yield "distribution", _histogram(catalog.DISTRIBUTION, field, bounds, np.array([np.nan]))
    yield "categories", _numbers(catalog.BIN, (*field, ("bin", "a category, spelt ü")), one)


def _numbers(metric: Metric, attributes: Attributes, values: Floats | Counts) -> Family:
    return Family(metric, Series([attributes]), values)


def _histogram(
    metric: Metric, attributes: Attributes, bounds: Sequence[float], sums: Floats
) -> Family:
    counts = np.zeros((1, len(bounds) + 1), np.int64)
    counts[0, 1] = 1
    ends = np.array([bounds[0]]), np.array([bounds[1]])
    return Family(metric, Series([attributes]), Histograms((tuple(bounds),), counts, sums, *ends))


def told(checks: Iterator[Check], say: Callable[[str], object]) -> bool:
    """Say each check as it is made; whether none has failed."""
    is_well = True
    for check in checks:
        say(str(check))
        is_well = is_well and check.verdict != "failed"
    return is_well
