"""The common cause of alerts on categories, from the counts and names of the rows that show it."""

from collections.abc import Sequence

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

_SAME_SHARE = 0.3  # relative: a new category may be a renamed one
_LEAST_SHARE = 0.02


def find_respelt(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect new names that are known ones in another spelling. The title names none."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if not isinstance(entry, CategoricalReference):
            continue
        hitters = shown.shapes.hitters[place - numeric].top()
        description = describe_spelling(entry.names, {h.name: h.count - h.error for h in hitters})
        counts = shown.profile.categories[place - numeric]
        new, rows = int(counts[len(entry.categories) + 1]), int(counts.sum())
        if description is not None and new >= _LEAST_SHARE * rows:
            title = f"names of {entry.name} {description}: {new / rows:.0%} of rows"
            return CommonCause(title, "respelt", "write the names upstream as at training")
    return None


def find_renamed(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect a category that is gone while new values have about its share; name neither."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        if place < numeric or not population.plan.dictionaries[place - numeric].is_closed:
            continue
        dictionary = population.plan.dictionaries[place - numeric]
        counts = shown.profile.categories[place - numeric]
        before = np.array(population.entries[place].counts[: len(dictionary.top)], np.float64)
        before /= max(float(sum(population.entries[place].counts)), 1.0)
        now = counts / max(int(counts.sum()), 1)
        new = float(now[len(dictionary.top) + 1])
        gone = np.flatnonzero((now[: before.size] == 0) & (before >= _LEAST_SHARE))
        for category in gone.tolist():
            if abs(new - before[category]) <= _SAME_SHARE * before[category]:
                field = population.plan.schema.fields[place].name
                title = f"a category of {field} renamed: {before[category]:.0%} of rows"
                advice = "map the new name to the old one upstream, or fit a new reference"
                return CommonCause(title, "renamed", advice)
    return None


def find_recategorised(
    alerts: Sequence[Alert], population: Population, shown: ShownRows
) -> CommonCause | None:
    """Detect categories that were merged, exchanged, or renamed in part. The title names none."""
    numeric = len(population.plan.schema.numeric)
    for place in locate_fields(alerts, population):
        entry = population.entries[place]
        if not isinstance(entry, CategoricalReference) or not sum(entry.counts):
            continue
        size = len(entry.categories)
        counts = shown.profile.categories[place - numeric]
        before = np.array(entry.counts[:size], np.float64) / sum(entry.counts)
        if are_merged(before, counts[:size]):
            title = f"two categories of {entry.name} merged into one"
            return CommonCause(title, "merged", "ask upstream since when they are one")
        if are_exchanged(before, counts[:size]):
            title = f"categories of {entry.name} exchanged: the same shares under other names"
            return CommonCause(title, "exchanged", "look at how codes are turned into names")
        cause = _find_partly_moved(entry, before, np.append(counts[:size], counts[size + 1]), shown)
        if cause is not None:
            return cause
    return None


def _find_partly_moved(
    entry: CategoricalReference, before: Floats, now: Counts, shown: ShownRows
) -> CommonCause | None:
    """Detect a part of one category under a new name, the last of `now`, or as another one."""
    move = find_moved_share(np.append(before, 0.0), now)
    if move is None:
        return None
    since = shown.profile.rows / max(min(shown.changed_rows, shown.profile.rows), 1)
    if move.target == before.size:
        share = min(move.share / float(before[move.place]) * since, 1.0)
        title = f"a category of {entry.name} renamed in about {share:.0%} of its rows"
        advice = "map the new name to the old one upstream, or fit a new reference"
        return CommonCause(title, "renamed", advice)
    share = min(move.share * since, 1.0)
    title = f"{entry.name}: about {share:.0%} of all rows went from one category to another"
    # It may as well be the traffic itself that changed: nothing that a verdict may wait for.
    return CommonCause(title, "inputs", "ask upstream whether a part of one is coded as the other")
