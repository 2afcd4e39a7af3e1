"""Further changes of fields whose drift alert is already firing."""

from typing import NamedTuple

import numpy as np

from mlmonitor.compare.drift.change_effect import ChangeEffect
from mlmonitor.compare.drift.row_dependence import EffectiveCounts
from mlmonitor.records import Counts, Mask
from mlmonitor.stats.eprocess import EProcess

_LEAST_ROWS = 1_000
_LEAST_CONFIRMED = 500
_KEPT = 5


class SecondChange(NamedTuple):
    """A further change of the field at `place`: its evidence, and the counts of the rows since."""

    place: int
    log_e: float
    counts: Counts


class _Settled(NamedTuple):
    """Fields whose new distribution is known, and the evidence against it."""

    places: Counts
    reference: Counts
    evidence: EProcess


class _Found(NamedTuple):
    """A suspected change: its evidence, and how many rows after `start` must confirm it."""

    start: Counts
    rows: int
    log_e: float


class SecondChanges:
    """Evidence that a field has changed again after its alert fired.

    After an alert, as many rows as fired it (at least a thousand) are collected as the reference of
    a new e-process. A further change counts only if it differs from these rows by more than the
    tolerance, and if the rows after it also differ from the original reference: a return to the
    reference is not a further change.
    Promise: one alert does not hide the next.
    Price: nothing until an alert fires; then `8 * bins * 15` bytes for each field with an alert.
    """

    def __init__(
        self, present: Mask, effective: EffectiveCounts, effect: ChangeEffect, *, threshold: float
    ) -> None:
        self._present, self._effective, self._effect = present, effective, effect
        self._threshold = threshold
        self._waiting: dict[int, tuple[Counts, int]] = {}
        self._settled: list[_Settled] = []
        self._found: dict[int, _Found] = {}
        self._owner: dict[int, Counts] = {}
        """By field, the indices of the newest group that contains it."""
        self._seen: Counts | None = None

    def begin(self, fired: Mask, total: Counts, rows: Counts) -> None:
        """Start to collect the new distribution of fields whose alert has fired.

        fired: a mask of these fields. total: the counts of all rows. rows: how many rows fired each
        alert.
        """
        for place in np.flatnonzero(fired).tolist():
            self._waiting[place] = total[place].copy(), max(int(rows[place]), _LEAST_ROWS)

    def end(self, resolved: Mask) -> None:
        """Forget fields whose alert has resolved."""
        for place in np.flatnonzero(resolved).tolist():
            self._waiting.pop(place, None)
            self._found.pop(place, None)
            self._owner.pop(place, None)

    def evaluate(self, total: Counts) -> list[SecondChange]:
        """Return further changes, given the counts of all rows, `[fields, bins]`."""
        new = np.zeros_like(total) if self._seen is None else total - self._seen
        self._seen = total
        changes = self._confirm(total)
        for group in self._settled:
            group.evidence.update(new[group.places])
            self._find(group, total)
        self._settle(total)
        return changes

    @property
    def nbytes(self) -> int:
        """Memory used if the alerts of all fields are firing, in bytes."""
        return 8 * self._present.size * (_KEPT + 10)

    def _find(self, group: _Settled, total: Counts) -> None:
        """Start to confirm the changes that the evidence of a group shows."""
        log_e, change = group.evidence.evaluate()
        counts, expected = np.zeros((2, *self._present.shape), np.int64)
        counts[group.places], expected[group.places] = change.counts, group.reference
        worth = self._effective.expected(expected), self._effective.current(counts)
        excess = self._effect.excess_over(*worth)
        for at, place in enumerate(group.places.tolist()):
            is_owner = self._owner.get(place) is group.places
            if is_owner and log_e[at] >= self._threshold and excess[place] > 0:
                del self._owner[place]
                rows = max(int(change.rows[at]), _LEAST_CONFIRMED)
                self._found[place] = _Found(total[place].copy(), rows, float(log_e[at]))

    def _confirm(self, total: Counts) -> list[SecondChange]:
        """Return the changes whose later rows still exceed the tolerance around the reference."""
        due = [
            place
            for place, suspected in self._found.items()
            if int((total[place] - suspected.start).sum()) >= suspected.rows
        ]
        if not due:
            return []
        counts = np.zeros_like(total)
        for place in due:
            counts[place] = total[place] - self._found[place].start
        beyond = self._effect.excess(counts, np.zeros((len(counts), 0), np.int64))
        changes = []
        for place in due:
            suspected = self._found.pop(place)
            if beyond[place] > 0:
                changes.append(SecondChange(place, suspected.log_e, counts[place]))
            else:  # the field has returned to the reference, which is not a further change
                self._waiting[place] = total[place].copy(), _LEAST_ROWS
        return changes

    def _settle(self, total: Counts) -> None:
        """Start e-processes for fields that have enough rows since their alert."""
        due = [
            place
            for place, (start, rows) in self._waiting.items()
            if int((total[place] - start).sum()) >= rows
        ]
        if not due:
            return
        places = np.array(due, np.int64)
        reference = np.stack([total[place] - self._waiting.pop(place)[0] for place in due])
        dependence = self._effective.dependence
        evidence = EProcess(
            reference,
            self._present[places],
            kept=_KEPT,
            dependence=None if dependence is None else dependence.select(places),
        )
        self._owner |= dict.fromkeys(due, places)
        self._settled.append(_Settled(places, reference, evidence))
        owners = {id(owner) for owner in self._owner.values()}
        self._settled = [group for group in self._settled if id(group.places) in owners]
