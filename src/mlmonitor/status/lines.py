"""Alerts and other findings as lines of a printed status."""

from collections.abc import Mapping, Sequence
from textwrap import fill, wrap

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import (
    DEPENDENCE_ADVICE,
    OWN_NAMES,
    SELF_EXPLANATORY,
    Alert,
)
from mlmonitor.compare.drift.decomposition import Shift
from mlmonitor.compare.event_status import EventStatus
from mlmonitor.compare.objectives.objective_status import ObjectiveStatus
from mlmonitor.compare.snapshot import TrainingInfo
from mlmonitor.formatting import (
    amount,
    day,
    duration,
    join_counts,
    moment,
    short,
    signed,
    truncate,
    wide,
)
from mlmonitor.status.field_table import WIDTH
from mlmonitor.verdict.verdict import Verdict

NAMED = 10
"""Number of names that a line lists; the others are counted."""

NAME_COLUMNS = 24
"""Width of a field's name, in columns of a terminal."""

_REASON_COLUMNS = 400

_ADVICE = {
    "new_category": "a new spelling or a new code? correct it upstream, or fit a new reference",
    "missing": "ask who fills this field",
    "wrong_type": "the type changed upstream",
    "nonfinite": "look for divisions by zero and overflows upstream",
    "out_of_range": "check the unit of this field, and whether new kinds of rows are scored",
    "constant": "the field may be stuck or filled with a default upstream",
    "vanished": "the field is no longer filled: its name or its source may have changed",
    "new_field": "if the model uses it, fit a new reference; otherwise ignore it",
}


def fit_line(line: str) -> str:
    """Wrap a line to the width of a terminal; indent the continuation lines."""
    if wide(line) <= WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return fill(line, WIDTH, subsequent_indent=indent, drop_whitespace=True)


def alert_lines(alerts: Sequence[Alert]) -> list[str]:
    """List firing alerts, each with its value when it fired, its current value and its reason."""
    if not alerts:
        return []
    lines = [f"{amount(len(alerts), 'alert')} firing; 'now' covers the rows since each change"]
    for alert in alerts[:NAMED]:
        since = f"since {moment(alert.started_at)} UTC"
        lines += [f"  {alert_title(alert)}", f"    {since}; {alert.reason}"]
        lines += [f"    {advice}" for advice in [_ADVICE.get(alert.measure)] if advice]
    more = len(alerts) - NAMED
    lines += [f"  and {more} more"] if more > 0 else []
    is_known = all(alert.is_dependence_known for alert in alerts)
    return lines if is_known else [*lines, f"  dependence unknown: {DEPENDENCE_ADVICE}"]


def alert_title(alert: Alert) -> str:
    """Name the field and measure of an alert, its value when it fired and its current value.

    For drift and defects, the current value covers the rows since the change.
    """
    is_named = alert.field in (alert.role.value, *OWN_NAMES)
    who = alert.field if is_named else f"{alert.role.value} {alert.field}"
    where = "" if alert.segment == ALL else f" in {alert.segment}"
    title = f"{truncate(who, 40)}{truncate(where, 40)}: {alert.measure}"
    if alert.measure in SELF_EXPLANATORY:
        return title
    if alert.has_limit:
        then = f"{short(alert.value)} over {amount(alert.rows, 'row')} when it fired"
        return f"{title} {then}, {short(alert.current)} now; limit {short(alert.threshold)}"
    then = f"{alert.value:.3f} over {amount(alert.rows, 'row')}{alert.worth} when it fired"
    return f"{title} {then}, {alert.current:.3f} now; threshold {alert.threshold:.3f}"


def objective_lines(objectives: Sequence[ObjectiveStatus]) -> list[str]:
    """List the declared objectives with their current values, and whether each is met."""
    if not objectives:
        return []
    words = {None: "not known yet", True: "met", False: "NOT MET"}
    texts = [
        f"{objective.objective} ({short(objective.value)}, {words[objective.is_met]})"
        for objective in sorted(objectives, key=lambda objective: objective.is_met is not False)
    ]
    return [f"objectives: {join_names(texts)}"]


def ids_lines(names: Sequence[str]) -> list[str]:
    """List the fields whose values are different in almost every row."""
    line = f"ids? not compared: {join_names(names)}; declare it as text, or ignore it"
    return [line] if names else []


def advancing_lines(names: Sequence[str]) -> list[str]:
    """List fields whose values only increase, such as timestamps, and so leave the bins."""
    line = (
        f"only advances: {join_names(names)}: no alert for its drift; ignore it, or compare an age "
        "(the time since then)"
    )
    return [line] if names else []


def accepted_lines(names: Sequence[str]) -> list[str]:
    """List the fields whose baseline is a live window that a person accepted."""
    line = f"compared with an accepted live window, not with training: {join_names(names)}"
    return [line] if names else []


