"""Decompose the shift of the mean prediction into the mix effects of features."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.by_name import ByName
from mlmonitor.compare.count_table import entry_counts, profile_counts, width
from mlmonitor.compare.drift.row_dependence import INDEPENDENT, EffectiveCounts
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import QUALITIES, Counts, Floats, Quality, Role
from mlmonitor.stats.distance import sampling_noise
from mlmonitor.stats.special import ONE_IN_A_HUNDRED_EITHER_WAY

_OUT_OF_RANGE = QUALITIES.index(Quality.OUT_OF_RANGE)


@dataclass(frozen=True)
class Contribution:
    """One feature's part in the shift of the mean prediction, in the prediction's unit.

    mix: the effect of the changed shares of its bins, if each bin is predicted as in the reference.
    rest: the shift minus `mix`, caused by changed predictions in the same bins and by other
    features.
    threshold: exceeded by the absolute value of `mix` once in a hundred windows without drift.
    is_extrapolated: whether `mix` opposes the shift, and most of it is due to values beyond the
        range of the reference, whose predictions are unknown.
    part: the part of `mix` that is due to the feature itself, if other features moved with it; None
        if unknown.
    """

    field: str
    mix: float
    rest: float
    threshold: float
    is_extrapolated: bool = False
    part: float | None = None

    @property
    def is_beyond_chance(self) -> bool:
        """Whether the mix exceeds its threshold, and is not extrapolated."""
        return abs(self.mix) > self.threshold and not self.is_extrapolated


@dataclass(frozen=True)
class JointEffect:
    """Features that explain a shift together: their parts by field, and the sum of these."""

    parts: Mapping[str, float]

    @property
    def effect(self) -> float:
        """The joint effect, in the prediction's unit."""
        return sum(self.parts.values())


@dataclass(frozen=True)
class Shift:
    """The shift of the mean prediction from the reference's, with the largest mix first.

    Features depend on each other, so their mixes need not add up to the shift. groups: the features
    whose mixes exceed their thresholds; those that depend on each other form one group. The effects
    of the groups and `rest` add up to the shift. `groups` is empty if the reference does not know
    the features' parts.
    """

    prediction: str
    reference: float
    mean: float
    threshold: float
    contributions: tuple[Contribution, ...]
    groups: tuple[JointEffect, ...] = ()

    @property
    def rest(self) -> float:
        """The part of the shift that no group explains."""
        return self.shift - sum(group.effect for group in self.groups)

    @property
    def shift(self) -> float:
        """The mean prediction of the window minus that of the reference."""
        return self.mean - self.reference


class ExplainedBy(NamedTuple):
    """The prediction whose shift is decomposed, and the features that explain it."""

    prediction: str
    features: tuple[str, ...]


