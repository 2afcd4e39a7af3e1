"""Dirichlet distributions of shares, and the pseudo-counts of their bins."""

import numpy as np

from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.dependence.design_effects import DesignEffects
from mlmonitor.stats.special import log_gamma

PRIOR = 0.5
"""Half a count a bin, Jeffreys' prior of a multinomial."""


def effective_reference(reference: Counts, dependence: DesignEffects | None) -> Counts | Floats:
    """Return the reference's counts, divided by the design effects of its rows."""
    if dependence is None:
        return reference
    effective: Floats = reference / dependence.at_reference(reference.sum(axis=-1))[..., None]
    return effective


def least_pseudo_counts(prior: Floats | None, present: Mask) -> Floats:
    """Return the smallest pseudo-count of each bin: half a count, or `prior` if that is less."""
    if prior is None:
        return np.where(present, PRIOR, 0.0)
    is_less = present & (prior > 0)
    return np.where(is_less, np.minimum(prior, PRIOR), np.where(present, PRIOR, 0.0))


def log_beta(a: Floats, present: Mask) -> Floats:
    """Return the log normaliser of Dirichlet distributions with parameters `a` on the last axis.

    present: the parameters in use; all others are 0.
    """
    parameters = np.empty((*a.shape[:-1], a.shape[-1] + 1))  # the last one is their sum
    np.maximum(a.sum(axis=-1), PRIOR, out=parameters[..., -1])
    parameters[..., :-1] = np.where(present, a, 1.0)  # log_gamma(1) is 0, so it has no effect
    logarithms = log_gamma(parameters)
    normaliser: Floats = logarithms[..., :-1].sum(axis=-1) - logarithms[..., -1]
    return normaliser
