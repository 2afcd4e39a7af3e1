"""The rank error of quantiles against the memory they take, for ours and for other sketches.

100,000 values of four kinds, in blocks of 1,024. The error is the largest rank error of a
thousand quantiles: in the middle, and separately in the outer 0.1%.
"""

import sys
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from harness import Figure, main
from mlmonitor.aggregate.sketches.tdigest import TDigest

ROWS, BLOCK = 102_400, 1_024
MIDDLE = np.linspace(0.001, 0.999, 999)
TAILS = np.array([0.0001, 0.0002, 0.0005, 0.9995, 0.9998, 0.9999])
Quantiles = Callable[[np.ndarray], Sequence[float]]
Sketch = Callable[[np.ndarray], tuple[int, Quantiles]]


def streams() -> dict[str, np.ndarray]:
    """Return the measured values by kind: symmetric, heavy-tailed, counts, and mostly zero."""
    rng = np.random.default_rng(5)
    return {
        "normal": rng.normal(size=ROWS),
        "lognormal": rng.lognormal(sigma=2.0, size=ROWS),
        "counts": rng.poisson(40.0, ROWS).astype(np.float64),
        "mostly zero": np.maximum(rng.normal(size=ROWS), 0.0),
    }


def ours(cells: int) -> Sketch:
    """Return a function that summarises values in our t-digest, with this many cells."""

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        digest = TDigest(1, cells=cells)
        for start in range(0, ROWS, BLOCK):
            digest.update(values[None, start : start + BLOCK])
        return digest.nbytes, lambda q: digest.quantile(q)[0].tolist()

    return sketch


def fast(compression: int) -> Sketch:
    """Return a function that summarises values in fastdigest's t-digest."""

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        import fastdigest

        digest = fastdigest.TDigest(max_centroids=compression)
        for start in range(0, ROWS, BLOCK):
            digest.batch_update(values[start : start + BLOCK])
        return 16 * digest.n_centroids, lambda q: [digest.quantile(float(share)) for share in q]

    return sketch


def crick(compression: int) -> Sketch:
    """Return a function that summarises values in crick's t-digest."""

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        from crick import TDigest as Crick

        digest = Crick(compression=compression)
        for start in range(0, ROWS, BLOCK):
            digest.update(values[start : start + BLOCK])
        return 16 * len(digest.centroids()), lambda q: digest.quantile(q).tolist()

    return sketch


def kll(k: int) -> Sketch:
    """Return a function that summarises values in Apache DataSketches' KLL sketch."""

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        from datasketches import kll_doubles_sketch

        digest = kll_doubles_sketch(k)
        for start in range(0, ROWS, BLOCK):
            digest.update(values[start : start + BLOCK])
        return len(digest.serialize()), lambda q: list(digest.get_quantiles(q))

    return sketch


def datasketches(k: int) -> Sketch:
    """Return a function that summarises values in Apache DataSketches' t-digest.

    Its `get_rank` is far more accurate than its `get_quantile`.
    """

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        from datasketches import tdigest_double

        digest = tdigest_double(k)
        for start in range(0, ROWS, BLOCK):
            digest.update(values[start : start + BLOCK])
        return len(digest.serialize()), lambda q: [digest.get_quantile(float(share)) for share in q]

    return sketch


def dd(accuracy: float) -> Sketch:
    """Return a function that summarises values in DDSketch, whose promise is not about ranks."""

    def sketch(values: np.ndarray) -> tuple[int, Quantiles]:
        from ddsketch import DDSketch

        digest = DDSketch(accuracy)
        for value in values.tolist():
            digest.add(value)
        bins = len(digest._store.bins) + len(digest._negative_store.bins)  # noqa: SLF001 - exposed nowhere else
        return 8 * bins, lambda q: [digest.get_quantile_value(float(share)) for share in q]

    return sketch


SKETCHES: dict[
    str, tuple[Callable[[int], Sketch] | Callable[[float], Sketch], tuple[float, ...]]
] = {
    "mlmonitor": (ours, (50, 100, 200, 400)),
    "fastdigest": (fast, (50, 100, 200, 400, 1_000)),
    "crick": (crick, (50, 100, 200, 400)),
    "datasketches KLL": (kll, (50, 100, 200, 400, 1_000)),
    "datasketches t-digest": (datasketches, (50, 100, 200, 400)),
    "ddsketch": (dd, (0.05, 0.02, 0.01, 0.005)),
}


def rank_errors(values: np.ndarray, quantiles: Quantiles, expected: np.ndarray) -> float:
    """Return the largest error of a quantile, as a difference of ranks from 0 to 1."""
    ordered = np.sort(values)
    estimates = np.array(quantiles(expected), np.float64)
    low = ordered.searchsorted(estimates, side="left") / ordered.size
    high = ordered.searchsorted(estimates, side="right") / ordered.size
    return float(np.maximum(np.maximum(low - expected, expected - high), 0.0).max())


def measure(is_quick: bool) -> Iterator[Figure]:  # noqa: FBT001 - what the harness hands over
    """Yield all figures of this benchmark; a quick run measures less."""
    for kind, values in streams().items():
        if is_quick and kind != "normal":
            continue
        for name, (make, sizes) in SKETCHES.items():
            for size in (200,) if is_quick else sizes:
                if is_quick and name == "ddsketch":
                    continue
                nbytes, quantiles = make(int(size) if size >= 1 else size)(values)  # type: ignore[arg-type]
                middle = rank_errors(values, quantiles, MIDDLE)
                tails = rank_errors(values, quantiles, TAILS)
                yield Figure(
                    f"{kind}, {name} {size:g}",
                    middle,
                    "rank",
                    TDigest.MIDDLE_ERROR,
                    "what is promised",
                    more={
                        "stream": kind,
                        "sketch": name,
                        "size": size,
                        "bytes": nbytes,
                        "tails": tails,
                    },
                )


if __name__ == "__main__":
    sys.exit(main("accuracy", measure, __doc__ or ""))
