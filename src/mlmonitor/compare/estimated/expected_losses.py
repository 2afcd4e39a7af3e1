"""Expected losses of live predictions, in the bins of realised losses."""

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.risk.risk_baseline import RiskBaseline
from mlmonitor.formats.reference.calibration_entries import CalibrationReference
from mlmonitor.records import Counts, Floats


class ExpectedLosses:
    """Sums of the expected losses of live predictions, by bin.

    An expected loss between the values of two bins is divided between them, so that the mean stays
    exact.
    Promise: evidence from divided losses never exceeds that of the losses themselves, because the
        logarithm of a bet is concave in the loss.
    Price: 330 bytes for a regression, 24 for classes.
    """

    def __init__(self, bins: LossBins) -> None:
        self.bins: LossBins = bins
        self.rows: int = 0
        self.totals: Floats = np.zeros(len(bins.values) + 1)

    def update(self, losses: Floats) -> None:
        """Add expected losses, in the unit of the loss."""
        self.rows += losses.size
        self.totals += split_losses(self.bins, losses, np.ones(losses.size))


def split_losses(bins: LossBins, losses: Floats, rows: Floats) -> Floats:
    """Return the rows by bin, followed by the sum of all losses.

    Each row is divided between the two bins around its loss, so that their mean is the loss. rows:
    the number of rows with each loss.
    """
    values = bins.values
    shares = np.clip(losses / bins.scale, values[0], values[-1])
    upper = np.clip(np.searchsorted(values, shares, side="left"), 1, values.size - 1)
    parts = (shares - values[upper - 1]) / (values[upper] - values[upper - 1])
    totals: Floats = np.bincount(upper, rows * parts, values.size + 1).astype(np.float64)
    totals += np.bincount(upper - 1, rows * (1 - parts), values.size + 1)
    totals[-1] = float(rows @ losses)
    return totals


def expected_baseline(
    calibration: CalibrationReference, realised: RiskBaseline | None
) -> RiskBaseline | None:
    """Return the expected losses of the training rows; None if they are unknown.

    For a regression, these are the mean errors of the calibration's bins. For classes, the realised
    losses are used: their mean is the same, and their larger spread makes the comparison more
    cautious.
    """
    if calibration.task != "regression":
        is_own = realised is not None and realised.basis == "reference"
        return realised if is_own else None
    errors = calibration.maps[0]
    rows = np.array(errors.rows, np.float64)
    means = np.array(errors.sums, np.float64) / np.maximum(rows, 1)
    scale = float(means[rows > 0].max(initial=0.0))
    if not scale > 0:
        return None
    bins = LossBins("mae", scale)
    totals = split_losses(bins, means, rows)
    counts = np.rint(totals[:-1]).astype(np.int64)
    return RiskBaseline(bins, counts, float(totals[-1]) / float(rows.sum()), "reference")


def class_losses(calibration: CalibrationReference, expected: Floats, predicted: Counts) -> Floats:
    """Return the probability that each row's predicted class is wrong."""
    if calibration.task == "binary":
        wrong: Floats = np.where(predicted == calibration.positive, 1 - expected[0], expected[0])
        return wrong
    factors = np.diag(np.array(calibration.corrections, np.float64))
    right = expected[predicted, np.arange(predicted.size)] * factors[predicted]
    losses: Floats = 1.0 - np.minimum(right, 1.0)
    return losses
