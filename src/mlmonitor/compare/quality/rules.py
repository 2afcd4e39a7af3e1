"""Declared rules: conditions on a field's values, independent of the reference."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.compare.alerts.recovery import RECOVERY_FACTOR, RECOVERY_ROWS
from mlmonitor.formatting import amount
from mlmonitor.records import QUALITIES, Block, Counts, Field, Floats, Kind, Mask, Quality, Schema

MINIMUM, MAXIMUM, ALLOWED, NULLABLE = "minimum", "maximum", "allowed", "nullable"

_MISSING = QUALITIES.index(Quality.MISSING)
_RULE_BYTES = 1_000  # memory of a rule, its counts and its alert
_VIOLATIONS = {
    MINIMUM: "below the declared minimum",
    MAXIMUM: "above the declared maximum",
    ALLOWED: "not among those allowed",
    NULLABLE: "missing, which breaks nullable=False",
}


class Rule(NamedTuple):
    """One constraint on one field, whose index in the schema is `place`."""

    field: Field
    place: int
    constraint: str


class RuleResult(NamedTuple):
    """A rule, its violations since the start, and whether its alert is firing."""

    rule: Rule
    violations: int
    is_firing: bool


class Rules:
    """Counts the values that break each declared rule, and evaluates which rules are broken.

    Any violation fires an alert, because rules have no random violations. The alert resolves
    after a run of rows without a violation, once violations as frequent as before would have
    shown up in it.
    Promise: every value that breaks a rule is counted. An unreadable value can only break
        `nullable`, and only if it is missing.
    Price: one comparison per value for a bound, one look-up for allowed values; nothing for
        `nullable`.
    """

    def __init__(self, schema: Schema, declared: Sequence[Field]) -> None:
        self.rules: list[Rule] = []
        self.unmatched_rules: tuple[str, ...] = ()
        """Declared fields that are absent from a reference learned later."""
        self._numeric = len(schema.numeric)
        places = {(field.role, field.name): place for place, field in enumerate(schema.fields)}
        for field in declared:
            place = places.get((field.role, field.name))
            if place is None or misfit(field, schema.fields[place].kind):
                self.unmatched_rules += (field.name,)
                continue
            typed = field._replace(kind=schema.fields[place].kind)
            self.rules += [Rule(typed, place, constraint) for constraint in constraints_of(field)]
        self._low, self._low_places = self._list_bounds(MINIMUM)
        self._high, self._high_places = self._list_bounds(MAXIMUM)
        self._null_places = self._list_places(NULLABLE)
        self._dictionaries = [_list_allowed(rule.field) for rule in self._with(ALLOWED)]
        self.counts: Counts = np.zeros(len(self.rules), np.int64)
        self._seen: Counts = np.zeros(len(self.rules), np.int64)
        self._rows = 0
        self._is_firing: Mask = np.zeros(len(self.rules), np.bool_)
        self._clean_rows: Counts = np.zeros(len(self.rules), np.int64)
        self._needed_rows: Floats = np.zeros(len(self.rules))
        self.alerts: OpenAlerts = OpenAlerts()

    def update(self, block: Block) -> None:
        """Count the violations of a block, except of `nullable`, which `evaluate` counts."""
        if self._low.size:
            below = (block.numeric[self._low_places] < self._low).sum(axis=1)
            self.counts[self._list_indices(MINIMUM)] += below
        if self._high.size:
            above = (block.numeric[self._high_places] > self._high).sum(axis=1)
            self.counts[self._list_indices(MAXIMUM)] += above
        for index, place, dictionary in zip(
            self._list_indices(ALLOWED), self._list_places(ALLOWED), self._dictionaries, strict=True
        ):
            encoded = dictionary.encode(block.categorical[place - self._numeric])
            self.counts[index] += int(encoded.counts[-1])

    def evaluate(self, total: FieldProfile, *, now: float) -> list[Alert]:
        """Evaluate the increase of the totals; return the alerts that fired or resolved."""
        self.counts[self._list_indices(NULLABLE)] = total.quality[self._null_places, _MISSING]
        violations, rows = self.counts - self._seen, total.rows - self._rows
        self._seen, self._rows = self.counts.copy(), total.rows
        covered = np.maximum(violations, rows)
        is_broken = violations > 0
        fired = is_broken & ~self._is_firing
        self._clean_rows = np.where(is_broken, 0, self._clean_rows + rows)
        resolved = self._is_firing & (self._clean_rows >= self._needed_rows)
        self._is_firing = (self._is_firing | fired) & ~resolved
        needed = np.maximum(RECOVERY_ROWS, RECOVERY_FACTOR * covered / np.maximum(violations, 1))
        self._needed_rows = np.where(fired, needed, self._needed_rows)
        if rows:
            self.alerts.refresh(violations / covered)
        return self.alerts.apply(
            Transitions(fired, resolved),
            lambda index: self._build_alert(
                index, int(violations[index]), int(covered[index]), now
            ),
        )

    def results(self) -> tuple[RuleResult, ...]:
        """Each rule with its violations, in the order of declaration."""
        columns = zip(self.rules, self.counts.tolist(), self._is_firing.tolist(), strict=True)
        return tuple(RuleResult(*row) for row in columns)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        dictionaries = sum(dictionary.nbytes for dictionary in self._dictionaries)
        return dictionaries + _RULE_BYTES * len(self.rules)

    def _build_alert(self, index: int, violations: int, rows: int, now: float) -> Alert:
        rule, share = self.rules[index], violations / rows
        what = _VIOLATIONS[rule.constraint]
        return Alert(
            field=rule.field.name,
            role=rule.field.role,
            segment=ALL,
            measure=rule.constraint,
            value=share,
            current=share,
            threshold=0.0,
            log10_e_value=math.inf,
            state="firing",
            rows=rows,
            started_at=now,
            reason=f"{violations:,} of {amount(rows, 'value')} {what}",
        )

    def _with(self, constraint: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.constraint == constraint]

    def _list_indices(self, constraint: str) -> list[int]:
        return [index for index, rule in enumerate(self.rules) if rule.constraint == constraint]

    def _list_places(self, constraint: str) -> list[int]:
        return [rule.place for rule in self._with(constraint)]

    def _list_bounds(self, constraint: str) -> tuple[Floats, list[int]]:
        rules = self._with(constraint)
        bounds = [bound(rule.field, getattr(rule.field, constraint)) for rule in rules]
        return np.array(bounds, np.float64)[:, None], [rule.place for rule in rules]


def constraints_of(field: Field) -> list[str]:
    """The constraints that a field declares."""
    declared = {
        MINIMUM: field.minimum is not None,
        MAXIMUM: field.maximum is not None,
        ALLOWED: field.allowed is not None,
        NULLABLE: not field.nullable,
    }
    return [constraint for constraint, is_declared in declared.items() if is_declared]


def misfit(field: Field, kind: Kind) -> str:
    """Describe why a field's rules do not suit values of this kind; empty if they do."""
    is_numeric = kind in (Kind.NUMERIC, Kind.DATETIME)
    if is_numeric and field.allowed is not None:
        return f"allowed: expected minimum or maximum, because its values are {kind}"
    bounds = {MINIMUM: field.minimum, MAXIMUM: field.maximum}
    for name, value in bounds.items():
        if value is None:
            continue
        if not is_numeric:
            return f"{name}: expected allowed, because its values are {kind}"
        if not math.isfinite(bound(field._replace(kind=kind), value)):
            expected = "a datetime" if kind is Kind.DATETIME else "a finite number"
            return f"{name}: expected {expected}"
    return ""


def bound(field: Field, value: object) -> float:
    """Read a declared bound like the field's values; NaN if it cannot be read."""
    read = parse_datetimes if field.kind is Kind.DATETIME else parse_floats
    return float(read([value])[0][0])


def _list_allowed(field: Field) -> Dictionary:
    names = (category_name(value) for value in field.allowed or ())
    unique = dict.fromkeys(name for name in names if name is not None)
    return Dictionary(tuple(unique), is_boolean=field.kind is Kind.BOOLEAN)
