"""What chance alone makes of each distance, at the window's actual number of rows."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from mlmonitor.formats.reference import (
    CRITICAL_ROWS,
    QUANTILE_POINTS,
    CountedEntry,
    NumericReference,
)
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.distance import (
    MEASURES,
    ORDERED,
    WASSERSTEIN,
    WASSERSTEIN_RANKS,
    Table,
    chi_square_point,
    sampling_noise,
    wasserstein,
)
from mlmonitor.stats.eprocess import PRIOR

if TYPE_CHECKING:
    from numpy.random import Generator

QUANTILE = 0.99
"""Critical values are what this share of windows without drift stays below."""

SIMULATIONS = 2_000

_POWERS = {"psi": 1.0, "psi_debiased": 1.0, "chi2": 0.0}
"""How a distance shrinks with `1/n + 1/m`; where it is not said, as its root."""

_BATCH_WINDOWS = 200  # windows drawn at a time, so that little memory is taken, and not for long
SIMULATION_BYTES = 1_500_000
"""Memory that a step of a simulation takes for a moment."""
_LARGEST_EXCEEDANCE = 0.015
_STEP_BYTES = 40  # of a count of those by which fields are alike
_DIGITS = 4
_DKW = 1.6276  # sqrt(ln(2 / 0.01) / 2)


def simulate_tables(entry: CountedEntry, ordered: Floats | None) -> dict[str, list[float]]:
    """What is to be kept with an entry; `ordered` is the sorted sample of a numeric field."""
    is_ordered = isinstance(entry, NumericReference)
    found = simulate_distances(_counts(entry), is_ordered=is_ordered)
    if isinstance(entry, NumericReference) and ordered is not None and ordered.size:
        found |= simulate_wasserstein(ordered, entry.stddev)
    return found


def simulate_distances(counts: Counts, *, is_ordered: bool) -> dict[str, list[float]]:
    """What each distance passes in one window in a hundred without drift, by `CRITICAL_ROWS`.

    counts: the reference's `[bins]`, missing values last; is_ordered: whether the bins before them
    have an order. Windows are drawn from the reference's posterior: its counts, and half a count a
    bin. A bin it has never seen stays empty: how often chance would fill it, nobody knows, and
    the evidence (`EProcess`) judges those.
    Promise: of windows of 20 to 10,000 rows 0.3 to 2 % pass, over references of 1,000 rows or more
        (`pytest -m '' tests/statistical`).
    Price: 2,000 draws a size, about 60 ms for ten bins; nothing for counts met before.
    """
    known = tuple(counts[counts > 0].tolist())
    names = [name for name in MEASURES if is_ordered or name not in ORDERED]
    found = [_simulated(known, size) for size in CRITICAL_ROWS]
    return {name: [points[name] for points in found] for name in names}


def _draw_points(counts: tuple[int, ...], size: int) -> dict[str, float]:
    """Every measure's point for windows of one size, in bins that are not empty."""
    rng = np.random.default_rng([len(counts), size])
    reference = np.array([counts], np.int64)
    found: dict[str, list[Floats]] = {name: [] for name in MEASURES}
    for _ in range(SIMULATIONS // _BATCH_WINDOWS):
        shares = rng.standard_gamma(reference + PRIOR, (_BATCH_WINDOWS, len(counts)))
        windows = rng.multinomial(size, shares / shares.sum(axis=1, keepdims=True))
        against = np.broadcast_to(reference, windows.shape)
        for name, measure in MEASURES.items():
            found[name].append(measure(against, windows))
    return {name: _point(np.concatenate(distances)) for name, distances in found.items()}


_simulated = lru_cache(maxsize=512)(_draw_points)


def simulate_wasserstein(ordered: Floats, stddev: float | None) -> dict[str, list[float]]:
    """The same for the Wasserstein distance of a numeric field, from its sorted sample.

    The quantiles of a sample are the field's own at random ranks, whatever the field: so the
    ranks are drawn once for each size, and looked up.
    """
    if stddev is None or stddev <= 0 or not np.isfinite(stddev):
        return {}

    def at(ranks: Floats) -> Floats:
        return ordered[np.minimum((ranks * ordered.size).astype(np.intp), ordered.size - 1)]

    scale, then = np.full(SIMULATIONS, stddev), at(_ranks(ordered.size, 1))
    moved = (wasserstein(then, at(_ranks(size, 0)), scale) for size in CRITICAL_ROWS)
    return {WASSERSTEIN: [_point(distances) for distances in moved]}


@lru_cache(maxsize=2 * len(CRITICAL_ROWS))
def _ranks(size: int, stream: int) -> Floats:
    return _draw_ranks(size, SIMULATIONS, np.random.default_rng([size, stream]))


def _draw_ranks(size: int, draws: int, rng: "Generator") -> Floats:
    """`[draws, ranks]`: where the quantiles of `size` uniform values lie, drawn by spacings."""
    at = np.minimum(np.ceil(size * WASSERSTEIN_RANKS), size)
    steps = np.diff(at, prepend=0.0, append=size + 1.0)
    gammas = rng.standard_gamma(steps, (draws, steps.size))
    ranks: Floats = np.cumsum(gammas[:, :-1], axis=1) / gammas.sum(axis=1, keepdims=True)
    return ranks


def _point(distances: Floats) -> float:
    """The 99 % point, rounded up: a distance of few values may lie on it, and has not passed it.

    Of two values that such a distance takes, the one that closer to 1 % pass, or 1.5 % at most.
    """
    point = float(np.quantile(distances, QUANTILE, method="higher"))
    below = float(distances.max(initial=-np.inf, where=distances < point))
    most, least = np.mean(distances > below), np.mean(distances > point)
    if np.isfinite(below) and most <= _LARGEST_EXCEEDANCE and most * least < (1 - QUANTILE) ** 2:
        point = below
    if point == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(point))) - _DIGITS + 1)
    return float(f"{math.ceil(point / step) * step:.{_DIGITS}g}")


