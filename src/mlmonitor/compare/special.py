"""The one special function that serving needs, in numpy: scipy stays where models are trained."""

import numpy as np

from mlmonitor.records import Floats

_HALF_LOG_TWO_PI = 0.918938533204672741780
_SHIFT = 8.0


def log_gamma(x: Floats) -> Floats:
    """The logarithm of the gamma function for positive `x`, to about twelve digits.

    Source: Stirling's series, after moving arguments below 8 up by the recurrence.
    """
    is_small = x < _SHIFT
    y = np.where(is_small, x + _SHIFT, x)
    inverse = 1.0 / y
    square = inverse * inverse
    series = inverse * (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square / 1680)))
    value = (y - 0.5) * np.log(y) - y + _HALF_LOG_TWO_PI + series
    if not is_small.any():
        return value
    start = np.where(is_small, x, 1.0)
    product = np.prod([start + step for step in range(int(_SHIFT))], axis=0)
    return np.where(is_small, value - np.log(product), value)
