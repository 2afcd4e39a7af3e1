"""Draw docs/figures/anomaly.png: the anomaly score detects a change that bands cannot show.

Run `python docs/figures/anomaly.py`; it needs matplotlib.
"""

from pathlib import Path

import matplotlib as mpl
import numpy as np

from mlmonitor import Config, Monitor, Reference
from mlmonitor.records import Floats

mpl.use("Agg")
from matplotlib import pyplot as plt

STEP = 100
CALM, CHANGED = 30, 30


def rows(rng: np.random.Generator, count: int, slope: float) -> dict[str, Floats]:
    """Draw two normal features with correlation `slope`, which does not change either alone."""
    income = rng.normal(size=count)
    noise = rng.normal(size=count) * np.sqrt(1 - slope**2)
    return {"income": 40 + 8 * income, "limit": 12 + 3 * (slope * income + noise)}


def watched(reference: Reference, rng: np.random.Generator) -> tuple[list[float], list[float]]:
    """Return, per 100 rows, the evidence of the score, and the higher one of the two features."""
    config = Config(
        window_seconds=None,
        window_rows=500,
        window_slices=5,
        check_rows=STEP,
        check_interval_seconds=0,
    )
    evidence, single = [], []
    with Monitor("credit", reference=reference, config=config) as monitor:
        for step in range(CALM + CHANGED):
            monitor.record(rows(rng, STEP, 0.8 if step < CALM else -0.8), np.zeros(STEP))
            monitor.flush(timeout_seconds=30)
            status = monitor.status()
            score = status.field("anomaly_score", role="derived")
            evidence.append(score.log10_e_value or 0)
            single.append(max(status.field(n).log10_e_value or 0 for n in ("income", "limit")))
    return evidence, single


def main() -> None:
    """Monitor 3,000 rows as in training, then 3,000 rows with the opposite relation; draw both."""
    rng = np.random.default_rng(4)
    trained = rows(rng, 10_000, 0.8)
    reference = Reference.fit(trained, anomaly_score=True)
    evidence, single = watched(reference, rng)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    after = rows(rng, 600, -0.8)
    for name, drawn, colour in (("trained", trained, "#9ab"), ("changed", after, "#c40")):
        left.scatter(drawn["income"][:600], drawn["limit"][:600], s=6, c=colour, label=name)
    for name, axis in (("income", left.axvline), ("limit", left.axhline)):
        entry = next(e for e in reference.content.fields if e.name == name)
        for side in (-3, 3):
            axis(entry.mean + side * entry.stddev, c="#393", lw=1, ls="--")
    left.set(xlabel="income", ylabel="limit", title="inside both bands, and yet elsewhere")
    left.legend(loc="lower left")
    at = STEP * np.arange(1, CALM + CHANGED + 1)
    right.plot(at, evidence, c="#c40", label="anomaly_score")
    right.plot(at, single, c="#468", label="income, limit")
    alert = np.log10(reference.monitored / Config().alpha)
    right.axhline(alert, c="k", lw=1, ls=":", label="alert")
    right.axvline(STEP * CALM, c="#999", lw=1)
    right.set(xlabel="rows", ylabel="log10 e-value", ylim=(-4, 20), title="evidence of a change")
    right.legend(loc="upper left")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
