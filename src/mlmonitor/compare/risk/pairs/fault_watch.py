"""Watch for a label fault that explains a loss, in the newest pairs."""

from collections.abc import Collection, Hashable, Sequence
from typing import Final

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.compare.causes.common_cause import CommonCause
from mlmonitor.compare.risk.pairs.label_faults import (
    LABEL_FAULTS,
    UNRELATED,
    ToleratedLoss,
    are_unrelated,
    list_faults,
    list_worse,
)
from mlmonitor.compare.risk.pairs.number_faults import EITHER
from mlmonitor.compare.risk.pairs.recent_pairs import KEPT_PAIRS, RecentPairs, cut_pairs

_SIZES: Final = (32, 64, 128, 256, 512, KEPT_PAIRS)
"""The numbers of newest pairs that are examined; several, as the start of a fault is unknown."""

_LEVELS: Final = ("scaled", "shifted")
"""Causes that more pairs may distinguish."""

_REFUTING: Final = 64
"""The number of pairs since a fault was last found whose unexplained loss refutes it."""

_PROVING: Final = 256
"""The number of pairs with a tolerated loss that show that a drift is harmless."""


class LabelFaultWatch:
    """Searches for a label fault whenever the loss of the newest pairs is too large.

    A fault is remembered while the loss is tolerated again, because labels from before the repair
    still count in longer windows. It is refuted by pairs with a large loss that no fault explains.

    Labels unrelated to predictions are a fault only if no feature, prediction or actual has
    drifted, except by a drift that many pairs with a tolerated loss have shown to be harmless.
    Price: 80 bytes for each of 1,024 pairs; some milliseconds for new pairs with a large loss.
    """

    def __init__(self) -> None:
        self.fault: CommonCause | None = None
        """The newest fault that has not been refuted."""
        self._pairs = RecentPairs()
        self._new_pairs = self._pairs_since_fault = self._worse_pairs = 0
        self._usual: frozenset[str] = frozenset()
        self._sound: OutcomeBlock | None = None
        self._sound_pairs: dict[Hashable, int] = {}

    @property
    def is_due(self) -> bool:
        """Whether there are pairs that have not been examined yet."""
        return self._new_pairs > 0

    def ingest(self, block: OutcomeBlock) -> None:
        """Add pairs, in the order of their labels."""
        self._pairs.ingest(block)
        self._new_pairs += block.rows

    def update(
        self, plan: OutcomePlan, tolerated: Sequence[ToleratedLoss], drifts: Collection[Hashable]
    ) -> None:
        """Examine the newest pairs; `drifts` identifies the firing alerts about drift."""
        pairs, added = self._pairs.block, self._new_pairs
        self._new_pairs = 0
        if pairs is None:
            return
        self._pairs_since_fault += added
        self._sound_pairs = {drift: self._sound_pairs.get(drift, 0) for drift in drifts}
        may_be_unrelated = all(rows >= _PROVING for rows in self._sound_pairs.values())
        windows = [cut_pairs(pairs, slice(-size, None)) for size in _SIZES if size <= pairs.rows]
        worse = [window for window in windows if list_worse(plan, window, tolerated)]
        if not worse:
            self._worse_pairs = 0
            self._learn(plan, windows, tolerated, added)
            return
        self._worse_pairs += added
        fault = self._find(plan, worse, tolerated, may_be_unrelated=may_be_unrelated)
        if fault is not None:
            self.fault, self._pairs_since_fault = fault, 0
        elif self._pairs_since_fault >= _REFUTING:
            since = cut_pairs(pairs, slice(-self._pairs_since_fault, None))
            if list_worse(plan, since, tolerated):
                self.fault = None

    def _learn(
        self,
        plan: OutcomePlan,
        windows: Sequence[OutcomeBlock],
        tolerated: Sequence[ToleratedLoss],
        added: int,
    ) -> None:
        """Learn from pairs with a tolerated loss which faults and drifts do not matter."""
        for drift in self._sound_pairs:
            self._sound_pairs[drift] += added
        if windows:
            self._sound = windows[-1]
            faults = list_faults(plan, windows[-1], tolerated)
            self._usual = frozenset(fault.title for fault in faults)

    def _find(
        self,
        plan: OutcomePlan,
        windows: Sequence[OutcomeBlock],
        tolerated: Sequence[ToleratedLoss],
        *,
        may_be_unrelated: bool,
    ) -> CommonCause | None:
        fault: CommonCause | None = None
        for window in windows:
            listed = list_faults(plan, window, tolerated, self._sound)
            newest = next((one for one in listed if one.title not in self._usual), None)
            if fault is None or (newest is not None and newest.cause in _LEVELS):
                fault = newest or fault
            elif newest is None:
                break
            if fault is not None and EITHER not in fault.title:
                break
        if fault is not None:
            return fault
        # A weaker association only shows in many pairs, so short windows are not judged.
        least = min(self._worse_pairs, KEPT_PAIRS) / 2
        long = (window for window in windows if window.rows >= least)
        if may_be_unrelated and any(are_unrelated(plan, window, tolerated) for window in long):
            return UNRELATED
        return None

    @property
    def current(self) -> CommonCause | None:
        """The fault, if it was found in some of the newest pairs; otherwise None."""
        return self.fault if self._pairs_since_fault < KEPT_PAIRS else None

    @property
    def label_fault(self) -> CommonCause | None:
        """The fault, if a model trained on such labels would learn it; otherwise None."""
        fault = self.fault
        return None if fault is None or fault.cause not in LABEL_FAULTS else fault
