"""The rows of `power.py`: models of 20 fields, and changes of a field.

mlmonitor judges each field by itself and shares `alpha` among all fields, so one model whose 20
fields all change gives 20 trials. If nothing changes, or only how fields move together, each trial
is a model of mixed fields: most are normal, `LOGNORMAL` has a sigma of 2, `GAPPED` lacks one value
in a hundred, `CATEGORY` has four categories, and `RELATED` has a correlation of 0.8 with the field
`x4`.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

import dependence
from dependence import Kind
from mlmonitor import Reference
from mlmonitor.testing import streams
from mlmonitor.testing.streams import Column, Stream

FIELDS, REFERENCE_ROWS, CHANGED_ROWS, TRANSIENT_ROWS = 20, 5_000, 50_000, 500
NORMAL, LOGNORMAL, GAPPED, CATEGORY, RELATED = "x0", "x1", "x2", "x3", "x5"
TRIALS = tuple(f"x{place}" for place in range(FIELDS))
NUMERIC = tuple(name for name in TRIALS if name not in (GAPPED, CATEGORY))
CATEGORIES, SHARES = ("motor", "home", "liability", "marine"), (0.5, 0.3, 0.15, 0.05)
CORRELATION, GAPS, MARK = 0.8, 0.01, " missing"

INDEPENDENT = Kind("independent", streams.independent)
DEPENDENT = (
    Kind("groups of 5", streams.grouped),
    Kind("groups of 5, declared", streams.grouped, "groups"),
    Kind("autoregressive, 0.9", partial(streams.autoregressive, correlation=0.9)),
)


class Change(NamedTuple):
    """A change of `field`: `apply(stream, seed)` changes its values in all rows.

    has_gaps: whether values become missing, so that a monitor of numbers gets an indicator instead.
    is_joint: whether no field changes by itself, so that mlmonitor needs `anomaly_score=True`.
    of_dependent: whether it is also measured on dependent rows.
    """

    name: str
    field: str
    apply: Callable[[Stream, int], Stream]
    has_gaps: bool = False
    is_joint: bool = False
    of_dependent: bool = False


def replace_share(
    stream: Stream, field: str, value: float | str, share: float, seed: int
) -> Stream:
    """Set a random share of a field's values to one value."""
    is_chosen = np.random.default_rng([seed, 3]).random(stream.rows) < share
    return stream.with_column(field, np.where(is_chosen, value, stream.columns[field]))


def shift_for_a_while(stream: Stream, _seed: int) -> Stream:
    """Move a field by one standard deviation in the first rows."""
    is_early = np.arange(stream.rows) < TRANSIENT_ROWS
    return stream.with_column(NORMAL, stream.columns[NORMAL] + is_early)


def break_relation(stream: Stream, seed: int) -> Stream:
    """Shuffle one of two correlated fields, which keeps the distribution of both."""
    shuffled = np.random.default_rng([seed, 3]).permutation(stream.columns[RELATED])
    return stream.with_column(RELATED, shuffled)


def _shift(amount: float) -> Callable[[Stream, int], Stream]:
    return lambda stream, _seed: streams.shift(stream, NORMAL, amount)


CHANGES = (
    Change("mean +0.1 sd", NORMAL, _shift(0.1)),
    Change("mean +0.15 sd", NORMAL, _shift(0.15)),
    Change("mean +0.25 sd", NORMAL, _shift(0.25), of_dependent=True),
    Change("mean +0.5 sd", NORMAL, _shift(0.5), of_dependent=True),
    Change(
        "variance x 1.5",
        NORMAL,
        lambda s, _: streams.scale(s, NORMAL, 1.5**0.5),
        of_dependent=True,
    ),
    Change(
        "1% at 10 sd",
        NORMAL,
        lambda s, n: replace_share(s, NORMAL, 10.0, 0.01, n),
        of_dependent=True,
    ),
    Change(
        "2% x 100, normal", NORMAL, lambda s, n: streams.scale(s, NORMAL, 100, share=0.02, seed=n)
    ),
    Change(
        "2% x 100, lognormal of sigma 2",
        LOGNORMAL,
        lambda s, n: streams.scale(s, LOGNORMAL, 100, share=0.02, seed=n),
    ),
    Change(
        "missing 0 to 0.5%",
        NORMAL,
        lambda s, n: streams.lose(s, NORMAL, 0.005, seed=n),
        has_gaps=True,
    ),
    Change(
        "missing 1 to 3%",
        GAPPED,
        lambda s, n: streams.lose(s, GAPPED, 0.02 / (1 - GAPS), seed=n),
        has_gaps=True,
        of_dependent=True,
    ),
    Change(
        "new category, 1%",
        CATEGORY,
        lambda s, n: replace_share(s, CATEGORY, "cyber", 0.01, n),
        of_dependent=True,
    ),
    Change(
        "5% of rows to another category",
        CATEGORY,
        lambda s, n: streams.rename(s, CATEGORY, *CATEGORIES[:2], share=0.05 / SHARES[0], seed=n),
    ),
    Change("correlation 0.8 to 0", RELATED, break_relation, is_joint=True),
    Change("gradual, to 0.5 sd in 50,000 rows", NORMAL, lambda s, _: streams.ramp(s, NORMAL, 0.5)),
    Change("1 sd for 500 rows", NORMAL, shift_for_a_while),
)

NO_CHANGE = Change("no change", "", lambda stream, _: stream)
NO_TAIL = NO_CHANGE._replace(name="no change, no lognormal field")
NO_CHANGES = (NO_CHANGE, NO_TAIL)


