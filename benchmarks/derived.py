"""What derived fields cost the worker per row: `python benchmarks/derived.py`."""

import time
from collections.abc import Callable

import numpy as np

from mlmonitor.derived.anomaly import Distances, Scaling, shrunk_covariance
from mlmonitor.derived.embedding import KERNEL_FEATURES, EmbeddingColumns, Kernel
from mlmonitor.derived.text import TextColumns, Vocabulary

BLOCK = 512


def nanoseconds_a_row(work: Callable[[], object], *, repeats: int = 15) -> float:
    """Return the CPU nanoseconds per row of the fastest of some runs over one block."""
    work()
    costs = []
    for _ in range(repeats):
        started = time.process_time_ns()
        work()
        costs.append(time.process_time_ns() - started)
    return min(costs) / BLOCK


def main() -> None:
    """Print one line for each derived field and size."""
    rng = np.random.default_rng(0)
    for fields in (20, 100, 200):
        values = rng.normal(size=(fields, BLOCK))
        scaling = Scaling.fit(values)
        judge = Distances(scaling, shrunk_covariance(scaling.apply(values)))
        gaps = np.where(rng.random(values.shape) < 0.05, np.nan, values)
        for name, rows in (("", values), (", one value in 20 missing", gaps)):
            took = nanoseconds_a_row(lambda rows=rows, judge=judge: judge.score(rows))
            print(f"score of {fields} fields{name}: {took:,.0f} ns")
    words = ["".join(map(chr, rng.integers(97, 123, 6))) for _ in range(5_000)]
    for count in (10, 50, 400):
        texts = [" ".join(rng.choice(words, count)) for _ in range(BLOCK)]
        reader = TextColumns(Vocabulary.from_words(words[:4_000]))
        took = nanoseconds_a_row(lambda reader=reader, texts=texts: reader.read(texts))
        print(f"text of {count} words: {took:,.0f} ns")
    for size in (64, 384, 1_536):
        kernel = Kernel(dimensions=size, bandwidth=10.0, seed=0, features=KERNEL_FEATURES)
        matrix = rng.normal(size=(BLOCK, size))
        columns = EmbeddingColumns(matrix[0], kernel, kernel.features(matrix).mean(axis=1))
        for name, vectors in (("array", list(matrix)), ("list", matrix.tolist())):
            took = nanoseconds_a_row(lambda columns=columns, vectors=vectors: columns.read(vectors))
            print(f"embedding of {size} numbers, as {name}: {took:,.0f} ns")


if __name__ == "__main__":
    main()
