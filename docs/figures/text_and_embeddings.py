"""Draw docs/figures/text_and_embeddings.png: a rotated embedding, and new words in a text.

Run `python docs/figures/text_and_embeddings.py`; it needs matplotlib.
"""

from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np

from mlmonitor import Config, Monitor, Reference
from mlmonitor.records import Floats
from mlmonitor.testing import InMemoryExporter

mpl.use("Agg")
from matplotlib import pyplot as plt

STEP = 200
CALM, CHANGED = 20, 15
DIMENSIONS = 32
WORDS = ["".join(chr(97 + (at // 26**place) % 26) for place in range(3)) for at in range(4_000)]
OFTEN = 1 / np.arange(1, 3_001) / np.sum(1 / np.arange(1, 3_001))


def rows(rng: np.random.Generator, count: int, turn: Floats, *, new: float) -> dict[str, Any]:
    """Draw comments with a share of `new` words, and topic vectors rotated by `turn`."""
    topics = np.random.default_rng(1).normal(size=(4, DIMENSIONS))
    vectors = topics[rng.choice(4, count, p=[0.7, 0.1, 0.1, 0.1])]
    vectors = vectors + 0.7 * rng.normal(size=(count, DIMENSIONS))
    words = rng.choice(WORDS[:3_000], (count, 20), p=OFTEN)
    fresh = rng.choice(WORDS[3_000:], (count, 20))
    mixed = np.where(rng.random((count, 20)) < new, fresh, words)
    return {"vector": vectors @ turn, "comment": [" ".join(chosen) for chosen in mixed]}


def watched(rng: np.random.Generator) -> dict[str, list[float]]:
    """Monitor 4,000 rows as in training, then 3,000 rotated rows with 2% new words."""
    same = np.eye(DIMENSIONS)
    turned = np.linalg.qr(rng.normal(size=(DIMENSIONS, DIMENSIONS)))[0]
    schema = {"vector": "embedding", "comment": "text"}
    reference = Reference.fit(rows(rng, 10_000, same, new=0.0), schema=schema)
    exporter = InMemoryExporter()
    config = Config(
        window_seconds=None,
        window_rows=STEP,
        window_slices=1,
        check_rows=STEP,
        check_interval_seconds=0,
    )
    series: dict[str, list[float]] = {name: [] for name in ("mmd", "chance", "norm", "unknown")}
    with Monitor("tickets", reference=reference, config=config, exporters=[exporter]) as monitor:
        for step in range(CALM + CHANGED):
            is_calm = step < CALM
            columns = rows(rng, STEP, same if is_calm else turned, new=0.0 if is_calm else 0.02)
            monitor.record({n: v[:-1] for n, v in columns.items()}, np.zeros(STEP - 1))
            monitor.flush(timeout_seconds=30)
            labels = {"field": "vector.kernel_similarity", "measure": "mmd"}
            series["mmd"].append(exporter.value("mlmonitor.drift.score", labels))
            series["chance"].append(exporter.value("mlmonitor.drift.threshold", labels))
            status = monitor.status()
            series["norm"].append(status.field("vector.norm", role="derived").mean)
            unknown = status.field("comment.unknown_words", role="derived")
            series["unknown"].append(unknown.mean)
    return series


def main() -> None:
    """Draw the distances of the vectors and the shares of unknown words."""
    series = watched(np.random.default_rng(4))
    at = (STEP - 1) * np.arange(1, CALM + CHANGED + 1)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    left.plot(at, series["mmd"], c="#c40", label="mmd of windows of up to 199 rows")
    left.plot(at, series["chance"], c="k", lw=1, ls=":", label="by chance, one window in 100")
    left.plot(at, np.array(series["norm"]) / 40, c="#468", label="mean norm / 40")
    left.set(xlabel="rows", ylim=(0, None), title="vectors are turned, none is longer")
    right.plot(at, 100 * np.array(series["unknown"]), c="#c40")
    right.set(xlabel="rows", ylabel="% of words", ylim=(0, None), title="comment.unknown_words")
    for axis in (left, right):
        axis.axvline((STEP - 1) * CALM, c="#999", lw=1)
    left.legend(loc="upper left")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
