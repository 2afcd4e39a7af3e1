"""Draw docs/figures/quality.png: a share of missing values that triples, and its evidence."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts
from mlmonitor.stats.proportions import critical_share

REFERENCE, BEFORE, AFTER = 10_000, 0.01, 0.03
SIZE, LOOKS, CHANGE = 100, 100, 50


def main() -> None:
    """Evaluate 100 blocks of 100 rows, in which 1% of the values are missing, and later 3%."""
    rng = np.random.default_rng(8)
    counted = rng.binomial(REFERENCE, BEFORE)
    belief = np.array([[counted + 0.5, REFERENCE - counted + 0.5]])
    level = Significance(0.01, 20, 0.005).quality_threshold / np.log(10)
    subject = ProportionAlerts(belief, threshold=level * np.log(10), tolerance=0.001, min_rows=0)
    bad = rng.binomial(SIZE, np.where(np.arange(LOOKS) < CHANGE, BEFORE, AFTER))
    evidence, raised_at = [], LOOKS
    for at, count in enumerate(bad.tolist()):
        evaluation = subject.evaluate(np.array([[count, SIZE - count]]), now=float(at))
        evidence.append(float(evaluation.log10_e[0]))
        if evaluation.transitions.fired[0]:
            raised_at = at
    limit = float(critical_share(belief, np.array([SIZE]))[0])
    draw(bad, evidence, level, limit, raised_at)


def draw(
    bad: np.ndarray, evidence: list[float], level: float, limit: float, raised_at: int
) -> None:
    """Draw the shares above and the evidence below."""
    figure, (above, below) = plt.subplots(
        2, 1, figsize=(8, 5), sharex=True, layout="constrained", height_ratios=(1.2, 1)
    )
    x = np.arange(1, LOOKS + 1) * SIZE
    above.bar(x, bad / SIZE, width=70, color="tab:blue", label="missing, of each hundred rows")
    above.axhline(limit, color="tab:red", lw=1.2, label="by chance, once in a hundred looks")
    above.set(ylabel="share missing", title="1% missing becomes 3%: shares, and evidence")
    above.legend(loc="upper left", frameon=False)
    below.plot(x, evidence, color="black", lw=1.8)
    below.axhline(level, color="tab:red", lw=1.2)
    below.text(x[0], level - 0.15, "alert", color="tab:red", va="top")
    below.set(xlabel="rows", ylabel="evidence, log10")
    for axes in (above, below):
        axes.axvline(CHANGE * SIZE, color="grey", ls=":")
        axes.spines[["top", "right"]].set_visible(False)
    if raised_at < LOOKS:
        below.axvline(x[raised_at], color="tab:red", ls="--", lw=1)
    figure.savefig(Path(__file__).with_name("quality.png"), dpi=110)


if __name__ == "__main__":
    main()
