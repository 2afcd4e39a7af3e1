"""Draw docs/figures/dependence.png: design effects by block length, and tolerated changes."""

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
from drawing import save

from mlmonitor.stats.dependence.overdispersion import block_effects
from mlmonitor.stats.evidence.effect_bounds import COMMON_SHARE
from mlmonitor.testing import streams

ROWS, BINS = 20_000, 10
KINDS = {
    "independent": streams.independent,
    "groups of 20, half shared": partial(streams.grouped, size=20),
    "autoregressive, 0.9": partial(streams.autoregressive, correlation=0.9),
    "days that differ by 0.2 sd": partial(streams.varying_days, deviation=0.2),
    "sorted batches of 500": streams.sorted_batches,
}


def main() -> None:
    """Draw design effects on the left and tolerated changes on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    for name, make in KINDS.items():
        values = make(ROWS, seed=1, fields=1).columns["x0"]
        cells = np.searchsorted(np.quantile(values, np.arange(1, BINS) / BINS), values)
        curve = block_effects(cells, BINS + 1, is_ordered=True)
        left.plot(curve.rows, curve.effects, marker=".", label=name)
    left.set(xscale="log", yscale="log", xlabel="rows of a block", title="design effect")
    left.legend(frameon=False, fontsize=7)
    shares = np.geomspace(1e-4, 0.5, 400)
    for tolerance in (0.005, 0.02):
        by_psi = np.sqrt(tolerance / shares)
        relative = np.minimum(by_psi, np.sqrt(tolerance / COMMON_SHARE))
        right.plot(shares, np.maximum(relative, 0.001 / shares), label=f"tolerance {tolerance}")
        right.plot(shares, by_psi, ls=":", color="0.5", label="a PSI alone" * (tolerance < 0.01))
    right.set(xscale="log", yscale="log", ylim=(0.08, 10), xlabel="share of a bin")
    right.set(title="relative change that is tolerated")
    right.legend(frameon=False, fontsize=7)
    save(figure, __file__)


if __name__ == "__main__":
    main()
