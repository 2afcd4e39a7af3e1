"""The common cause of alerts on categories, from the counts and names of the rows that show it.

Each function returns None if it does not recognise its cause.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.causes.category_changes import are_exchanged, are_merged, find_moved_share
from mlmonitor.compare.causes.change_sample import ShownRows
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.causes.numbers.number_causes import locate_fields
from mlmonitor.compare.causes.spelling import describe_spelling
from mlmonitor.compare.population import Population
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Counts, Floats

_SAME_SHARE = 0.3  # largest relative difference of shares of a category and its new name
_LEAST_SHARE = 0.02
_MAP_NAME = "map the new name to the old one upstream, or fit a new reference"


class _ChangedCategories(NamedTuple):
    """A categorical field with an alert: its rows by category, and the shares of the reference.

    place: the index among the categorical fields. counts: rows by category, as in a profile.
    before: the reference's shares of the listed categories.
    """

    place: int
    entry: CategoricalReference
    counts: Counts
    before: Floats

    @property
    def listed(self) -> Counts:
        """The number of rows of each listed category."""
        return self.counts[: self.before.size]

    @property
    def new(self) -> int:
        """The number of rows of categories that the reference does not have."""
        return int(self.counts[self.before.size + 1])


def _list_changed(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> Iterator[_ChangedCategories]:
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if isinstance(entry, CategoricalReference):
            before = np.array(entry.counts[: len(entry.categories)], np.float64)
            before /= max(sum(entry.counts), 1)
            position = place - numeric
            counts = shown.profile.categories[position]
            yield _ChangedCategories(position, entry, counts, before)


def find_respelt(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect new categories that are known ones in another spelling. The title has no names."""
    for changed in _list_changed(alerts, population, shown):
        entry, rows = changed.entry, int(changed.counts.sum())
        hitters = shown.shapes.hitters[changed.place].top()
        description = describe_spelling(entry.names, {h.name: h.count - h.error for h in hitters})
        if description is not None and changed.new >= _LEAST_SHARE * rows:
            title = f"names of {entry.name} {description}: {changed.new / rows:.0%} of rows"
            return CommonCause(title, "respelt", "write the names upstream as at training")
    return None


def find_renamed(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect a lost category whose share has moved to new values. The title has no names."""
    for changed in _list_changed(alerts, population, shown):
        if not changed.entry.is_closed:
            continue
        before = changed.before
        new = changed.new / max(int(changed.counts.sum()), 1)
        for category in np.flatnonzero((changed.listed == 0) & (before >= _LEAST_SHARE)).tolist():
            if abs(new - before[category]) <= _SAME_SHARE * before[category]:
                title = (
                    f"a category of {changed.entry.name} renamed: {before[category]:.0%} of rows"
                )
                return CommonCause(title, "renamed", _MAP_NAME)
    return None


def find_recategorised(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect categories that were merged, exchanged or partly renamed. The title has no names."""
    for changed in _list_changed(alerts, population, shown):
        entry, before = changed.entry, changed.before
        if not sum(entry.counts):
            continue
        if are_merged(before, changed.listed):
            title = f"two categories of {entry.name} merged into one"
            return CommonCause(title, "merged", "ask upstream whether they were merged")
        if are_exchanged(before, changed.listed):
            title = f"categories of {entry.name} exchanged: the same shares under other names"
            return CommonCause(title, "exchanged", "look at how codes are turned into names")
        cause = _find_partly_moved(changed, shown)
        if cause is not None:
            return cause
    return None


def _find_partly_moved(changed: _ChangedCategories, shown: ShownRows) -> CommonCause | None:
    """Detect that part of a category got a new name, or was assigned to another category."""
    entry, before = changed.entry, changed.before
    move = find_moved_share(np.append(before, 0.0), np.append(changed.listed, changed.new))
    if move is None:
        return None
    since = shown.profile.rows / max(min(shown.changed_rows, shown.profile.rows), 1)
    if move.target == before.size:
        share = min(move.share / float(before[move.place]) * since, 1.0)
        title = f"a category of {entry.name} renamed in about {share:.0%} of its rows"
        return CommonCause(title, "renamed", _MAP_NAME)
    share = min(move.share * since, 1.0)
    title = f"{entry.name}: about {share:.0%} of all rows went from one category to another"
    # The traffic itself may have changed, so this is not a data fault that delays a verdict.
    return CommonCause(
        title, "inputs", "ask upstream whether part of one is now coded as the other"
    )
