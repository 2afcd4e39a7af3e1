"""Draw docs/figures/tdigest.png: rank errors of quantiles, and the promised bounds."""

import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, GREY, ORANGE, save

from mlmonitor.aggregate.sketches.tdigest import TDigest

sys.path.append(str(Path(__file__).parents[2] / "tests"))
from support import streams

ROWS, BLOCK = 102_400, 512
LOGITS = np.linspace(-9, 9, 217)
Q = 1 / (1 + np.exp(-LOGITS))
GAPPED = ("step", "two-humps")


def rank_errors(name: str) -> np.ndarray:
    """Return the rank error of each quantile after blocks of 512 rows."""
    values = streams.stream(name, rows=ROWS)
    digest = TDigest(1)
    for start in range(0, ROWS, BLOCK):
        digest.update(values[None, start : start + BLOCK])
    estimates, ordered = digest.quantile(Q)[0], np.sort(values)
    low, high = (ordered.searchsorted(estimates, side=side) / ROWS for side in ("left", "right"))
    return np.maximum(np.maximum(low - Q, Q - high), 0.0)


def main() -> None:
    """Draw the largest error over all streams without a gap, and the errors of two with a gap."""
    figure, axes = plt.subplots(figsize=(7, 3.8))
    by_stream = {name: rank_errors(name) for name in streams.STREAMS}
    others = np.array([errors for name, errors in by_stream.items() if name not in GAPPED])
    axes.fill_between(LOGITS, 1e-7, others.max(axis=0), color=GREY, alpha=0.35, lw=0)
    axes.plot(LOGITS, others.max(axis=0), color=GREY, lw=1, label=f"worst of {len(others)} streams")
    for name, color in zip(GAPPED, (ORANGE, BLUE), strict=True):
        axes.semilogy(LOGITS, np.maximum(by_stream[name], 1e-7), color=color, lw=0.9, label=name)
    outer = np.abs(LOGITS) >= np.log(999)
    promised = np.where(outer, TDigest.TAIL_ERROR, TDigest.MIDDLE_ERROR)
    axes.step(LOGITS, promised, color="0.1", lw=1.2, where="mid", label="promised")
    axes.axhline(TDigest.WORST_ERROR, color="0.1", lw=1.2, ls=":", label="promised beside a gap")
    shown = np.array([0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999])
    axes.set_xticks(np.log(shown / (1 - shown)), [f"{q:g}" for q in shown])
    axes.set(xlabel="quantile", ylabel="error of its rank", ylim=(1e-5, 0.2), xlim=(-9, 9))
    axes.legend(frameon=False, ncols=3, fontsize=8, loc="upper center", bbox_to_anchor=(0.5, 1.22))
    save(figure, __file__)


if __name__ == "__main__":
    main()
