"""Comparison of the losses of two models, and the decision between them."""

from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.challenge.challenge_status import Decision, PairBasis
from mlmonitor.challenge.grouped_losses import PAIRED, GroupedLosses
from mlmonitor.challenge.running_sums import RunningMean, bound_mean, subtract_means, weigh_mean
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.records import Floats, Mask

_LEAST_LABELS = 100
"""With fewer labels, the mean is not close enough to normal for a decision."""


class LossSummary(NamedTuple):
    """The comparison of losses at one moment; its fields are those of `ChallengeStatus`."""

    decision: Decision
    decided_after: int | None
    difference: Estimate
    effective_labels: float
    log10_e_value: float
    basis: PairBasis
    champion: Estimate
    challenger: Estimate


class _Difference(NamedTuple):
    """A difference of two means, and the variance of that difference.

    rows: the size of one sample with the same precision. count: the number of labels of the model
    with fewer labels. effective_labels: how many independent labels `count` is worth.
    """

    value: float
    variance: float
    rows: float
    count: int  # type: ignore[assignment]  # hides tuple.count, which is not used
    effective_labels: float


class LossComparison:
    """Sums of the losses of a champion (0), of a challenger (1), and of their differences."""

    def __init__(self, *, margin: float, alpha: float) -> None:
        self._margin, self._alpha = margin, alpha
        self._paired = RunningMean()
        self._sides = RunningMean(), RunningMean()
        self.groups: GroupedLosses = GroupedLosses()
        self._decision: Decision = "undecided"
        self._decided_after: int | None = None
        self._has_codes = False

    @property
    def is_decided(self) -> bool:
        """Whether one of the models has won."""
        return self._decision != "undecided"

    def update(self, losses: Floats, is_new: Mask, groups: Hashes, *, are_errors: bool) -> None:
        """Add losses `[2, rows]`, and decide if the evidence suffices.

        is_new: a mask `[2, rows]` of losses not counted yet. groups: the hash of each row's group.
        are_errors: whether each loss is 0 or 1.
        """
        self._has_codes = are_errors
        for side, values in enumerate(losses):
            self._sides[side].update(values[is_new[side]])
            self.groups.update(side, values[is_new[side]], groups[is_new[side]])
        self._paired.update(losses[1] - losses[0])
        self.groups.update(PAIRED, losses[1] - losses[0], groups)
        self._decide()

    def _find_basis(self) -> PairBasis:
        """Return `paired` if most of the challenger's rows have losses of both models.

        Otherwise `unpaired`, or `none` if a model has no losses.
        """
        champion, challenger = (side.count for side in self._sides)
        if (
            self._paired.count and 2 * self._paired.count >= challenger
        ):  # most of its rows are paired: the challenger is in shadow
            return "paired"
        return "unpaired" if champion and challenger else "none"

    def _subtract(self, basis: PairBasis) -> _Difference:
        """Subtract the champion's mean loss from the challenger's."""
        champion, challenger = self._sides
        spare = 1.0
        if not self._has_codes:
            squares = [side.mean_square for side in self._sides if side.count]
            spare = float(np.mean(squares)) if squares else 1.0
        if basis == "paired":
            mean, count = self._paired.mean, self._paired.count
            effect = self.groups.effect(PAIRED, mean)
            variance, rows = self._paired.error_variance(spare, effect), count / effect
            return _Difference(mean, variance, rows, count, rows)
        effects = self._find_effects()
        worth = min(side.count / own for side, own in zip(self._sides, effects, strict=True))
        difference = subtract_means(challenger, champion, spare, (effects[1], effects[0]))
        return _Difference(*difference, min(champion.count, challenger.count), worth)

    def _find_effects(self) -> tuple[float, float]:
        """Return how many labels of the champion, and of the challenger, count as one."""
        champion, challenger = self._sides
        return self.groups.effect(0, champion.mean), self.groups.effect(1, challenger.mean)

    def _decide(self) -> None:
        """Decide once the confidence sequence excludes the margin; a decision is never revised.

        Without a difference, the probability of any decision is at most `alpha`.
        """
        difference = self._subtract(self._find_basis())
        if self.is_decided or difference.effective_labels < _LEAST_LABELS:
            return
        bounds = bound_mean(*difference[:4], self._alpha)
        is_better = bounds.high < -self._margin
        if is_better or bounds.low > -self._margin:
            self._decision = "challenger" if is_better else "champion"
            self._decided_after = difference.count

    def summarise(self) -> LossSummary:
        """Return the comparison so far."""
        basis, effects = self._find_basis(), self._find_effects()
        difference = self._subtract(basis)
        value, variance, rows = difference[:3]
        has_few = difference.effective_labels < _LEAST_LABELS
        return LossSummary(
            decision=self._decision,
            decided_after=self._decided_after,
            difference=bound_mean(*difference[:4], self._alpha),
            effective_labels=difference.effective_labels,
            log10_e_value=0.0 if has_few else weigh_mean(value + self._margin, variance, rows),
            basis=basis,
            champion=self._sides[0].estimate(self._alpha, effects[0]),
            challenger=self._sides[1].estimate(self._alpha, effects[1]),
        )
