"""Baselines of losses: the losses at training, or those of the first labels."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import BOUNDED, LossBins, to_measure
from mlmonitor.compare.risk.risk import RiskBasis
from mlmonitor.records import Counts, Floats
from mlmonitor.reference.reference import Reference

BASELINE_LABELS: Final = 500
"""Without losses in the reference, the baseline is this many first labels."""

LOSS_SOURCES: Final = {
    "reference": "in the reference",
    "training_metrics": "at training",
    "first_labels": "over the first labels",
}
"""The source of a baseline's losses, in words, by its basis."""

LEAST_BASELINE: Final = 30
"""Minimum number of first labels with a measure for it to be compared."""

_CERTAIN = 10_000_000  # number of losses assumed behind a mean that counts as exact
_CLIP = 5.0  # times the mean, if only the mean is known


class RiskBaseline(NamedTuple):
    """The losses of one measure at training, by bin. loss: their mean without clipping."""

    bins: LossBins
    counts: Counts
    loss: float
    basis: RiskBasis

    @property
    def clipped_loss(self) -> float:
        """The mean loss after clipping."""
        if self.basis in ("training_metrics", "objective"):
            return self.loss
        return self.bins.mean_loss(self.counts)


def find_baselines(reference: Reference | None) -> dict[str, RiskBaseline]:
    """Return the baseline of each measure in a reference, from its losses or else its metrics."""
    if reference is None:
        return {}
    baselines = {}
    for name, value in reference.content.training_metrics.items():
        baseline = _from_metric(name, value)
        if baseline is not None:
            baselines[name] = baseline
    for entry in reference.content.losses:
        bins = LossBins(entry.measure, entry.scale)
        if len(entry.counts) == len(bins.values):
            counts = np.array(entry.counts, np.int64)
            baselines[entry.measure] = RiskBaseline(bins, counts, entry.mean, "reference")
    return baselines


def _from_metric(measure: str, value: float) -> RiskBaseline | None:
    """Return a baseline from a training metric, which counts as exact; None for other measures."""
    loss = to_measure(measure, value)
    is_share = measure in BOUNDED and 0 <= loss <= 1
    if not is_share and not (measure == "mae" and loss > 0):
        return None
    bins = LossBins(measure, 1.0 if is_share else _CLIP * loss, is_floor=True)
    return certain_baseline(bins, loss, "training_metrics")


def certain_baseline(bins: LossBins, loss: float, basis: RiskBasis) -> RiskBaseline:
    """Return a baseline whose mean is known exactly."""
    counts = np.zeros(len(bins.values), np.int64)
    counts[-1] = round(_CERTAIN * loss / bins.scale)
    counts[0] = _CERTAIN - counts[-1]
    return RiskBaseline(bins, counts, loss, basis)


def baseline_of_labels(bins: LossBins, totals: Floats) -> RiskBaseline | None:
    """Return a baseline from the first losses; None if there are too few."""
    counts = np.rint(totals[:-1]).astype(np.int64)
    rows = int(counts.sum())
    if rows < LEAST_BASELINE:
        return None
    return RiskBaseline(bins, counts, float(totals[-1]) / rows, "first_labels")