def why_lines(shift: Shift | None) -> list[str]:
    """Report the shift of the mean prediction and the features whose mix effect is significant."""
    if shift is None:
        return []
    significant = [part for part in shift.contributions if part.is_beyond_chance]
    if not significant:
        return []
    effects = [f"{truncate(part.field, NAME_COLUMNS)} {signed(part.mix)}" for part in significant]
    if any(len(group.parts) > 1 for group in shift.groups):
        effects = [_describe_joint(group.parts) for group in shift.groups]
        effects.append(f"the rest {signed(shift.rest)}")
    moved = f"{truncate(shift.prediction, NAME_COLUMNS)} {signed(shift.shift)}"
    return [
        f"why: {moved} (\u00b1{short(shift.threshold)} by chance); mix of {join_names(effects)}"
    ]


def _describe_joint(parts: Mapping[str, float]) -> str:
    """Describe the joint effect of features that moved together, with the part of each feature."""
    named = [f"{truncate(field, NAME_COLUMNS)} {signed(part)}" for field, part in parts.items()]
    if len(named) == 1:
        return named[0]
    return f"{signed(sum(parts.values()))} together ({join_names(named)})"


def rule_lines(violations: Mapping[str, int], unmatched_rules: Sequence[str]) -> list[str]:
    """List declared rules that were broken, and rules that match no field."""
    broken = {rule: count for rule, count in violations.items() if count}
    lines = [f"rules broken: {join_counts(broken, most=NAMED)}"] if broken else []
    if unmatched_rules:
        names = [truncate(name, NAME_COLUMNS) for name in unmatched_rules]
        lines.append(f"rules for unknown fields: {join_names(names)}")
    return lines


def name_lines(
    unused: Sequence[str], absent: Mapping[str, int], unknown: Mapping[str, int]
) -> list[str]:
    """List names in options that rows lack, and names in rows that the reference lacks."""
    lines = []
    if absent:
        lines.append(f"rows without a declared column: {join_names(_list_absent(absent))}")
    if unused:
        names = join_names([truncate(name, 2 * NAME_COLUMNS) for name in unused])
        lines.append(f"ignored fields that never arrived: {names}")
    if unknown:
        lines.append(f"fields the reference does not know: {join_counts(unknown, most=NAMED)}")
    return lines


def _list_absent(absent: Mapping[str, int]) -> list[str]:
    return [f"{name} {rows:,}" for name, rows in absent.items()]


def join_names(names: Sequence[str]) -> str:
    """Join up to `NAMED` names, followed by how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def exported(outcomes: Mapping[str, int]) -> str:
    """Format the number of points by outcome, preceded by `nothing yet` if none was accepted."""
    if outcomes.get("accepted"):
        return f"{join_counts(outcomes, most=NAMED)} points"
    lost = {outcome: points for outcome, points in outcomes.items() if points}
    return f"nothing yet, {join_counts(lost, most=NAMED)} points" if lost else "nothing yet"


def event_lines(events: EventStatus | None) -> list[str]:
    """Report the events of the event log by outcome, and why some were not delivered."""
    if events is None:
        return []
    counts = {**events.outcomes, "waiting": events.waiting}
    present = {outcome: count for outcome, count in counts.items() if count}
    line = f"events to {events.sink}: {join_counts(present, most=NAMED) or 'none yet'}"
    is_well = not (events.dropped or events.refused or events.waiting)
    if is_well or events.last_error is None:
        return [line]
    return [line, f"  {truncate(events.last_error, WIDTH - 2)}"]


def trouble_lines(reason: str, since_success: float | None) -> list[str]:
    """Report why points were not accepted, and how long ago the last point was accepted."""
    when = (
        "never accepted"
        if since_success is None
        else f"last accepted {duration(since_success)} ago"
    )
    text = truncate(f"{when}; {reason}", 1_000)
    return wrap(text, width=WIDTH, initial_indent="  ", subsequent_indent="    ")


def verdict_lines(verdict: Verdict | None) -> list[str]:
    """Return a line with the action and its first reason, then a line for each further reason."""
    if verdict is None:
        return []
    reasons = [truncate(str(reason), _REASON_COLUMNS) for reason in verdict.reasons]
    since = "" if verdict.action == "keep" else f" (since {day(verdict.since.timestamp())})"
    lines = [f"verdict: {verdict.action}{since}: {reasons[0]}"]
    return lines + [f"  also: {reason}" for reason in reasons[1:]]


def describe_training(training: TrainingInfo) -> str:
    """Describe a training: its rows, duration and replaced version; empty if none is known."""
    facts = [] if training.rows is None else [f"on {amount(training.rows, 'row')}"]
    facts += [] if training.seconds is None else [f"in {duration(training.seconds)}"]
    parent = training.parent_version
    facts += [] if parent is None else [f"replacing version {truncate(parent, NAME_COLUMNS)}"]
    return ", ".join(facts)
