"""Declared rules: what a field's values must be, whatever the reference held."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.sketches.categories import Dictionary, category_name
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.recovery import CALM_FACTOR, CALM_ROWS
from mlmonitor.formatting import amount
from mlmonitor.records import QUALITIES, Block, Counts, Field, Floats, Kind, Quality, Schema

MINIMUM, MAXIMUM, ALLOWED, NULLABLE = "minimum", "maximum", "allowed", "nullable"

_MISSING = QUALITIES.index(Quality.MISSING)
_RULE_BYTES = 1_000  # of a rule, its counts and its alert
_TOLD = {
    MINIMUM: "below the declared minimum",
    MAXIMUM: "above the declared maximum",
    ALLOWED: "not among those allowed",
    NULLABLE: "missing, which breaks nullable=False",
}


class Rule(NamedTuple):
    """One constraint on one field, at its place in the schema."""

    field: Field
    at: int
    constraint: str


class _Broken(NamedTuple):
    """A rule's alert, the clean rows since, and how many of them clear it."""

    alert: Alert
    clean: int
    expected: float


class Rules:
    """Counts the values that break each declared rule, and tells of rules that are broken.

    Any violation raises an alert: a rule is no matter of chance. It is cleared by a stretch of
    clean rows in which violations as frequent would have shown.
    Promise: every value that breaks a rule is counted. Those that cannot be read break none but
        `nullable`, and that only if they are missing.
    Price: a comparison a value for a bound, a look-up for allowed values; nothing for others.
    """

    def __init__(self, schema: Schema, declared: Sequence[Field]) -> None:
        self.rules: list[Rule] = []
        self.unmatched_rules: tuple[str, ...] = ()
        """Declared fields that the reference, learned after they were declared, has not so."""
        self._numeric = len(schema.numeric)
        places = {(field.role, field.name): at for at, field in enumerate(schema.fields)}
        for field in declared:
            at = places.get((field.role, field.name))
            if at is None or misfit(field, schema.fields[at].kind):
                self.unmatched_rules += (field.name,)
                continue
            known = field._replace(kind=schema.fields[at].kind)
            self.rules += [Rule(known, at, constraint) for constraint in constraints_of(field)]
        self._low, self._low_at = self._bounds(MINIMUM)
        self._high, self._high_at = self._bounds(MAXIMUM)
        self._null_at = self._places(NULLABLE)
        self._books = [_allowed(rule.field) for rule in self._of(ALLOWED)]
        self.counts: Counts = np.zeros(len(self.rules), np.int64)
        self._seen: Counts = np.zeros(len(self.rules), np.int64)
        self._rows = 0
        self._broken: dict[int, _Broken] = {}

    def update(self, block: Block) -> None:
        """Count the violations of a block; those of `nullable` are known from the totals."""
        if self._low.size:
            below = (block.numeric[self._low_at] < self._low).sum(axis=1)
            self.counts[self._of_kind(MINIMUM)] += below
        if self._high.size:
            above = (block.numeric[self._high_at] > self._high).sum(axis=1)
            self.counts[self._of_kind(MAXIMUM)] += above
        for place, at, book in zip(
            self._of_kind(ALLOWED), self._places(ALLOWED), self._books, strict=True
        ):
            encoded = book.encode(block.categorical[at - self._numeric])
            self.counts[place] += int(encoded.counts[-1])

    def look(self, total: Profile, *, now: float) -> list[Alert]:
        """The rules that turned out broken, and those that hold again."""
        self.counts[self._of_kind(NULLABLE)] = total.quality[self._null_at, _MISSING]
        new, came = self.counts - self._seen, total.rows - self._rows
        self._seen, self._rows = self.counts.copy(), total.rows
        turned = []
        for at, broken in enumerate(new.tolist()):
            if broken and at not in self._broken:
                turned.append(self._raise(at, broken, came, now))
            elif at in self._broken:
                turned += self._go_on(at, broken, came)
        return turned

    @property
    def alerts(self) -> list[Alert]:
        """The rules that are broken."""
        return [broken.alert for broken in self._broken.values()]

    def told(self) -> Iterator[tuple[Rule, int, bool]]:
        """Each rule, how many values broke it since the start, and whether that is an alert."""
        for at, (rule, count) in enumerate(zip(self.rules, self.counts.tolist(), strict=True)):
            yield rule, count, at in self._broken

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(book.nbytes for book in self._books) + _RULE_BYTES * len(self.rules)

    def _raise(self, at: int, broken: int, came: int, now: float) -> Alert:
        rule, rows = self.rules[at], max(came, broken)
        alert = Alert(
            field=rule.field.name,
            role=rule.field.role,
            segment=ALL,
            measure=rule.constraint,
            value=broken / rows,
            threshold=0.0,
            log10_e_value=math.inf,
            state="firing",
            rows=rows,
            started_at=now,
            reason=f"{broken:,} of {amount(rows, 'value')} {_TOLD[rule.constraint]}",
        )
        self._broken[at] = _Broken(alert, 0, max(CALM_ROWS, CALM_FACTOR * rows / broken))
        return alert

    def _go_on(self, at: int, broken: int, came: int) -> list[Alert]:
        """A broken rule gets older; the alert, cleared, if it has not been broken for long."""
        alert, clean, expected = self._broken[at]
        clean = 0 if broken else clean + came
        if clean < expected:
            self._broken[at] = _Broken(alert, clean, expected)
            return []
        del self._broken[at]
        return [replace(alert, state="resolved")]

    def _of(self, constraint: str) -> list[Rule]:
        return [rule for rule in self.rules if rule.constraint == constraint]

    def _of_kind(self, constraint: str) -> list[int]:
        return [at for at, rule in enumerate(self.rules) if rule.constraint == constraint]

    def _places(self, constraint: str) -> list[int]:
        return [rule.at for rule in self._of(constraint)]

    def _bounds(self, constraint: str) -> tuple[Floats, list[int]]:
        rules = self._of(constraint)
        found = [bound(rule.field, getattr(rule.field, constraint)) for rule in rules]
        return np.array(found, np.float64)[:, None], [rule.at for rule in rules]


def constraints_of(field: Field) -> list[str]:
    """Which constraints a field declares."""
    declared = {
        MINIMUM: field.minimum is not None,
        MAXIMUM: field.maximum is not None,
        ALLOWED: field.allowed is not None,
        NULLABLE: not field.nullable,
    }
    return [constraint for constraint, is_declared in declared.items() if is_declared]


def misfit(field: Field, kind: Kind) -> str:
    """What is wrong with a field's rules for values of this kind; empty if nothing is."""
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
    """A declared bound as the field's values are read; NaN if it is no such value."""
    read = parse_datetimes if field.kind is Kind.DATETIME else parse_floats
    return float(read([value])[0][0])


def _allowed(field: Field) -> Dictionary:
    names = (category_name(value) for value in field.allowed or ())
    known = dict.fromkeys(name for name in names if name is not None)
    return Dictionary(tuple(known), is_boolean=field.kind is Kind.BOOLEAN)
