"""The distributions of many fields at once, as bars over bins that both sides share."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formats.reference import CategoricalReference, CountedEntry, NumericReference
from mlmonitor.present.names import show_name
from mlmonitor.records import Floats

ROW_BARS, DETAIL_BARS = 18, 36
_CATEGORIES = 12
_LIVE_RANKS = np.linspace(0, 1, 65)
_REST, _NEW = "rarer values", "new values"


@dataclass(frozen=True, eq=False)
class FieldShape:
    """Shares of the live and of the training values in the same bins; either may be None.

    edges: of numeric bins, one more than bars. names: of categories.
    """

    live: Floats | None
    training: Floats | None
    edges: Floats | None = None
    names: tuple[str, ...] = ()


def draw_shapes(population: PopulationSnapshot, *, bars: int = ROW_BARS) -> list[FieldShape | None]:
    """One shape for each field of the schema; None for fields of ids."""
    numeric = len(population.plan.schema.numeric)
    shapes = _numeric_shapes(population, bars, range(numeric))
    shapes += [
        _categorical_shape(population, place) for place in range(len(population.plan.dictionaries))
    ]
    return shapes


def draw_shape(population: PopulationSnapshot, place: int, *, bars: int) -> FieldShape | None:
    """The shape of the field at this place of the schema."""
    numeric = len(population.plan.schema.numeric)
    if place >= numeric:
        return _categorical_shape(population, place - numeric)
    return _numeric_shapes(population, bars, range(place, place + 1))[0]


def _numeric_shapes(
    population: PopulationSnapshot, bars: int, places: range
) -> list[FieldShape | None]:
    """Bars of equal width, from quantiles of training and of the window.

    The outer bars hold all that lies beyond the 1 % and 99 % quantiles of both.
    """
    if not places:
        return []
    now = population.view.shapes.digests.quantile(_LIVE_RANKS)[places.start : places.stop]
    before = _training_quantiles(population.entries, places)
    joined = np.stack([_ends(now), _ends(before)])
    with np.errstate(all="ignore"):
        low, high = np.fmin(*joined[:, :, 0]), np.fmax(*joined[:, :, 1])
    span = np.where(high > low, high - low, np.maximum(np.abs(low), 1.0))
    low = np.where(high > low, low, low - span / 2)
    edges = low[:, None] + span[:, None] * np.linspace(0, 1, bars + 1)
    live, training = _shares(now, edges), _shares(before, edges)
    is_id_like = population.is_id_like[places.start : places.stop]
    return [
        None
        if is_id_like[at] or not np.isfinite(edges[at]).all()
        else FieldShape(_row(live[at]), _row(training[at]), edges[at])
        for at in range(len(places))
    ]


def _training_quantiles(entries: Sequence[CountedEntry], places: range) -> Floats:
    quantiles = np.full((len(places), 101), np.nan)
    for at, place in enumerate(places):
        entry = entries[place] if entries else None
        if isinstance(entry, NumericReference) and entry.quantiles:
            quantiles[at] = entry.quantiles
    return quantiles


def _ends(quantiles: Floats) -> Floats:
    """The second quantile from either end, at 1 to 2 %."""
    return quantiles[:, [1, -2]]


def _shares(quantiles: Floats, edges: Floats) -> Floats:
    """The share of values in each bin; values are spread evenly between two quantiles."""
    left, right = quantiles[:, :-1, None], quantiles[:, 1:, None]
    inner = edges[:, None, 1:-1]
    with np.errstate(all="ignore"):
        below = np.clip((inner - left) / (right - left), 0.0, 1.0)
    below = np.where(right > left, below, (inner >= left).astype(float)).mean(axis=1)
    ends = np.zeros((len(edges), 1)), np.ones((len(edges), 1))
    shares = np.diff(np.hstack([ends[0], below, ends[1]]), axis=1)
    shares[~np.isfinite(quantiles).all(axis=1)] = np.nan
    return shares


def _row(shares: Floats) -> Floats | None:
    return shares if np.isfinite(shares).all() else None


def _categorical_shape(population: PopulationSnapshot, position: int) -> FieldShape | None:
    """The most frequent categories, then all others together, then new ones."""
    dictionary = population.plan.dictionaries[position]
    place = len(population.plan.schema.numeric) + position
    entry = population.entries[place] if population.entries else None
    if entry is not None and entry.is_id_like:
        return None
    top = len(dictionary.top)
    counts = population.view.profile.categories[position]
    live = np.append(counts[:top], counts[top : top + 2]).astype(float)
    before = np.zeros(top + 2)
    if isinstance(entry, CategoricalReference):
        before[: len(entry.counts)] = entry.counts
    kept = min(top, _CATEGORIES)
    live, before = (_fold(values, kept, top) for values in (live, before))
    names = (*map(show_name, dictionary.top[:kept]), _REST, _NEW)
    is_used = (live + before) > 0
    is_used[:kept] = True
    return FieldShape(
        live[is_used] / live.sum() if live.sum() else None,
        before[is_used] / before.sum() if before.sum() else None,
        names=tuple(name for name, used in zip(names, is_used, strict=True) if used),
    )


def _fold(counts: Floats, kept: int, top: int) -> Floats:
    """Keep the first categories; add the others to those that are not listed."""
    return np.concatenate([counts[:kept], [counts[kept : top + 1].sum()], counts[top + 1 :]])
