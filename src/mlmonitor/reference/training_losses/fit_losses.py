"""Summarise the losses of training rows, with which the live risk is compared."""

from collections.abc import Mapping

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import LossBins, measure_losses
from mlmonitor.formats.reference.loss_entries import LossReference
from mlmonitor.reference.training_losses.exact_predictions import (
    count_exact_predictions,
    warn_of_exact_predictions,
)
from mlmonitor.reference.training_losses.rank_pairs import RANKED, pair_training_rows
from mlmonitor.reference.training_losses.training_outcomes import Column, read_training_outcomes


def fit_losses(predictions: Mapping[str, Column], actual: Column | None) -> list[LossReference]:
    """Return the losses by measure; empty if predictions and actuals cannot be compared.

    Suspiciously exact predictions are logged. Price: one pass over the pairs at fit.
    """
    outcomes = None if actual is None else read_training_outcomes(predictions, actual)
    if outcomes is None:
        return []
    warn_of_exact_predictions(count_exact_predictions(outcomes), outcomes.block.rows)
    entries = []
    by_measure = measure_losses(outcomes.plan, outcomes.block)
    by_measure[RANKED] = pair_training_rows(outcomes.plan, outcomes.block)
    for measure, losses in by_measure.items():
        finite = losses[np.isfinite(losses)]
        with np.errstate(over="ignore"):
            mean = float(finite.mean()) if finite.size else float("nan")
        if np.isfinite(mean):
            bins = LossBins.fit(measure, finite)
            counts = bins.count_losses(finite)[:-1].astype(np.int64).tolist()
            entry = LossReference(measure=measure, scale=bins.scale, mean=mean, counts=counts)
            entries.append(entry)
    return entries
