"""The health of the monitoring itself: destinations, losses, memory, labels, warnings."""

from collections.abc import Mapping
from dataclasses import dataclass

from mlmonitor.formatting import amount, counted, duration, join_counts
from mlmonitor.present.names import show_name
from mlmonitor.present.views.view_options import ModelReading
from mlmonitor.status.status import Status

_MOST = 10


@dataclass(frozen=True, slots=True)
class DestinationRow:
    """One destination: whether it accepts data, when it last did, and why it does not."""

    name: str
    is_well: bool
    state: str
    points: str
    reason: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; `needs_attention` marks what should be 0."""

    name: str
    value: str
    needs_attention: bool = False


@dataclass(frozen=True, slots=True)
class MonitoringPanel:
    """The facts that show whether the monitoring itself works."""

    summary: str
    destinations: tuple[DestinationRow, ...]
    facts: tuple[Fact, ...]


def build_monitoring_panel(reading: ModelReading) -> MonitoringPanel:
    """Build the panel, which the page shows in every state of the model."""
    status = reading.status
    destinations = tuple(_list_destinations(reading))
    facts = tuple(_list_facts(status))
    ill = [row.name for row in destinations if not row.is_well]
    if ill:
        summary = f"{ill[0]} does not accept" if len(ill) == 1 else f"{len(ill)} do not accept"
    elif any(fact.needs_attention for fact in facts):
        summary = "Something was lost or failed"
    else:
        summary = "Nothing was lost"
    return MonitoringPanel(summary, destinations, facts)


def _list_destinations(reading: ModelReading) -> list[DestinationRow]:
    rows = []
    for name, export in reading.snapshot.destinations.items():
        since = export.seconds_since_success
        state = "nothing accepted yet" if since is None else f"accepted {duration(since)} ago"
        rows.append(
            DestinationRow(
                show_name(name),
                export.is_well,
                state,
                join_counts(export.outcomes, most=_MOST) or "no points yet",
                "" if export.is_well else show_name(export.last_reason or ""),
            )
        )
    return rows + _list_sinks(reading.status)


def _list_sinks(status: Status) -> list[DestinationRow]:
    """Return rows for the event log and the webhooks, which count events instead of points."""
    rows = []
    if status.events is not None:
        lost = status.events.dropped + status.events.refused
        state = f"{counted(status.events.waiting)} waiting"
        outcomes = join_counts(dict(status.events.outcomes), most=_MOST)
        reason = show_name(status.events.last_error or "")
        rows.append(
            DestinationRow(show_name(status.events.sink), not lost, state, outcomes, reason)
        )
    for name, sent in status.notifications.items():
        counts = {"delivered": sent.delivered, "refused": sent.refused, "given up": sent.given_up}
        is_well = not (sent.refused or sent.given_up or sent.dropped)
        outcomes = join_counts({**counts, "dropped": sent.dropped}, most=_MOST)
        state, reason = f"{counted(sent.waiting)} waiting", show_name(sent.last_reason or "")
        rows.append(DestinationRow(show_name(name), is_well, state, outcomes, reason))
    return rows


def _list_facts(status: Status) -> list[Fact]:
    facts = [
        Fact("rows dropped", counted(status.dropped), bool(status.dropped)),
        Fact("internal errors", counted(status.internal_errors), bool(status.internal_errors)),
    ]
    if status.last_error is not None:
        facts.append(Fact("last error", show_name(status.last_error), needs_attention=True))
    facts.append(Fact("memory bounded by", f"{status.memory_bytes / 1024:,.0f} KiB"))
    labels = {name: count for name, count in status.labels.items() if count}
    facts.append(Fact("labels", join_counts(labels, most=_MOST) or "none"))
    if status.errors:
        facts.append(Fact("failed calls", _join(status.errors)))
    broken = {rule: count for rule, count in status.violations.items() if count}
    if broken:
        facts.append(Fact("rules broken", _join(broken), needs_attention=True))
    if status.absent_columns:
        names = _join(status.absent_columns)
        facts.append(Fact("rows without a declared column", names, needs_attention=True))
    if status.unknown_fields:
        names = _join(status.unknown_fields)
        facts.append(Fact("fields that the reference does not know", names))
    for caption, loose in (
        ("rules for unknown fields", status.unmatched_rules),
        ("ignored fields that never arrived", status.unused_ignores),
    ):
        if loose:
            more = f" and {amount(len(loose) - _MOST, 'more name')}" if len(loose) > _MOST else ""
            facts.append(Fact(caption, ", ".join(map(show_name, loose[:_MOST])) + more))
    return facts


def _join(counts: Mapping[str, int]) -> str:
    return join_counts(dict(sorted(counts.items(), key=lambda item: -item[1])), most=_MOST)