class ShiftDecomposition:
    """Decomposes the shift of one prediction, from counts that exist anyway.

    The mix effect of a feature is `sum (q - p) y` over its bins: `p` and `q` are the shares of a
    bin in the reference and now, `y` is the mean prediction of its reference rows. A bin without
    reference rows, such as that of new categories, gets the overall mean and contributes nothing. A
    value beyond the reference's range counts in the outer bin. If such values make up most of an
    effect that opposes the shift, the model extrapolated, and the effect explains nothing.
    Promise: linear in the shares, so the effect over a fleet is the row-weighted mean of its parts.
    Price: one product of `[fields, bins]` per snapshot; nothing while serving.
    Source: Kitagawa, "Components of a difference between two rates", 1955; Oaxaca, 1973; on
        explaining drift of predictions, Shanbhag, Ghosh and Rubin, arXiv 2102.07862.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[CountedEntry], prediction: str, place: int
    ) -> None:
        """Decompose the shift of `prediction`, which has the index `place` in the schema."""
        self._prediction, self._place = prediction, place
        explained = [
            (index, entry)
            for index, entry in enumerate(entries)
            if Role(entry.role) is Role.FEATURE and entry.predicted
        ]
        self._fields: Counts = np.array([index for index, _ in explained], np.int64)
        names = tuple(entry.name for _, entry in explained)
        self._weights = [entry.mix_weight for _, entry in explained]
        self._groups = [entry.mix_group for _, entry in explained]
        self.explained_by: ExplainedBy = ExplainedBy(prediction, names)
        self._entry = entries[place]
        reference = entry_counts(entries, plan)
        self._rows, self._reference = reference.sum(axis=1), reference[self._fields]
        shape = len(explained), width(plan)
        self._outcome: Floats = np.zeros(shape)
        self._spread: Floats = np.zeros(shape)
        for row, (_, entry) in enumerate(explained):
            self._outcome[row] = _spread_over_bins(entry.predicted, shape[1])
            self._spread[row] = np.nan_to_num(_spread_over_bins(entry.predicted_variance, shape[1]))
        has_outcome = ~np.isnan(self._outcome)
        rows = np.where(has_outcome, self._reference, 0)
        means = (rows * np.nan_to_num(self._outcome)).sum(axis=1) / np.maximum(rows.sum(axis=1), 1)
        self._outcome = np.where(has_outcome, self._outcome - means[:, None], 0.0)

    @classmethod
    def from_entries(
        cls, plan: Plan, entries: Sequence[CountedEntry], prediction: str | None
    ) -> "ShiftDecomposition | None":
        """Build the decomposition for `prediction`; None if it has no means or is not numeric."""
        for place, field in enumerate(plan.schema.numeric):
            if field.role is Role.PREDICTION and field.name == prediction:
                has_means = any(entry.predicted for entry in entries)
                return cls(plan, entries, field.name, place) if has_means else None
        return None

    def explain(
        self, recent: FieldProfile, effective: EffectiveCounts = INDEPENDENT
    ) -> Shift | None:
        """The shift of a window; None if the window or the reference has no prediction.

        effective: the effective numbers of rows of the window and of the reference.
        """
        moments, entry = recent.moments, self._entry
        rows = int(moments.count[self._place])
        before, stddev = getattr(entry, "mean", None), getattr(entry, "stddev", None)
        if rows == 0 or before is None or stddev is None:
            return None
        mean = float(moments.mean[self._place])
        counts = profile_counts(recent)
        noises = effective.at(counts), effective.at_reference(self._rows)
        now, then = (float(noise[self._place]) for noise in noises)
        noise = np.sqrt(now / rows + then / max(sum(entry.counts), 1))
        counts = counts[self._fields]
        mix, threshold = self.effects(counts, [noise[self._fields] for noise in noises])
        within, _ = self.effects(counts, beyond=self._count_beyond(recent, counts))
        is_opposed = mix * (mean - before) < 0
        is_extrapolated = is_opposed & ((np.abs(within) < np.abs(mix) / 2) | (within * mix < 0))
        contributions = [
            Contribution(
                name,
                effect,
                mean - before - effect,
                limit,
                is_extrapolated=is_guess,
                part=None if weight is None else weight * effect,
            )
            for name, effect, limit, is_guess, weight in zip(
                self.explained_by.features,
                mix.tolist(),
                threshold.tolist(),
                is_extrapolated.tolist(),
                self._weights,
                strict=True,
            )
        ]
        groups = self._join(contributions)
        contributions.sort(key=lambda contribution: -abs(contribution.mix))
        return Shift(
            prediction=self._prediction,
            reference=before,
            mean=mean,
            threshold=float(_compute_deviations(entry, rows / now) * stddev * noise),
            contributions=tuple(contributions),
            groups=groups,
        )

    def _join(self, contributions: Sequence[Contribution]) -> tuple[JointEffect, ...]:
        """Join the parts of features that depend on each other, the largest joint effect first."""
        parts_by_group: dict[int, dict[str, float]] = {}
        for group, contribution in zip(self._groups, contributions, strict=True):
            if contribution.part is not None and contribution.is_beyond_chance:
                parts_by_group.setdefault(group, {})[contribution.field] = contribution.part
        joined = [
            JointEffect(MappingProxyType(ByName(parts, "feature")))
            for parts in parts_by_group.values()
        ]
        return tuple(sorted(joined, key=lambda group: -abs(group.effect)))

    def _count_beyond(self, recent: FieldProfile, counts: Counts) -> Floats:
        """The rows in each feature's outer bins whose value is beyond the reference's range.

        Values out of range are counted without recording the side. If some lie on both sides, they
        are divided in proportion to the rows of the outer bins.
        """
        plan, beyond = recent.plan, np.zeros(counts.shape)
        numeric = self._fields[self._fields < len(plan.schema.numeric)]
        rows, last = np.arange(numeric.size), np.array(plan.bins)[numeric] - 1
        outside = recent.quality[numeric, _OUT_OF_RANGE]
        low, high = recent.moments.min[numeric], recent.moments.max[numeric]
        sides = np.stack([counts[rows, 0], counts[rows, last]]).astype(np.float64)
        sides[0] *= low < [plan.numeric[place].low for place in numeric.tolist()]
        sides[1] *= high > [plan.numeric[place].high for place in numeric.tolist()]
        shares = sides / np.maximum(sides.sum(axis=0), 1)
        beyond[rows, 0] += np.minimum(shares[0] * outside, counts[rows, 0])
        beyond[rows, last] += np.minimum(shares[1] * outside, counts[rows, last])
        return beyond

    def effects(
        self,
        counts: Counts,
        design_effects: Sequence[Floats | float] = (1.0, 1.0),
        *,
        beyond: Floats | None = None,
    ) -> tuple[Floats, Floats]:
        """Mix effects of the features' counts `[features, bins]`, and the threshold of each.

        design_effects: the design effects of the counts, and of the reference. beyond: rows whose
        prediction the reference says nothing about, which contribute nothing.

        The variance of an effect under the multinomial distribution is `(1/n + 1/m)` times the
        variance of the bins' means, plus the uncertainty of means from few reference rows.
        """
        n, m = counts.sum(axis=1), self._reference.sum(axis=1)
        p = self._reference / np.maximum(m, 1)[:, None]
        q = counts / np.maximum(n, 1)[:, None]
        if beyond is not None:
            q = q - beyond / np.maximum(n, 1)[:, None]
        moved = np.where(((n > 0) & (m > 0))[:, None], q - p, 0.0)
        both = (self._reference + counts) / np.maximum(n + m, 1)[:, None]
        between = (both * self._outcome**2).sum(axis=1) - (both * self._outcome).sum(axis=1) ** 2
        noise = sampling_noise(n / design_effects[0], m / design_effects[1])
        unknown = (moved**2 * self._spread / np.maximum(self._reference, 1)).sum(axis=1)
        variance = np.maximum(between, 0.0) * noise + unknown
        mix: Floats = (moved * self._outcome).sum(axis=1)
        return mix, ONE_IN_A_HUNDRED_EITHER_WAY * np.sqrt(variance)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        return self._reference.nbytes + self._outcome.nbytes + self._spread.nbytes


def _compute_deviations(entry: CountedEntry, rows: float) -> float:
    """Return how many standard deviations a mean of rows exceeds once in a hundred windows.

    The mean of predictions that are mostly zero is skewed in small windows.
    Source: Cornish and Fisher, "Moments and cumulants in the specification of distributions", 1938.
    """
    skewness = abs(getattr(entry, "skewness", None) or 0.0) / np.sqrt(max(rows, 1.0))
    point = ONE_IN_A_HUNDRED_EITHER_WAY
    return float(point + (point**2 - 1) * skewness / 6)


def _spread_over_bins(values: Sequence[float | None], bins: int) -> Floats:
    """Return `[bins]` values, NaN where there is none; the last is that of missing values."""
    row = np.full(bins, np.nan)
    *of_bins, of_missing = values
    row[: len(of_bins)] = [np.nan if value is None else value for value in of_bins]
    row[-1] = np.nan if of_missing is None else of_missing
    return row
