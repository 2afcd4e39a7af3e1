"""Losses of predictions made since certain times, to judge drift that began at these times."""

from collections.abc import Collection, Iterable, Mapping
from typing import Final, Literal, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import to_measure
from mlmonitor.compare.risk.risk_stream import RiskStream
from mlmonitor.formatting import short
from mlmonitor.records import Floats, Mask

ENOUGH_LABELS: Final = 300
"""Minimum number of labels since a drift began that can show that it is benign."""

MOST_TIMES: Final = 20
"""Maximum number of times that are watched, the oldest first."""

Harm = Literal["harmful", "benign", "unknown"]


class HarmFinding(NamedTuple):
    """Whether the labels since a time show harm, and the reason as text."""

    harm: Harm
    reason: str


NO_FINDING: Final = HarmFinding("unknown", "")


class LossesSince:
    """Sums of losses by measure, over the predictions made since each of several times.

    Price: 350 bytes for each time and measure; one comparison of each label's prediction time.
    """

    def __init__(self) -> None:
        self._totals: dict[float, dict[str, Floats]] = {}

    def watch(self, times: Collection[float]) -> None:
        """Sum the losses since each of these times, in seconds since 1970; drop all other times."""
        kept = sorted(times)[:MOST_TIMES]
        self._totals = {time: self._totals.get(time, {}) for time in kept}

    def reset(self) -> None:
        """Set all sums to zero, but keep the times."""
        self._totals = {time: {} for time in self._totals}

    def ingest(
        self, streams: Mapping[str, RiskStream], losses: Mapping[str, Floats], at: Floats
    ) -> None:
        """Add losses. at: the time of each prediction, in seconds since 1970."""
        for time, totals in self._totals.items():
            is_since: Mask = at >= time
            if is_since.any():
                for measure, stream in streams.items():
                    added = stream.baseline.bins.count_losses(losses[measure][is_since])
                    totals[measure] = totals.get(measure, np.zeros(added.size)) + added

    def judge(self, time: float, streams: Iterable[RiskStream]) -> HarmFinding:
        """Return whether the predictions made since a time are as good as those at training.

        The finding is `benign` or unknown; harm is shown by alerts.
        """
        totals = self._totals.get(time, {})
        findings: list[str] = []
        for stream in streams:
            bins = stream.baseline.bins
            counts = totals.get(bins.measure)
            if counts is None:
                continue
            rows = int(counts[:-1].sum())
            loss = bins.mean_loss(np.rint(counts[:-1]).astype(np.int64))
            if loss > stream.limit:
                return NO_FINDING
            if rows >= ENOUGH_LABELS:
                value = to_measure(bins.measure, float(counts[-1]) / rows)
                limit = to_measure(bins.measure, stream.limit)
                text = f"{bins.measure} {short(value)} over {rows:,} labels since"
                findings.append(f"{text}, limit {short(limit)}")
        return HarmFinding("benign", findings[0]) if findings else NO_FINDING
