"""Special functions in numpy, so that serving does not need scipy."""

import numpy as np

from mlmonitor.records import Floats

_HALF_LOG_TWO_PI = 0.918938533204672741780
_SHIFT = 8.0
_BLOCK = 16_384  # values; the temporaries of more would not fit into the CPU cache

ONE_IN_A_HUNDRED = 2.3263478740408408
"""The 99% quantile of the standard normal distribution."""

ONE_IN_A_HUNDRED_EITHER_WAY = 2.5758293035489004
ONE_IN_TEN = 1.2815515655446004


def log_gamma(x: Floats) -> Floats:
    """Return the logarithm of the gamma function for positive `x`, to about twelve digits.

    Source: Stirling's series, after raising arguments below 8 by the recurrence.
    """
    parameters = np.asarray(x, np.float64)
    logarithms = np.empty(parameters.shape)
    flat, result = parameters.reshape(-1), logarithms.reshape(-1)
    for start in range(0, flat.size, _BLOCK):
        block = slice(start, start + _BLOCK)
        result[block] = _compute_log_gamma(flat[block])
    return logarithms


def _compute_log_gamma(x: Floats) -> Floats:
    flat = x.copy()  # because the arithmetic below is in place
    small = np.flatnonzero(flat < _SHIFT)
    start = flat[small]
    flat[small] += _SHIFT
    inverse = 1.0 / flat
    near = inverse * inverse
    series = near / -1680
    for term in (1 / 1260, -1 / 360):
        series += term
        series *= near
    series += 1 / 12
    series *= inverse
    value = np.log(flat)
    series += _HALF_LOG_TWO_PI
    series -= flat
    flat -= 0.5
    value *= flat
    value += series
    if small.size:
        # x (x + 1) ... (x + 7) in pairs: with s = x (x + 7) they are s, s + 6, s + 10 and s + 12
        square = start * (start + 7)
        product = square * (square + 6)
        product *= square + 10
        product *= square + 12
        value[small] -= np.log(product)
    return value