def shape_field(field: str, values: Column, gaps: Column) -> Column:
    """Give normal values the distribution of a field; large `gaps` become missing values."""
    if field == LOGNORMAL:
        return np.asarray(np.exp(2 * values))
    if field == GAPPED:
        return np.where(gaps > stats.norm.isf(GAPS), np.nan, values)
    if field == CATEGORY:
        bounds = stats.norm.ppf(np.cumsum(SHARES)[:-1])
        return np.array(CATEGORIES, object)[np.searchsorted(bounds, values)]
    return values


def draw_mixed(kind: Kind, rows: int, *, seed: int) -> Stream:
    """Draw the rows of a model of mixed fields without a change."""
    latent = kind.make(rows, seed=seed, fields=FIELDS + 1)
    columns = dict(latent.columns)
    gaps, before, noise = columns.pop(f"x{FIELDS}"), columns["x4"], columns[RELATED]
    columns = {name: shape_field(name, values, gaps) for name, values in columns.items()}
    columns[RELATED] = CORRELATION * before + np.sqrt(1 - CORRELATION**2) * noise
    return Stream(columns, latent.times, latent.groups)


def draw_trials(kind: Kind, rows: int, field: str, *, seed: int) -> Stream:
    """Draw the rows of a model whose 20 fields all have the distribution of `field`, unchanged."""
    latent = kind.make(rows, seed=seed, fields=2 * FIELDS)
    columns = {
        name: shape_field(field, latent.columns[name], latent.columns[f"x{FIELDS + place}"])
        for place, name in enumerate(TRIALS)
    }
    return Stream(columns, latent.times, latent.groups)


def draw(kind: Kind, rows: int, change: Change, *, seed: int) -> Stream:
    """Draw the rows of a model for trials of a change, with mixed fields if none changes alone."""
    if change.is_joint or change in NO_CHANGES:
        mixed = draw_mixed(kind, rows, seed=seed)
        kept = {n: v for n, v in mixed.columns.items() if change is not NO_TAIL or n != LOGNORMAL}
        return Stream(kept, mixed.times, mixed.groups)
    return draw_trials(kind, rows, change.field, seed=seed)


def draw_reference(kind: Kind, number: int, change: Change) -> Stream:
    """Draw the training rows of one model."""
    return draw(kind, REFERENCE_ROWS, change, seed=3 * number)


@lru_cache(maxsize=2)
def draw_clean(kind: Kind, number: int, change: Change, rows: int) -> Stream:
    """Draw the rows that one model serves before the change."""
    return draw(kind, rows, change, seed=3 * number + 1)


@lru_cache(maxsize=2)
def draw_changed(kind: Kind, number: int, change: Change) -> Stream:
    """Draw the rows that one model serves after the change, which is applied to each trial."""
    stream = draw(kind, CHANGED_ROWS, change, seed=3 * number + 2)
    if change.is_joint:
        return change.apply(stream, number)
    columns = {}
    for place, name in enumerate(TRIALS):
        trial = Stream({change.field: stream.columns[name]}, stream.times)
        columns[name] = change.apply(trial, FIELDS * number + place).columns[change.field]
    return Stream(columns, stream.times, stream.groups)


@lru_cache(maxsize=4)
def fit(kind: Kind, number: int, change: Change) -> Reference:
    """Fit the reference of one model, with an anomaly score if no field changes by itself."""
    training = draw_reference(kind, number, change)
    return dependence.fit(training, kind, number, anomaly_score=change.is_joint)


def as_labels(columns: Mapping[str, Column]) -> dict[str, NDArray[Any]]:
    """Return columns for monitors that read categories and missing values."""
    return {name: v.astype(str) if v.dtype.kind == "O" else v for name, v in columns.items()}


def as_numbers(columns: Mapping[str, Column], gapped: frozenset[str]) -> dict[str, NDArray[Any]]:
    """Return columns for monitors that read numbers alone.

    A categorical field becomes an indicator for each known name and one for all others. A field in
    `gapped` is replaced by an indicator of its missing values.
    """
    numbers: dict[str, NDArray[Any]] = {}
    for name, values in columns.items():
        if values.dtype.kind == "O":
            numbers |= {f"{name}={category}": 1.0 * (values == category) for category in CATEGORIES}
            numbers[f"{name}=other"] = 1.0 * ~np.isin(values.astype(str), CATEGORIES)
        elif name in gapped:
            numbers[name + MARK] = 1.0 * np.isnan(values)
        else:
            numbers[name] = values
    return numbers


def name_arrays(kind: Kind, number: int, change: Change, clean_rows: int) -> dict[str, Any]:
    """Return the columns of a trial for the other tools, with names of the form `part|view|column`.

    These are the changed field, all numeric fields if the change is joint, or all fields without a
    change. A column that both views share occurs once, under `both`.
    """
    is_trial = not (change.is_joint or change in NO_CHANGES)
    model, place = divmod(number, FIELDS) if is_trial else (number, 0)
    parts = {
        "reference": draw_reference(kind, model, change),
        "clean": draw_clean(kind, model, change, clean_rows),
    }
    if change not in NO_CHANGES:
        parts["changed"] = draw_changed(kind, model, change)
    gapped = frozenset({GAPPED, change.field}) if change.has_gaps else frozenset({GAPPED})
    arrays: dict[str, Any] = {}
    for part, stream in parts.items():
        columns = dict(stream.columns)
        if is_trial:
            columns = {change.field: columns[TRIALS[place]]}
        elif change.is_joint:
            columns = {name: columns[name] for name in NUMERIC}
        labels, numbers = as_labels(columns), as_numbers(columns, gapped)
        both = labels.keys() & numbers.keys()
        arrays |= {
            f"{part}|{'both' if name in both else view}|{name}": values
            for view, own in (("labels", labels), ("numbers", numbers))
            for name, values in own.items()
        }
    return arrays
