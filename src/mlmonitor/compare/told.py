"""What was found, in the lines of a printed status."""

from collections.abc import Mapping, Sequence

from mlmonitor.compare.finding import Finding
from mlmonitor.compare.why import Shift
from mlmonitor.compare.wording import cut, listed, short, signed

NAMED = 10
"""So many names are told in a line; the others are counted."""

NAME_COLUMNS = 24
"""Of a terminal, for a field's name."""


def alarm_lines(findings: Sequence[Finding]) -> list[str]:
    """The alarms that hold, a line each."""
    lines = [f"alarm: {finding}" for finding in findings[:NAMED]]
    more = len(findings) - NAMED
    return [*lines, f"alarm: {more} more"] if more > 0 else lines


def why_lines(shift: Shift | None) -> list[str]:
    """The shift of the mean prediction, and the features whose mix does more than chance."""
    if shift is None:
        return []
    parts = [each for each in shift.contributions if each.is_beyond_chance]
    if not parts:
        return []
    told = [f"{cut(each.field, NAME_COLUMNS)} {signed(each.mix)}" for each in parts]
    moved = f"{cut(shift.prediction, NAME_COLUMNS)} {signed(shift.shift)}"
    return [f"why: {moved} (\u00b1{short(shift.by_chance)} by chance); mix of {named(told)}"]


def rule_lines(violations: Mapping[str, int], misfits: Sequence[str]) -> list[str]:
    """Declared rules that were broken, and those that fit no field."""
    broken = {rule: count for rule, count in violations.items() if count}
    lines = [f"rules broken: {listed(broken, most=NAMED)}"] if broken else []
    if misfits:
        lines.append(
            f"rules that fit no field: {named([cut(name, NAME_COLUMNS) for name in misfits])}"
        )
    return lines


def named(names: Sequence[str]) -> str:
    """Names in a line, `NAMED` of them, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
