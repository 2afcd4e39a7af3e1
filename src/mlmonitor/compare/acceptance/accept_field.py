"""Accept the live window of one field as its baseline."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from mlmonitor.compare.acceptance.accepted_entry import accept_window
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.population import Population
from mlmonitor.errors import ConfigError
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Role
from mlmonitor.reference.reference import Reference

LEAST_ROWS: Final = 200
"""A window with fewer rows cannot be a baseline."""


def accept_field(state: ModelState, name: str, role: Role, *, now: float) -> list[Alert]:
    """Make the window of a field its baseline from `now` on; return its alerts as resolved.

    The field is accepted in all segments that have enough rows in their window.

    Raises:
        ConfigError: there is no such field, its reference has seasons, or it has too few rows.
    """
    population, place = _find(state.whole, name, role)
    if population is None:
        names = sorted(
            f.name for p in state.whole if p.entries for f in p.plan.schema.fields if f.role is role
        )
        raise ConfigError(
            f"accept: expected a {role.value} that is compared: "
            f"{', '.join(names[:20]) or 'none is'}"
        )
    if population.plan.season is not None:
        raise ConfigError(
            "accept: the reference has seasons, which a window does not show: fit a new reference, "
            "and adopt it"
        )
    population.window.advance(now)
    rows = _count_valid(population, place)
    if rows < LEAST_ROWS:
        raise ConfigError(
            f"accept: expected at least {LEAST_ROWS} values of {name} in the window, got {rows}: "
            "wait for more"
        )
    changed, entry = _accept(population, place, now=now)
    _record(state, entry)
    for segment in range(len(state.segment_names)):
        part, at = _find(state.segment(segment), name, role)
        if part is not None and _count_valid(part, at) >= LEAST_ROWS:
            changed += _accept(part, at, now=now)[0]
    return changed


def _find(
    populations: Sequence[Population], name: str, role: Role
) -> tuple[Population | None, int]:
    for population in populations:
        for place, field in enumerate(population.plan.schema.fields):
            if (field.name, field.role) == (name, role) and population.entries:
                return population, place
    return None, 0


def _count_valid(population: Population, place: int) -> int:
    """Return the number of valid values of a field in the window."""
    entry, view = population.entries[place], population.window.view()
    accepted = accept_window(entry, view, place, now=0.0) if view.profile.rows else entry
    return sum(accepted.counts) if view.profile.rows else 0


def _accept(population: Population, place: int, *, now: float) -> tuple[list[Alert], CountedEntry]:
    entry = accept_window(population.entries[place], population.window.view(), place, now=now)
    return population.accept(place, entry, now=now), entry


def _record(state: ModelState, entry: CountedEntry) -> None:
    """Replace the field's entry in the reference; the new entry records when it was accepted."""
    traffic = state.traffic
    reference, comparing = traffic.reference, traffic.comparing
    if reference is None or comparing is None:
        return
    key = entry.role, entry.name
    fields = [
        entry if (other.role, other.name) == key else other for other in reference.content.fields
    ]
    content = reference.content.model_copy(update={"fields": fields})
    accepted = Reference(content, is_learned=reference.is_learned)
    traffic.reference = accepted
    traffic.comparing = replace(comparing, reference=accepted)
