"""Draw docs/figures/moments.png: rounding errors of standard deviations far from zero."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, ORANGE, save

from mlmonitor.aggregate.sketches.moments import Moments

OFFSETS = 10.0 ** np.arange(16)
ROWS, BLOCK = 10_000, 500


def errors(offset: float, values: np.ndarray) -> tuple[float, float]:
    """Return the relative errors of the standard deviation by `Moments` and by sums of squares."""
    moved = values + offset
    exact = float((moved.astype(np.longdouble) - np.longdouble(offset)).std())
    ours = Moments(1)
    for start in range(0, ROWS, BLOCK):
        ours.update(moved[None, start : start + BLOCK])
    plain = np.sqrt(max((moved**2).sum() / ROWS - (moved.sum() / ROWS) ** 2, 0.0))
    return abs(ours.stddev[0] / exact - 1), abs(plain / exact - 1)


def main() -> None:
    """Draw both errors against the mean of the values."""
    values = np.random.default_rng(1).normal(size=ROWS)
    largest = np.maximum([errors(offset, values) for offset in OFFSETS], 1e-17)
    figure, axes = plt.subplots(figsize=(6.5, 3.2))
    axes.loglog(OFFSETS, largest[:, 1], "s--", color=ORANGE, ms=4, label="sum and sum of squares")
    axes.loglog(OFFSETS, largest[:, 0], "o-", color=BLUE, ms=4, label="Moments, 20 blocks merged")
    axes.set(xlabel="mean of the values, their deviation being 1", ylabel="relative error of it")
    axes.legend(frameon=False)
    save(figure, __file__)


if __name__ == "__main__":
    main()
