"""Synthetic streams with known dependence, seasons, drifts and defects; all are seeded."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any]

DAY_SECONDS = 86_400.0
_START = 1_735_689_600.0  # Wednesday, 2025-01-01, UTC


@dataclass(frozen=True)
class Stream:
    """Rows in the order of their arrival.

    columns: the features by name. times: seconds since 1970, ascending. groups: the group of each
    row, such as its customer; None if rows have no groups.
    """

    columns: Mapping[str, Column]
    times: NDArray[np.float64]
    groups: NDArray[np.int64] | None = None

    @property
    def rows(self) -> int:
        """Number of rows."""
        return int(self.times.size)

    def part(self, start: int, stop: int) -> "Stream":
        """Return the rows from `start` up to, but not including, `stop`."""
        own = slice(start, stop)
        return Stream(
            {name: values[own] for name, values in self.columns.items()},
            self.times[own],
            None if self.groups is None else self.groups[own],
        )

    def shuffled(self, *, seed: int) -> "Stream":
        """Return the rows in random order, at the same times."""
        order = np.random.default_rng(seed).permutation(self.rows)
        columns = {name: values[order] for name, values in self.columns.items()}
        return Stream(columns, self.times, None if self.groups is None else self.groups[order])

    def with_column(self, name: str, values: Column) -> "Stream":
        """Return these rows with one column replaced."""
        return replace(self, columns={**self.columns, name: values})


def _name_columns(fields: int) -> list[str]:
    return [f"x{place}" for place in range(fields)]


def _build_stream(
    values: NDArray[np.float64], rows_per_day: int, groups: NDArray[np.int64] | None = None
) -> Stream:
    """Build a stream from an array `[rows, fields]`; its columns are named `x0`, `x1`, ..."""
    fields = _name_columns(values.shape[1])
    steps = np.arange(len(values), dtype=np.float64)
    times = _START + steps * (DAY_SECONDS / rows_per_day)
    return Stream(dict(zip(fields, values.T.copy(), strict=True)), times, groups)


def independent(rows: int, *, seed: int, fields: int = 5, rows_per_day: int = 1_000) -> Stream:
    """Return independent standard normal rows."""
    return _build_stream(np.random.default_rng(seed).normal(size=(rows, fields)), rows_per_day)


def grouped(  # noqa: PLR0913 - all but one by keyword
    rows: int,
    *,
    seed: int,
    size: int = 5,
    correlation: float = 0.5,
    is_interleaved: bool = False,
    fields: int = 5,
    rows_per_day: int = 1_000,
) -> Stream:
    """Return rows of groups of `size`, which share a part of their values.

    correlation: the intraclass correlation; 1 makes the rows of a group equal. is_interleaved:
    whether the groups' rows arrive in random order, instead of one group after the other.
    """
    rng = np.random.default_rng(seed)
    groups = np.arange(rows) // size
    if is_interleaved:
        groups = rng.permutation(groups)
    shared = rng.normal(size=(rows // size + 1, fields))[groups]
    own = rng.normal(size=(rows, fields))
    values = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * own
    names = groups + (seed + 1) * 10_000_000  # no group of another seed
    return _build_stream(values, rows_per_day, names)


def autoregressive(
    rows: int, *, seed: int, correlation: float, fields: int = 5, rows_per_day: int = 1_000
) -> Stream:
    """Return stationary AR(1) series with this correlation of consecutive rows."""
    noise = np.random.default_rng(seed).normal(size=(rows, fields))
    noise[1:] *= np.sqrt(1 - correlation**2)
    values = np.empty_like(noise)
    last = np.zeros(fields)
    for row in range(rows):
        last = correlation * last + noise[row]
        values[row] = last
    return _build_stream(values, rows_per_day)


def varying_days(
    rows: int, *, seed: int, deviation: float, fields: int = 5, rows_per_day: int = 500
) -> Stream:
    """Return rows whose mean varies from day to day with this standard deviation."""
    rng = np.random.default_rng(seed)
    means = deviation * rng.normal(size=(rows // rows_per_day + 1, fields))
    values = rng.normal(size=(rows, fields)) + means[np.arange(rows) // rows_per_day]
    return _build_stream(values, rows_per_day)


def bursts(
    rows: int, *, seed: int, least: int, most: int, fields: int = 5, rows_per_day: int = 1_000
) -> Stream:
    """Return rows that are each repeated `least` to `most` times in succession."""
    rng = np.random.default_rng(seed)
    sizes = rng.integers(least, most + 1, rows // least + 1)
    groups = np.repeat(np.arange(sizes.size), sizes)[:rows]
    names = groups + (seed + 1) * 10_000_000
    return _build_stream(rng.normal(size=(sizes.size, fields))[groups], rows_per_day, names)


def sorted_batches(
    rows: int, *, seed: int, batch_rows: int = 500, fields: int = 5, rows_per_day: int = 500
) -> Stream:
    """Return independent rows that are sorted by every column within each batch."""
    values = np.random.default_rng(seed).normal(size=(rows, fields))
    for start in range(0, rows, batch_rows):
        values[start : start + batch_rows].sort(axis=0)
    return _build_stream(values, rows_per_day)


def seasonal(
    rows: int,
    *,
    seed: int,
    daily: float = 0.5,
    weekend: float = 0.0,
    fields: int = 5,
    rows_per_day: int = 500,
) -> Stream:
    """Return rows whose mean has a daily cycle of amplitude `daily`, plus `weekend` at weekends."""
    values = np.random.default_rng(seed).normal(size=(rows, fields))
    stream = _build_stream(values, rows_per_day)
    days = stream.times / DAY_SECONDS
    is_weekend = np.isin((np.floor(days) + 3) % 7, (5, 6))  # 1970 began on a Thursday
    means = daily * np.sin(2 * np.pi * days) + weekend * is_weekend
    columns = {name: column + means for name, column in stream.columns.items()}
    return replace(stream, columns=columns)


def shift(stream: Stream, field: str, amount: float, *, start: int = 0) -> Stream:
    """Add `amount` to a field from the row `start` on."""
    later = np.arange(stream.rows) >= start
    return stream.with_column(field, stream.columns[field] + amount * later)


def ramp(stream: Stream, field: str, amount: float, *, start: int = 0) -> Stream:
    """Add to a field an amount that grows linearly from 0 at `start` to `amount` at the end."""
    growth = np.clip((np.arange(stream.rows) - start) / max(stream.rows - start, 1), 0, 1)
    return stream.with_column(field, stream.columns[field] + amount * growth)


def scale(
    stream: Stream, field: str, factor: float, *, share: float = 1.0, start: int = 0, seed: int = 0
) -> Stream:
    """Multiply a share of a field's values by `factor`, as a change of units does."""
    chosen = _choose(stream, share, start, seed)
    values = np.where(chosen, stream.columns[field] * factor, stream.columns[field])
    return stream.with_column(field, values)


