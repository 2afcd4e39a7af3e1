"""The baseline of a comparison: the reference, or a mixture of its seasons."""

from collections.abc import Sequence

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.compare.count_table import entry_counts, width
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Counts, Role
from mlmonitor.stats.distance import Table


def season_rows(profile: FieldProfile) -> Counts:
    """Number of values of each field in each season, `[fields, seasons]`."""
    fields = profile.plan.schema.fields
    if not profile.plan.seasons:
        return np.zeros((len(fields), 0), np.int64)
    row = np.array([field.role is Role.PREDICTION for field in fields], np.int64)
    return profile.seasons[row]


def season_counts(entries: Sequence[CountedEntry], plan: Plan) -> Counts:
    """The reference's counts `[fields, seasons, width]`; with 0 seasons if it has none."""
    table = np.zeros((len(entries), plan.seasons, width(plan)), np.int64)
    for place, entry in enumerate(entries):
        for season, row in enumerate(entry.seasons):
            *bins, missing = map(int, row.split())
            table[place, season, : len(bins)] = bins
            table[place, season, -1] = missing
    return table


class Baseline:
    """The reference's counts of some fields, for comparison with rows of certain seasons.

    counts: over all seasons, `[fields, bins]`. by_season: `[fields, seasons, bins]`.
    """

    def __init__(self, counts: Counts, by_season: Counts) -> None:
        self.counts: Counts = counts
        self.by_season: Counts = by_season

    @classmethod
    def from_entries(cls, entries: Sequence[CountedEntry], plan: Plan) -> "Baseline":
        """Read the counts of a reference's entries."""
        return cls(entry_counts(entries, plan), season_counts(entries, plan))

    def select(self, fields: Counts) -> "Baseline":
        """Return the counts of some fields, given their indices."""
        return Baseline(self.counts[fields], self.by_season[fields])

    @property
    def has_seasons(self) -> bool:
        """Whether the expected counts depend on when rows arrived."""
        return self.by_season.size > 0

    def for_rows(self, rows: Counts) -> Table:
        """Expected counts for rows that arrived in these seasons, `[fields, seasons]`.

        The shares are those of the seasons, weighted by `rows`. The counts add up to the size of
        one sample from this mixture that would be equally uncertain. A season without reference
        rows gets the shares over all seasons, with the weight of one row.
        """
        if not self.has_seasons:
            return self.counts
        season_sizes = self.by_season.sum(axis=2)
        whole = self.counts / np.maximum(self.counts.sum(axis=1, keepdims=True), 1)
        own = self.by_season / np.maximum(season_sizes, 1)[:, :, None]
        shares = np.where(season_sizes[:, :, None] > 0, own, whole[:, None, :])
        weights = rows / np.maximum(rows.sum(axis=1, keepdims=True), 1)
        mixture = np.einsum("fs,fsb->fb", weights, shares)
        variance = (weights**2 / np.maximum(season_sizes, 1)).sum(axis=1)
        sample = np.divide(1.0, variance, out=np.zeros_like(variance), where=variance > 0)
        return np.asarray(mixture * sample[:, None], np.float64)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self.counts.nbytes + self.by_season.nbytes
