"""Evidence of drift from PSI and numbers of rows, for backends that have no gamma function."""

from typing import Final

import numpy as np

from mlmonitor.records import Floats
from mlmonitor.stats.distance import Table, psi, sampling_noise

MIXTURE_ROWS: Final = 200.0
"""The weight of the alternatives around the reference's shares, in rows."""


def log_psi_evidence(
    reference: Table, current: Table, design_effects: Floats | float = 1.0
) -> Floats:
    """Return the log e-value of each field's drift, from counts `[fields, bins]`.

    Without drift, `(q - p) / sqrt(p)` is nearly normal with the variance `noise = 1/n + 1/m`, where
    `p` and `q` are a bin's shares of `n` reference rows and `m` current rows. PSI is the sum of the
    squares. The alternative adds the variance `1 / MIXTURE_ROWS`. The likelihood ratio of both is
    `exp(PSI / noise / (2 (1 + w))) / sqrt(1 + 1/w) ** freedom`, with `w = MIXTURE_ROWS * noise`.
    For many rows it approximates the e-value of `EProcess` without restarts.

    Promise: as counts grow, the probability that it ever exceeds `ln(1 / alpha)` without drift
        tends to at most `alpha`, because the current shares are sufficient for their mean, so the
        ratio is that of all rows so far and thus a martingale. At `alpha = 0.01`, 0.5% of 6,000
        streams of 100,000 rows reach it, and 1.8% of the worst kind (bins of 1%).
    design_effects: how many rows count as one independent row.
    Source: Robbins, "Statistical methods related to the law of the iterated logarithm", 1970, for
        the normal mixture; Yurdakul and Naranjo, 2020, for the law of PSI.
    """
    noise = design_effects * sampling_noise(reference.sum(axis=1), current.sum(axis=1))
    freedom = np.maximum(np.count_nonzero(reference + current, axis=1) - 1.0, 1.0)
    weight = MIXTURE_ROWS * noise
    log_e: Floats = psi(reference, current) / noise / (1 + weight)
    log_e = (log_e - freedom * np.log1p(1 / weight)) / 2
    return np.nan_to_num(log_e)
