"""Findings as lines of a printed status."""

from collections.abc import Mapping, Sequence
from textwrap import fill, wrap

from mlmonitor.aggregate.segments import ALL
from mlmonitor.compare.alerts.alert import SELF_EXPLANATORY, Alert
from mlmonitor.compare.drift.decomposition import Shift
from mlmonitor.formatting import (
    amount,
    duration,
    join_counts,
    moment,
    short,
    signed,
    truncate,
    wide,
)
from mlmonitor.status.field_table import WIDTH

NAMED = 10
"""How many names a line lists; the others are counted."""

NAME_COLUMNS = 24
"""Columns of a terminal for a field's name."""

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
    """A line that is wider than a terminal, on several; continued lines are indented."""
    if wide(line) <= WIDTH:
        return line
    indent = " " * (len(line) - len(line.lstrip()) + 4)
    return fill(line, WIDTH, subsequent_indent=indent, drop_whitespace=True)


def alert_lines(alerts: Sequence[Alert]) -> list[str]:
    """The alerts that are firing: what each was when it fired, what it is now, and why."""
    if not alerts:
        return []
    lines = [f"{amount(len(alerts), 'alert')} firing"]
    for alert in alerts[:NAMED]:
        since = f"since {moment(alert.started_at)} UTC"
        lines += [f"  {alert_title(alert)}", f"    {since}; {alert.reason}"]
        lines += [f"    {advice}" for advice in [_ADVICE.get(alert.measure)] if advice]
    more = len(alerts) - NAMED
    return [*lines, f"  and {more} more"] if more > 0 else lines


def alert_title(alert: Alert) -> str:
    """What is wrong, how much it was when the alert fired, and how much it is now."""
    who = alert.field if alert.field == alert.role.value else f"{alert.role.value} {alert.field}"
    where = "" if alert.segment == ALL else f" in {alert.segment}"
    title = f"{truncate(who, 40)}{truncate(where, 40)}: {alert.measure}"
    if alert.measure in SELF_EXPLANATORY:
        return title
    then = f"{alert.value:.3f} over {amount(alert.rows, 'row')} then"
    return f"{title} {then}, {alert.current:.3f} now; threshold {alert.threshold:.3f}"


def ids_lines(names: Sequence[str]) -> list[str]:
    """The fields that have a different value in almost every row."""
    line = f"ids? nothing to compare in {join_names(names)}: declare it text, or ignore it"
    return [line] if names else []


def why_lines(shift: Shift | None) -> list[str]:
    """The shift of the mean prediction, and the features whose mix exceeds its threshold."""
    if shift is None:
        return []
    parts = [each for each in shift.contributions if each.is_beyond_chance]
    if not parts:
        return []
    effects = [f"{truncate(each.field, NAME_COLUMNS)} {signed(each.mix)}" for each in parts]
    moved = f"{truncate(shift.prediction, NAME_COLUMNS)} {signed(shift.shift)}"
    return [
        f"why: {moved} (\u00b1{short(shift.threshold)} by chance); mix of {join_names(effects)}"
    ]


def rule_lines(violations: Mapping[str, int], unmatched_rules: Sequence[str]) -> list[str]:
    """Declared rules that were broken, and those that fit no field."""
    broken = {rule: count for rule, count in violations.items() if count}
    lines = [f"rules broken: {join_counts(broken, most=NAMED)}"] if broken else []
    if unmatched_rules:
        names = [truncate(name, NAME_COLUMNS) for name in unmatched_rules]
        lines.append(f"rules that fit no field: {join_names(names)}")
    return lines


def name_lines(unused: Sequence[str], unknown: Mapping[str, int]) -> list[str]:
    """Names to ignore that never arrived, and names that the reference does not know."""
    lines = []
    if unused:
        names = join_names([truncate(name, 2 * NAME_COLUMNS) for name in unused])
        lines.append(f"ignored fields that never arrived: {names}")
    if unknown:
        lines.append(f"fields the reference does not know: {join_counts(unknown, most=NAMED)}")
    return lines


def join_names(names: Sequence[str]) -> str:
    """Names in a line, `NAMED` of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def exported(outcomes: Mapping[str, int]) -> str:
    """Points by outcome; if none arrived, that comes first."""
    if outcomes.get("accepted"):
        return f"{join_counts(outcomes, most=NAMED)} points"
    lost = {outcome: points for outcome, points in outcomes.items() if points}
    return f"nothing yet, {join_counts(lost, most=NAMED)} points" if lost else "nothing yet"


def trouble_lines(reason: str, since_success: float | None) -> list[str]:
    """Why points did not arrive, unabridged, and for how long none has."""
    when = (
        "never accepted"
        if since_success is None
        else f"last accepted {duration(since_success)} ago"
    )
    text = truncate(f"{when}; {reason}", 1_000)
    return wrap(text, width=WIDTH, initial_indent="  ", subsequent_indent="    ")
