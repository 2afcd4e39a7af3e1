"""The distributions of many fields, live and at training, as bars over common bins."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formats.reference import (
    QUANTILE_POINTS,
    CategoricalReference,
    CountedEntry,
    NumericReference,
)
from mlmonitor.present.names import show_name
from mlmonitor.records import Floats

ROW_BARS, DETAIL_BARS = 18, 36
_CATEGORIES = 12
_LIVE_RANKS = np.linspace(0, 1, 65)
_TRAINING_RANKS = np.linspace(0, 1, QUANTILE_POINTS)
_REST, _NEW = "rarer values", "new values"


@dataclass(frozen=True, eq=False)
class FieldShape:
    """The shares of live and of training values in the same bins; None for a side without values.

    edges: for a number, the edges of the bins, one more than there are bars. names: for a category,
    the names of the bars.
    """

    live: Floats | None
    training: Floats | None
    edges: Floats | None = None
    names: tuple[str, ...] = ()


def draw_shapes(
    population: PopulationSnapshot, places: Sequence[int], *, bars: int = ROW_BARS
) -> dict[int, FieldShape | None]:
    """Return the shapes of the fields at these indices of the schema; None for fields of ids."""
    numeric = len(population.plan.schema.numeric)
    shapes = _build_numeric_shapes(population, bars, [place for place in places if place < numeric])
    for place in places:
        if place >= numeric:
            shapes[place] = _build_categorical_shape(population, place - numeric)
    return shapes


def _build_numeric_shapes(
    population: PopulationSnapshot, bars: int, places: Sequence[int]
) -> dict[int, FieldShape | None]:
    """Compute shapes over bins of equal width from the quantiles of training and of the window.

    The bins cover both sides between their outermost quantiles (about 1% and 99%); values outside
    count in the outer bins.
    """
    if not places:
        return {}
    now = population.view.shapes.digests.quantile(_LIVE_RANKS, places)
    before = _list_training_quantiles(population.entries, places)
    joined = np.stack([now[:, [1, -2]], before[:, [1, -2]]])
    with np.errstate(all="ignore"):
        low, high = np.fmin(*joined[:, :, 0]), np.fmax(*joined[:, :, 1])
        span = np.where(high > low, high - low, np.maximum(np.abs(low), 1.0))
        low = np.where(high > low, low, low - span / 2)
        edges = low[:, None] + span[:, None] * np.linspace(0, 1, bars + 1)
    is_id_like = population.is_id_like
    return {
        place: None
        if is_id_like[place] or not np.isfinite(edges[row]).all()
        else FieldShape(
            _compute_shares(now[row], edges[row]),
            _compute_shares(before[row], edges[row]),
            edges[row],
        )
        for row, place in enumerate(places)
    }


def _list_training_quantiles(entries: Sequence[CountedEntry], places: Sequence[int]) -> Floats:
    quantiles = np.full((len(places), QUANTILE_POINTS), np.nan)
    for row, place in enumerate(places):
        entry = entries[place] if entries else None
        if isinstance(entry, NumericReference) and entry.quantiles:
            quantiles[row] = entry.quantiles
    return quantiles


def _compute_shares(quantiles: Floats, edges: Floats) -> Floats | None:
    """Return the share of values in each bin, interpolating linearly between the quantiles."""
    if not np.isfinite(quantiles).all():
        return None
    ranks = _LIVE_RANKS if len(quantiles) == _LIVE_RANKS.size else _TRAINING_RANKS
    below = np.interp(edges, quantiles, ranks)
    below[0], below[-1] = 0.0, 1.0
    return np.diff(below)


def _build_categorical_shape(population: PopulationSnapshot, position: int) -> FieldShape | None:
    """Compute shares of the most frequent categories, other known categories, and new ones."""
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
    """Keep the first `kept` counts, and add the other listed categories to the unlisted ones."""
    return np.concatenate([counts[:kept], [counts[kept : top + 1].sum()], counts[top + 1 :]])