class CriticalValues:
    """The critical values of some fields' distances, at any number of rows.

    tables: what was simulated for each field, by measure, at `CRITICAL_ROWS`; empty where nothing
    was. reference: counts `[fields, bins]`. entries: the fields themselves: those without tables
    get them from `simulate_next`, bit by bit; until then the laws for many rows stand in, which are
    far off in small windows.
    """

    def __init__(
        self,
        tables: Sequence[Mapping[str, Sequence[float]]],
        reference: Counts,
        entries: Sequence[CountedEntry] = (),
    ) -> None:
        self._reference = reference
        self._entries = entries
        self._left = _steps(tables, entries)
        self.is_simulating: bool = any(not table for table in tables[: len(entries)])
        self._rows = reference.sum(axis=1).astype(np.float64)
        names = (*MEASURES, WASSERSTEIN)
        self._tables: dict[str, Floats] = {
            name: np.array(
                [_scaled(name, t.get(name), m) for t, m in zip(tables, self._rows, strict=True)]
            )
            for name in names
        }

    def simulate_next(self) -> bool:
        """Simulate one size of window for one field that came without tables; False if none did.

        Price: 5 to 30 ms, so that a service that learned its reference can do it between calls;
        fields of the same counts have the same values.
        """
        step = next(self._left, None)
        if step is None:
            self.is_simulating = False
            return False
        fields, size, is_wasserstein = step
        entry = self._entries[fields[0]]
        points = (
            {WASSERSTEIN: _wasserstein_point(entry, size)}
            if is_wasserstein
            else _points(entry, size)
        )
        noise = float(sampling_noise(np.array([size]), self._rows[fields[:1]])[0])
        for name, point in points.items():
            scaled = point / noise ** _POWERS.get(name, 0.5)
            self._tables[name][fields, CRITICAL_ROWS.index(size)] = scaled
        return True

    def at(self, current: Counts, against: Table | None = None) -> dict[str, Floats]:
        """By measure, `[fields]`: what a window with the number of rows of `current` may show.

        NaN where there are no rows, and where a measure has no meaning. against: what the window
        is compared with where that is not the whole reference.
        """
        reference = self._reference if against is None else against
        rows = current.sum(axis=1).astype(np.float64)
        noise = sampling_noise(rows, reference.sum(axis=1).astype(np.float64))
        found = by_law(reference, current)
        for name, table in self._tables.items():
            known = _interpolated(table, rows) * noise ** _POWERS.get(name, 0.5)
            found[name] = np.where(np.isnan(known), found.get(name, np.nan), known)
        empty = (rows == 0) | (self._rows == 0)
        return {name: np.where(empty, np.nan, values) for name, values in found.items()}

    @property
    def nbytes(self) -> int:
        """Memory held by the tables; and while some are simulated, by the list of them."""
        held = sum(int(table.nbytes) for table in self._tables.values())
        return held + (_STEP_BYTES * self._reference.size if self.is_simulating else 0)


def _counts(entry: CountedEntry) -> Counts:
    """What windows are compared with, missing values last."""
    return np.array(entry.expected, np.int64)


class _Step(NamedTuple):
    """Fields that share their counts, the size of window to simulate, and for which measure."""

    fields: list[int]
    size: int
    is_wasserstein: bool


