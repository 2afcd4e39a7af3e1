"""Mean predictions by bin of each feature, for decomposing a shift of the predictions."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.reference.fitting.stratified_field import cells_of
from mlmonitor.stats.dependence.mix_weights import mix_weights

_MOST_WEIGHED = 400  # features; more would take minutes
_WEIGHED_ROWS = 20_000
_ALL_RANGE = 1e150  # a larger prediction's square overflows


class Explained(NamedTuple):
    """Entries with the mean prediction of each bin, and the name of the prediction used."""

    entries: list[CountedEntry]
    prediction: str | None


def explain(entries: Sequence[CountedEntry], values_of: Callable[[int], Any]) -> Explained:
    """Add to each feature the mean and variance of the primary prediction in each of its bins.

    values_of: returns the sampled values of the field with this index in `entries`, floats or
    names; all fields have the same rows. Without a numeric prediction, the entries are unchanged.
    Price: one look-up and two sums per value at fit; nothing while serving.
    """
    at = primary(entries)
    if at is None:
        return Explained(list(entries), None)
    outcome: Floats = values_of(at)
    outcome = np.where(np.abs(outcome) < _ALL_RANGE, outcome, np.nan)
    explained = [
        _with_prediction(entry, cells_of(entry, values_of(place)), outcome)
        if Role(entry.role) is Role.FEATURE
        else entry
        for place, entry in enumerate(entries)
    ]
    return Explained(_with_weights(explained, values_of), entries[at].name)


def _with_weights(
    entries: list[CountedEntry], values_of: Callable[[int], Any]
) -> list[CountedEntry]:
    """Add to each feature its group of correlated features, and its weight within the group."""
    places = [place for place, entry in enumerate(entries) if entry.predicted]
    if not 0 < len(places) <= _MOST_WEIGHED:
        return entries
    scores = []
    for place in places:
        values = values_of(place)
        sample = values[:: max(len(values) // _WEIGHED_ROWS, 1)]
        by_bin = np.array([np.nan if y is None else y for y in entries[place].predicted], float)
        scores.append(by_bin[cells_of(entries[place], sample)])
    table = np.array(scores)
    means = np.nanmean(np.where(np.isnan(table).all(axis=1, keepdims=True), 0.0, table), axis=1)
    weights, groups = mix_weights(np.where(np.isnan(table), means[:, None], table))
    weighted = list(entries)
    for place, weight, group in zip(places, weights.tolist(), groups.tolist(), strict=True):
        update = {"mix_weight": float(f"{weight:.6g}"), "mix_group": places[group]}
        weighted[place] = entries[place].model_copy(update=update)
    return weighted


def primary(entries: Sequence[CountedEntry]) -> int | None:
    """Return the position of the prediction whose shift is decomposed; None if none is numeric.

    `prediction` if it is numeric; the second of two class probabilities, as the positive class;
    otherwise the output with the largest variance.
    """
    outputs = [
        (at, entry)
        for at, entry in enumerate(entries)
        if Role(entry.role) is Role.PREDICTION
        and isinstance(entry, NumericReference)
        and entry.kind == "numeric"
        and entry.stddev is not None
    ]
    if not outputs:
        return None
    for at, entry in outputs:
        if entry.name == PREDICTION:
            return at
    if len(outputs) == 2:
        return outputs[1][0]
    return max(outputs, key=lambda output: output[1].stddev or 0.0)[0]


def _with_prediction(entry: CountedEntry, bins: Counts, outcome: Floats) -> CountedEntry:
    has_outcome = ~np.isnan(outcome)
    size = len(entry.counts) + 1
    rows = np.bincount(bins[has_outcome], minlength=size)
    shown = np.maximum(rows, 1)
    mean = np.bincount(bins[has_outcome], outcome[has_outcome], minlength=size) / shown
    square = (outcome[has_outcome] - mean[bins[has_outcome]]) ** 2
    variance = np.bincount(bins[has_outcome], square, minlength=size) / shown
    return entry.model_copy(
        update={
            "predicted": _hide_empty(mean, rows),
            "predicted_variance": _hide_empty(variance, rows),
        }
    )


def _hide_empty(numbers: Floats, rows: Counts) -> list[float | None]:
    pairs = zip(numbers.tolist(), rows.tolist(), strict=True)
    return [number if count else None for number, count in pairs]
