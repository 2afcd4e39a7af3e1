"""Draw docs/figures/distances.png: the PSI of windows without drift, by window size."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, GREY, ORANGE, save

from mlmonitor.stats.critical_values import CriticalValues
from mlmonitor.stats.distance import psi
from mlmonitor.stats.simulated_values import simulate_distances

SIZES = np.geomspace(20, 10_000, 25).astype(int)
WINDOWS, REFERENCE_ROWS = 4_000, 5_000


def main() -> None:
    """Draw median, 90% range, 99% quantile, critical values and the rule of thumb."""
    rng = np.random.default_rng(1)
    shares = np.full(10, 0.1)
    reference = np.full((1, 10), REFERENCE_ROWS // 10)
    critical = CriticalValues([simulate_distances(reference[0], is_ordered=True)], reference)
    points, limits = [], []
    for size in SIZES.tolist():
        windows = rng.multinomial(size, shares, WINDOWS)
        then = rng.multinomial(REFERENCE_ROWS, shares, WINDOWS)
        points.append(np.quantile(psi(then, windows), [0.05, 0.5, 0.95, 0.99]))
        limits.append(critical.at(windows[:1])["psi"][0])
    low, middle, high, most = np.array(points).T
    figure, axes = plt.subplots(figsize=(7, 3.8))
    axes.fill_between(SIZES, low, high, color=BLUE, alpha=0.2, lw=0, label="nine windows in ten")
    axes.plot(SIZES, middle, color=BLUE, label="median")
    axes.plot(SIZES, most, "o", color=BLUE, ms=4, label="99% of windows lie below")
    axes.plot(SIZES, limits, color=ORANGE, label="critical value")
    axes.axhline(0.2, color="0.2", ls="--", lw=0.9)
    axes.annotate("rule of thumb: 0.2 is a major shift", (650, 0.215), fontsize=8)
    axes.axhline(0.1, color=GREY, ls="--", lw=0.9)
    axes.annotate("and 0.1 a minor one", (650, 0.107), fontsize=8, color="0.4")
    axes.set(xscale="log", yscale="log", xlabel="rows of the window", ylabel="PSI without drift")
    axes.legend(frameon=False, loc="lower left")
    save(figure, __file__)


if __name__ == "__main__":
    main()
