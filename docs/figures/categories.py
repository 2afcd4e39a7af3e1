"""Draw docs/figures/categories.png: counts of names in constant memory, and the true counts."""

from collections import Counter

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, GREY, ORANGE, save
from matplotlib.axes import Axes

from mlmonitor.aggregate.sketches.distinct import Distinct
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters

SIZE, BLOCKS, BLOCK_ROWS, NAMES = 50, 100, 1_000, 20_000


def hitters(axes: Axes) -> None:
    """Draw Space-Saving's counts of Zipf-distributed names, after 100 blocks of 1,000 rows."""
    rng = np.random.default_rng(1)
    share = 1 / np.arange(1, NAMES + 1)
    sketch, true = HeavyHitters(SIZE), Counter[str]()
    for _ in range(BLOCKS):
        block = Counter(map(str, rng.choice(NAMES, BLOCK_ROWS, p=share / share.sum()).tolist()))
        sketch.update(block)
        true.update(block)
    top = sketch.top()
    counts, errors = np.array([(hit.count, hit.error) for hit in top]).T
    ranks = np.arange(1, len(top) + 1)
    axes.vlines(
        ranks,
        counts - errors,
        counts,
        color=BLUE,
        lw=4,
        alpha=0.4,
        label="from count - error to count",
    )
    axes.plot(
        ranks, [true[hit.name] for hit in top], "_", color=ORANGE, ms=8, mew=2, label="true count"
    )
    axes.axhline(sketch.total / SIZE, color=GREY, ls=":", label="total / size: all above are kept")
    axes.set(xlabel="name, by rank", ylabel="rows", yscale="log")
    axes.legend(frameon=False, fontsize=8)


def distinct(axes: Axes) -> None:
    """Draw the errors of estimated distinct counts, for ten sketches of each size."""
    sizes = np.unique(np.geomspace(10, 100_000, 13).astype(int))
    for size in sizes.tolist():
        estimates = []
        for run in range(10):
            sketch = Distinct()
            sketch.update(f"{run}-{name}" for name in range(size))
            estimates.append(sketch.estimate() / size - 1)
        axes.plot([size] * 10, np.array(estimates) * 100, "o", ms=3, color=BLUE, alpha=0.5)
    axes.axhspan(
        -Distinct.RELATIVE_ERROR * 100, Distinct.RELATIVE_ERROR * 100, color=GREY, alpha=0.2
    )
    axes.set(
        xscale="log", xlabel="different names", ylabel="error of the estimate, %", ylim=(-8, 8)
    )
    axes.annotate("promised for 95 in 100", (12, 5.3), fontsize=8)


def main() -> None:
    """Draw the counts of names on the left and distinct counts on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4))
    hitters(left)
    distinct(right)
    save(figure, __file__)


if __name__ == "__main__":
    main()