def _steps(
    tables: Sequence[Mapping[str, object]], entries: Sequence[CountedEntry]
) -> Iterator[_Step]:
    """What is to be simulated for fields without tables: counts first, then quantiles."""
    unknown = [at for at, entry in enumerate(entries) if not tables[at] and entry.rows]
    alike: dict[tuple[int, ...], list[int]] = {}
    for at in unknown:
        alike.setdefault(tuple(_counts(entries[at]).tolist()), []).append(at)
    for size in CRITICAL_ROWS:
        for fields in alike.values():
            yield _Step(fields, size, is_wasserstein=False)
    for size in CRITICAL_ROWS:
        for at in unknown:
            entry = entries[at]
            if isinstance(entry, NumericReference) and entry.stddev:
                yield _Step([at], size, is_wasserstein=True)


def _points(entry: CountedEntry, size: int) -> dict[str, float]:
    counts = _counts(entry)
    return _draw_points(tuple(counts[counts > 0].tolist()), size)


def _wasserstein_point(entry: CountedEntry, size: int) -> float:
    """The Wasserstein distance's point for one size; the quantiles stand for the sample."""
    if not isinstance(entry, NumericReference) or not entry.stddev:
        return 0.0
    rng, scale = np.random.default_rng([size, entry.rows]), np.full(_BATCH_WINDOWS, entry.stddev)
    grid, quantiles = np.linspace(0, 1, QUANTILE_POINTS), np.array(entry.quantiles)
    found = []
    for _ in range(SIMULATIONS // _BATCH_WINDOWS):
        now, then = (
            np.interp(_draw_ranks(rows, _BATCH_WINDOWS, rng).ravel(), grid, quantiles)
            for rows in (size, entry.rows - entry.missing)
        )
        shape = _BATCH_WINDOWS, WASSERSTEIN_RANKS.size
        found.append(wasserstein(then.reshape(shape), now.reshape(shape), scale))
    return _point(np.concatenate(found))


def by_law(reference: Table, current: Table) -> dict[str, Floats]:
    """The same where nothing was simulated, from the laws for many rows.

    PSI, chi-square, Jensen-Shannon and Hellinger follow a chi-square of `bins - 1` degrees of
    freedom; the difference of distribution functions Kolmogorov's, an upper bound for bins; total
    variation a sum of half-normals, which is a little skewed.
    """
    n, m = reference.sum(axis=1).astype(np.float64), current.sum(axis=1).astype(np.float64)
    noise = sampling_noise(n, m)
    freedom = np.maximum(np.count_nonzero(reference + current, axis=1) - 1.0, 1.0)
    point = chi_square_point(freedom)
    shares = (reference + current) / np.maximum(n + m, 1.0)[:, None]
    spread = np.sqrt(shares * (1 - shares) * noise[:, None])
    middle = np.sqrt(2 / np.pi) * spread.sum(axis=1) / 2
    around = np.sqrt((1 - 2 / np.pi) * (spread**2).sum(axis=1)) / 2
    return {
        "psi": point * noise,
        "psi_debiased": (point - freedom) * noise,
        "js": np.minimum(np.sqrt(point * noise / (8 * np.log(2))), 1.0),
        "hellinger": np.minimum(np.sqrt(point * noise / 8), 1.0),
        "tv": np.minimum(middle + 2.5 * around, 1.0),
        "ks": np.minimum(_DKW * np.sqrt(noise), 1.0),
        "chi2": point,
    }


def _scaled(name: str, values: Sequence[float] | None, reference_rows: float) -> Floats:
    """A field's row of a table, freed of its dependence on the number of rows."""
    if not values or reference_rows == 0:
        return np.full(len(CRITICAL_ROWS), np.nan)
    noise = sampling_noise(
        np.array(CRITICAL_ROWS, np.float64), np.full(len(CRITICAL_ROWS), reference_rows)
    )
    scaled: Floats = np.asarray(values, np.float64) / noise ** _POWERS.get(name, 0.5)
    return scaled


def _interpolated(table: Floats, rows: Floats) -> Floats:
    """Between the columns of a table, linear in the logarithm of the rows."""
    grid = np.log(CRITICAL_ROWS)
    place = np.interp(np.log(np.maximum(rows, 1.0)), grid, np.arange(len(CRITICAL_ROWS)))
    low = np.minimum(place.astype(np.intp), len(CRITICAL_ROWS) - 2)
    at, weight = np.arange(len(rows)), place - low
    between: Floats = (1 - weight) * table[at, low] + weight * table[at, low + 1]
    return between
