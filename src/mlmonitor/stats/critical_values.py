"""Critical values of each distance at the window's actual number of rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.formats.reference import CRITICAL_ROWS, CountedEntry, NumericReference
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.asymptotic_values import by_law
from mlmonitor.stats.distance import MEASURES, OF_VALUES, WASSERSTEIN, Table, sampling_noise
from mlmonitor.stats.reference_counts import possible_counts
from mlmonitor.stats.simulated_values import simulate_points, simulate_wasserstein_point

_POWERS = {"psi": 1.0, "psi_debiased": 1.0, "chi2": 0.0}  # others are proportional to the root
_PSI = "psi"
_STEP_BYTES = 40  # memory of one count in the keys that group fields with equal counts


class CriticalValues:
    """The critical values of distances of several fields, for windows of any number of rows.

    tables: for each field the simulated values by measure, at `CRITICAL_ROWS`; empty if there are
    none. reference: counts `[fields, bins]`. entries: the fields' entries in the reference.
    `simulate_next` fills missing tables step by step; until then asymptotic laws are used, which
    are inaccurate for small windows.
    """

    def __init__(
        self,
        tables: Sequence[Mapping[str, Sequence[float]]],
        reference: Counts,
        entries: Sequence[CountedEntry] = (),
    ) -> None:
        self._reference = reference
        self._entries = entries
        self._left = _list_steps(tables, entries)
        self.is_simulating: bool = any(not table for table in tables[: len(entries)])
        self._rows = reference.sum(axis=1).astype(np.float64)
        self._tables: dict[str, Floats] = {
            name: np.array(
                [
                    _scale_table(name, table.get(name), rows)
                    for table, rows in zip(tables, _count_rows(name, reference), strict=True)
                ]
            )
            for name in (*MEASURES, WASSERSTEIN)
        }

    def simulate_next(self) -> bool:
        """Simulate one window size for one field without tables; return False if none is left.

        Price: 5 to 30 ms, so a service that learned its reference can do it between calls. Fields
        with equal counts share their values.
        """
        step = next(self._left, None)
        if step is None:
            self.is_simulating = False
            return False
        fields, size, is_wasserstein = step
        entry = self._entries[fields[0]]
        points = (
            {WASSERSTEIN: simulate_wasserstein_point(entry, size)}
            if is_wasserstein
            else simulate_points(entry, size)
        )
        for name, point in points.items():
            rows = _count_rows(name, self._reference[fields[:1]])
            noise = float(sampling_noise(np.array([size]), rows)[0])
            scaled = point / noise ** _choose_power(name)
            self._tables[name][fields, CRITICAL_ROWS.index(size)] = scaled
        return True

    def at(
        self, current: Table, against: Table | None = None, *, digested: Table | None = None
    ) -> dict[str, Floats]:
        """Return the critical values by measure, `[fields]`, for a window of `current`'s size.

        NaN if there are no rows, or if a measure does not apply. against: the expected counts, if
        they are not the whole reference. digested: the number of values behind the quantiles of
        each numeric field, if these are not all values of `current`.
        """
        reference = self._reference if against is None else against
        thresholds = by_law(reference, current)
        for name, table in self._tables.items():
            then, now = _count_rows(name, reference), _count_rows(name, current)
            if name == WASSERSTEIN and digested is not None:
                now[: len(digested)] = digested
            simulated = _interpolate(table, now) * sampling_noise(then, now) ** _choose_power(name)
            by_name = np.where(np.isnan(simulated), thresholds.get(name, np.nan), simulated)
            thresholds[name] = np.where((now == 0) | (self._rows == 0), np.nan, by_name)
        return thresholds

    def psi_at(self, current: Table, against: Table) -> Floats:
        """Return the critical values of the PSI alone, in a tenth of the time of `at`."""
        then, now = _count_rows(_PSI, against), _count_rows(_PSI, current)
        point = _interpolate(self._tables[_PSI], now) * sampling_noise(then, now)
        if np.isnan(point).any():
            point = np.where(np.isnan(point), by_law(against, current)[_PSI], point)
        values: Floats = np.where((now == 0) | (self._rows == 0), np.nan, point)
        return values

    @property
    def nbytes(self) -> int:
        """Memory held by the tables and, during simulation, by the list of steps, in bytes."""
        table_bytes = sum(int(table.nbytes) for table in self._tables.values())
        return table_bytes + (_STEP_BYTES * self._reference.size if self.is_simulating else 0)


def _count_rows(name: str, counts: Table) -> Floats:
    """Count the rows that a distance uses: all, or those that have a value."""
    rows: Floats = (counts[:, :-1] if name in OF_VALUES else counts).sum(axis=1)
    return rows.astype(np.float64)


def _choose_power(name: str) -> float:
    """Return the power of `1/n + 1/m` to which a distance without drift is proportional."""
    return _POWERS.get(name, 0.5)


class _Step(NamedTuple):
    """Fields with equal counts, the window size to simulate, and the kind of measure."""

    fields: list[int]
    size: int
    is_wasserstein: bool


def _list_steps(
    tables: Sequence[Mapping[str, object]], entries: Sequence[CountedEntry]
) -> Iterator[_Step]:
    """Yield the simulation steps of fields without tables: counts first, then quantiles."""
    unknown = [place for place, entry in enumerate(entries) if not tables[place] and entry.rows]
    alike: dict[tuple[int, ...], list[int]] = {}
    for place in unknown:
        alike.setdefault(tuple(possible_counts(entries[place]).tolist()), []).append(place)
    for size in CRITICAL_ROWS:
        for fields in alike.values():
            yield _Step(fields, size, is_wasserstein=False)
    for size in CRITICAL_ROWS:
        for place in unknown:
            entry = entries[place]
            if isinstance(entry, NumericReference) and entry.stddev:
                yield _Step([place], size, is_wasserstein=True)


def _scale_table(name: str, values: Sequence[float] | None, reference_rows: float) -> Floats:
    """Return a field's critical values with their dependence on the number of rows divided out."""
    if not values or reference_rows == 0:
        return np.full(len(CRITICAL_ROWS), np.nan)
    noise = sampling_noise(
        np.array(CRITICAL_ROWS, np.float64), np.full(len(CRITICAL_ROWS), reference_rows)
    )
    scaled: Floats = np.asarray(values, np.float64) / noise ** _choose_power(name)
    return scaled


def _interpolate(table: Floats, rows: Floats) -> Floats:
    """Interpolate between the columns of a table, linearly in the logarithm of the rows."""
    grid = np.log(CRITICAL_ROWS)
    place = np.interp(np.log(np.maximum(rows, 1.0)), grid, np.arange(len(CRITICAL_ROWS)))
    low = np.minimum(place.astype(np.intp), len(CRITICAL_ROWS) - 2)
    fields, weight = np.arange(len(rows)), place - low
    between: Floats = (1 - weight) * table[fields, low] + weight * table[fields, low + 1]
    return between