def lose(stream: Stream, field: str, share: float, *, start: int = 0, seed: int = 0) -> Stream:
    """Make a share of a field's values missing: NaN for numbers, None for others."""
    values = stream.columns[field].copy()
    values[_choose(stream, share, start, seed)] = np.nan if values.dtype.kind == "f" else None
    return stream.with_column(field, values)


def rename(  # noqa: PLR0913 - three by keyword
    stream: Stream,
    field: str,
    old: str,
    new: str,
    *,
    share: float = 1.0,
    start: int = 0,
    seed: int = 0,
) -> Stream:
    """Replace a category by another name in a share of its rows, as a typo does."""
    values = stream.columns[field].astype(object)
    values[_choose(stream, share, start, seed) & (values == old)] = new
    return stream.with_column(field, values)


def freeze(stream: Stream, field: str, *, start: int = 0) -> Stream:
    """Hold a field at its value in row `start` from that row on, as a stuck sensor does."""
    values = stream.columns[field].copy()
    values[start:] = values[start]
    return stream.with_column(field, values)


def swap(stream: Stream, field: str, other: str, *, start: int = 0) -> Stream:
    """Exchange two fields from the row `start` on."""
    later = np.arange(stream.rows) >= start
    one, two = stream.columns[field], stream.columns[other]
    swapped = stream.with_column(field, np.where(later, two, one))
    return swapped.with_column(other, np.where(later, one, two))


def duplicate(stream: Stream, times: int, *, start: int = 0) -> Stream:
    """Repeat every row from `start` on `times` times, as a client that retries does."""
    first = np.arange(start)
    later = np.repeat(np.arange(start, stream.rows), times)
    order = np.concatenate([first, later])
    columns = {name: values[order] for name, values in stream.columns.items()}
    groups = None if stream.groups is None else stream.groups[order]
    return Stream(columns, stream.times[order], groups)


def delay(stream: Stream, seconds: float, *, share: float = 1.0, seed: int = 0) -> Stream:
    """Let a share of the rows arrive later; the others stay in their order."""
    late = _choose(stream, share, 0, seed)
    arrival = stream.times + seconds * late
    order = np.argsort(arrival, kind="stable")
    columns = {name: values[order] for name, values in stream.columns.items()}
    groups = None if stream.groups is None else stream.groups[order]
    return Stream(columns, arrival[order], groups)


def _choose(stream: Stream, share: float, start: int, seed: int) -> NDArray[np.bool_]:
    """Return which rows are changed: a random share of those from `start` on."""
    drawn = np.random.default_rng([seed, 1]).random(stream.rows) < share
    chosen: NDArray[np.bool_] = drawn & (np.arange(stream.rows) >= start)
    return chosen
