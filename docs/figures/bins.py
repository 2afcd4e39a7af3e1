"""Draw docs/figures/bins.png: the edges of bins, with and without point masses."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, GREY, ORANGE, save

from mlmonitor.aggregate.sketches.bins import quantile_edges

ROWS = 50_000


def main() -> None:
    """Draw the shares of bins for a continuous field, counts, and a field that is mostly zero."""
    rng = np.random.default_rng(1)
    samples = {
        "continuous: tenths": rng.lognormal(0.0, 1.0, ROWS),
        "counts: a bin each for the frequent": rng.poisson(3.0, ROWS).astype(np.float64),
        "mostly zero: the point mass by itself": np.maximum(rng.normal(-0.5, 1.0, ROWS), 0.0),
    }
    figure, all_axes = plt.subplots(1, 3, figsize=(9, 2.9), sharey=True)
    for axes, (title, values) in zip(all_axes, samples.items(), strict=True):
        edges = quantile_edges(np.sort(values))
        counts = np.bincount(np.searchsorted(edges, values), minlength=edges.size + 1)
        is_point = [
            np.unique(values[np.searchsorted(edges, values) == b]).size == 1
            for b in range(counts.size)
        ]
        axes.bar(
            np.arange(counts.size),
            counts / ROWS,
            color=np.where(is_point, ORANGE, BLUE),
            width=0.85,
        )
        axes.axhline(0.1, color=GREY, lw=0.9, ls=":")
        names = [f"{edge:.2g}" for edge in edges]
        axes.set_xticks(np.arange(edges.size) + 0.5, names, fontsize=7, rotation=45)
        axes.set_title(title, fontsize=9)
        axes.set_xlabel("edge")
    all_axes[0].set_ylabel("share of the rows")
    for color, name in ((BLUE, "several values"), (ORANGE, "one value")):
        all_axes[2].bar(0, 0, color=color, label=name)
    all_axes[2].legend(frameon=False)
    save(figure, __file__)


if __name__ == "__main__":
    main()
