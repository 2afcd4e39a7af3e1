"""All distances of many windows from one reference, with common terms computed once."""

import numpy as np
from numpy.typing import NDArray

from mlmonitor.records import Counts, Floats


def joint_distances(reference: Counts, windows: Counts) -> dict[str, Floats]:
    """Compute every distance of counts except `ks`, `[windows]`, by its exported name.

    reference: `[bins]`, missing values last, with at least one row; windows: `[windows, bins]`, all
    of the same number of rows, at least one.
    Promise: equal up to rounding to the functions of `distance`, in a quarter of the time.
    """
    n, m = float(reference.sum()), float(windows[0].sum())
    present = (windows > 0) | (reference > 0)
    present_bins = np.count_nonzero(present, axis=1)
    noise, freedom = 1 / n + 1 / m, np.maximum(present_bins - 1.0, 0.0)
    then, now = reference.astype(np.float64), windows.astype(np.float64)
    psi = _compute_psi(then, now, present, present_bins)
    p, q = then / n, now / m
    squares = ((np.sqrt(p) - np.sqrt(q)) ** 2).sum(axis=1) / 2
    ratio = np.sqrt(n / m)
    terms = (ratio * now - then / ratio) ** 2 / np.maximum(now + then, 1)
    return {
        "psi": psi,
        "psi_debiased": psi - noise * freedom,
        "js": np.sqrt(np.clip(_compute_divergence(p, q), 0.0, 1.0)),
        "hellinger": np.sqrt(np.clip(squares, 0.0, 1.0)),
        "tv": np.abs(p - q).sum(axis=1) / 2,
        "chi2": terms.sum(axis=1),
    }


def _compute_psi(
    then: Floats, now: Floats, present: NDArray[np.bool_], present_bins: Counts
) -> Floats:
    """PSI with half a count in each present bin; an absent one adds nothing."""
    halves = present_bins[:, None] / 2
    p = (then + 0.5) / (then.sum() + halves)
    q = (now + 0.5) / (now.sum(axis=1, keepdims=True) + halves)
    sums: Floats = np.where(present, (q - p) * np.log(q / p), 0.0).sum(axis=1)
    return sums


def _compute_divergence(p: Floats, q: Floats) -> Floats:
    """Return the divergence to base 2, which is exactly 0 for equal shares."""
    middle = (p + q) / 2
    divergence: Floats = (
        _compute_relative_entropies(p, middle) + _compute_relative_entropies(q, middle)
    ) / 2
    return divergence


def _compute_relative_entropies(shares: Floats, middle: Floats) -> Floats:
    ratio = np.divide(shares, middle, out=np.ones_like(middle), where=shares > 0)
    entropies: Floats = (shares * np.log2(ratio)).sum(axis=1)
    return entropies
