"""What serving needs of special functions, in numpy: scipy stays where models are trained."""

import numpy as np

from mlmonitor.records import Floats

_HALF_LOG_TWO_PI = 0.918938533204672741780
_SHIFT = 8.0

ONE_IN_A_HUNDRED = 2.3263478740408408
"""What a normal deviate passes so often."""

ONE_IN_A_HUNDRED_EITHER_WAY = 2.5758293035489004
ONE_IN_TEN = 1.2815515655446004


def log_gamma(x: Floats) -> Floats:
    """The logarithm of the gamma function for positive `x`, to about twelve digits.

    Source: Stirling's series, after moving arguments below 8 up by the recurrence.
    """
    y = np.array(x, np.float64)  # a copy, and flat: worked on in place, for there are many
    flat = y.reshape(-1)
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
        # (x)(x + 1)...(x + 7), four factors at a time: two of x (x + 7), and so on, in one square
        square = start * (start + 7)
        product = square * (square + 6)
        product *= square + 10
        product *= square + 12
        value[small] -= np.log(product)
    return value.reshape(y.shape)
