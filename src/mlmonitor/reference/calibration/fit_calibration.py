"""Fit the calibration of training predictions, from which live performance is estimated."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.formats.reference.calibration_entries import (
    CalibrationReference,
    FieldEffect,
    OutcomeMap,
)
from mlmonitor.records import Counts, Floats, Role
from mlmonitor.reference.calibration.field_effects import (
    CLASS_LINK,
    ERROR_LINK,
    SCORE,
    EffectCandidate,
    FittedEffects,
    Link,
    fit_effects,
    logistic,
    sample_places,
)
from mlmonitor.reference.calibration.isotonic import monotone_rates
from mlmonitor.reference.fitting.stratified_field import cells_of
from mlmonitor.reference.personal_values import personal_names
from mlmonitor.reference.training_losses.training_outcomes import (
    Column,
    primary_output,
    read_training_outcomes,
)

LEAST_ROWS = 100
_LEAST_OF_CLASS = 10
_CLASS_BINS = 50, 100
_ERROR_BINS = 50, 0
_ROWS_PER_BIN = 20
_SHRINK = 20.0
_MOST_ERROR = 1e70  # so that sums of its fourth power are finite
ERRORS = ("mae", "mse", "bias")


class TrainingRows(NamedTuple):
    """The sampled training rows: outputs by name, actuals, and the entries of all fields.

    values_of: returns the sampled values of the field with this index in `entries`.
    """

    outputs: Mapping[str, Column]
    actual: Column
    entries: Sequence[CountedEntry]
    values_of: Callable[[int], Any]


def fit_calibration(data: TrainingRows) -> CalibrationReference | None:
    """Return the calibration; None if there are too few pairs or scores, or a class names a person.

    Price: a sort of the scores, and binning at most 20,000 rows of each feature.
    """
    outcomes = read_training_outcomes(data.outputs, data.actual)
    if outcomes is None:
        return None
    plan, block = outcomes
    if plan.task == "regression":
        return _fit_errors(data, block)
    if not len(block.scores) or personal_names(plan.classes):
        return None
    return _fit_classes(data, plan, block)


def _fit_classes(
    data: TrainingRows, plan: OutcomePlan, block: OutcomeBlock
) -> CalibrationReference | None:
    codes = (plan.positive,) if plan.task == "binary" else tuple(range(len(plan.classes)))
    is_pair = ~np.isnan(block.scores).any(axis=0) & (block.actual_class >= 0)
    actual = block.actual_class[is_pair]
    counts = np.bincount(actual, minlength=len(plan.classes))
    if actual.size < LEAST_ROWS or min(counts) < _LEAST_OF_CLASS:
        return None
    names = [_find_score_name(data.outputs, scores) for scores in block.scores]
    candidates = _Candidates(data, np.flatnonzero(is_pair))
    maps = [
        _fit_map(
            (plan.classes[code], name),
            (scores[is_pair], (actual == code).astype(np.float64)),
            candidates,
        )
        for code, name, scores in zip(codes, names, block.scores, strict=True)
    ]
    return CalibrationReference(
        task="binary" if plan.task == "binary" else "multiclass",
        classes=list(plan.classes),
        positive=plan.positive if plan.task == "binary" else 1,
        label=_find_label_name(data.outputs, names),
        is_probability=plan.has_probabilities,
        maps=maps,
        corrections=candidates.correct(block, maps) if plan.task == "multiclass" else [],
    )


def _fit_errors(data: TrainingRows, block: OutcomeBlock) -> CalibrationReference | None:
    with np.errstate(over="ignore", invalid="ignore"):
        error = block.predicted - block.actual
    is_pair = np.isfinite(error) & (np.abs(error) < _MOST_ERROR)
    if np.count_nonzero(is_pair) < LEAST_ROWS:
        return None
    name = _find_score_name(data.outputs, block.predicted)
    candidates = _Candidates(data, np.flatnonzero(is_pair))
    predicted, error = block.predicted[is_pair], error[is_pair]
    losses = (np.abs(error), error**2, error)
    maps = [
        _fit_map((measure, name), (predicted, loss), candidates)
        for measure, loss in zip(ERRORS, losses, strict=True)
    ]
    return CalibrationReference(task="regression", maps=maps)


def _fit_map(
    names: tuple[str, str], data: tuple[Floats, Floats], candidates: "_Candidates"
) -> OutcomeMap:
    """Fit an outcome by bins of an output.

    names: the names of the outcome and the output. data: the values of the output and the outcome.
    """
    (measure, output), (scores, outcome) = names, data
    is_error = measure in ERRORS and measure != "bias" and bool((outcome >= 0).all())
    is_class = bool(np.isin(outcome, (0.0, 1.0)).all())
    edges = _choose_edges(scores, *(_CLASS_BINS if is_class else _ERROR_BINS))
    bins = np.searchsorted(edges, scores, side="left")
    size = len(edges) + 1
    rows: Counts = np.bincount(bins, minlength=size).astype(np.int64)
    sums, squares = _sum_by(bins, outcome, size), _sum_by(bins, outcome**2, size)
    fitted = FittedEffects({})
    offsets: Floats = np.zeros(size)
    if is_class:
        rates = np.clip(monotone_rates(rows, sums), 1e-4, 1 - 1e-4)
        offsets = np.log(rates / (1 - rates))
        fitted = candidates.effects(outcome, (bins, offsets), CLASS_LINK)
    elif is_error and outcome.any():
        least = max(float(outcome.mean()) * 1e-6, np.finfo(np.float64).tiny)
        means = np.maximum(sums / np.maximum(rows, 1), least)
        offsets = np.log(means)
        fitted = candidates.effects(outcome, (bins, offsets), ERROR_LINK)
    effects = {name: fitted.slope * values for name, values in fitted.by_name.items()}
    offsets = fitted.intercept + fitted.slope * offsets + effects.pop(SCORE, 0.0)
    return OutcomeMap(
        outcome=measure,
        output=output,
        edges=edges.tolist(),
        rows=rows.tolist(),
        sums=sums.tolist(),
        squares=squares.tolist(),
        offsets=offsets.tolist() if effects else [],
        effects=[FieldEffect(field=n, values=v.tolist()) for n, v in effects.items()],
    )


class _Candidates:
    """The features whose effects are tried, on evenly spaced pairs of prediction and actual."""

    def __init__(self, data: TrainingRows, pairs: Counts) -> None:
        self._chosen = sample_places(pairs.size)
        self._rows = rows = pairs[self._chosen]
        self._by_name = {
            entry.name: EffectCandidate(
                cells_of(entry, data.values_of(place)[rows]), len(entry.counts) + 1
            )
            for place, entry in enumerate(data.entries)
            if Role(entry.role) is Role.FEATURE and not entry.is_id_like
        }

    def effects(self, outcome: Floats, score: tuple[Counts, Floats], link: Link) -> FittedEffects:
        """Fit the effects that features have on the outcome in addition to that of the score.

        score: the bin of each pair, and the offset of each bin.
        """
        bins, offsets = score[0][self._chosen], score[1]
        candidates = {**self._by_name, SCORE: EffectCandidate(bins, len(offsets))}
        return fit_effects(outcome[self._chosen], offsets[bins], candidates, link)

    def correct(self, block: OutcomeBlock, maps: Sequence[OutcomeMap]) -> list[list[float]]:
        """Return the ratio of observed to expected rows, `[actual class, predicted class]`.

        The probabilities of a class are right on average over all rows, but not over the rows that
        are predicted to be that class. Twenty rows are added to both counts, so that the ratio of
        a rare pair is close to 1.
        """
        pairs = zip(maps, block.scores, strict=True)
        chances = np.stack([self._get_chances(part, scores[self._rows]) for part, scores in pairs])
        chances = chances / np.maximum(chances.sum(axis=0), 1e-9)
        actual, predicted = block.actual_class[self._rows], block.predicted_class[self._rows]
        classified, size = np.flatnonzero(predicted >= 0), len(maps)
        actual, predicted = actual[classified], predicted[classified]
        expected = np.stack([np.bincount(predicted, row[classified], size) for row in chances])
        realised = np.bincount(actual * size + predicted, minlength=size**2).reshape(size, size)
        corrections: list[list[float]] = ((realised + _SHRINK) / (expected + _SHRINK)).tolist()
        return corrections

    def _get_chances(self, part: OutcomeMap, scores: Floats) -> Floats:
        """Return the probability of the class of `part` in each row of the sample."""
        bins = np.searchsorted(part.edges, scores, side="left")
        if not part.effects:
            return monotone_rates(np.array(part.rows), np.array(part.sums, np.float64))[bins]
        shift: Floats = np.array(part.offsets)[bins]
        for effect in part.effects:
            shift = shift + np.array(effect.values)[self._by_name[effect.field].cells]
        return logistic(shift)


def _sum_by(bins: Counts, values: Floats, size: int) -> Floats:
    return np.bincount(bins, values, size).astype(np.float64)


def _choose_edges(scores: Floats, quantiles: int, steps: int) -> Floats:
    """Return the bin edges of the scores: quantiles, and even steps so that no bin is wide.

    Narrow bins are needed because a decision threshold may lie within a bin. There are fewer
    quantiles if a bin would have fewer than twenty rows.
    """
    bins = int(np.clip(scores.size // _ROWS_PER_BIN, 1, quantiles))
    ranked = np.quantile(scores, np.arange(1, bins) / bins, method="inverted_cdf")
    low, high = np.quantile(scores, [0.01, 0.99]).tolist()
    if scores.min() >= 0 and scores.max() <= 1:
        low, high = 0.0, 1.0
    even = np.empty(0)
    if steps and np.isfinite(high - low):
        even = np.round(low + (high - low) * np.arange(steps) / steps, 15)
    edges: Floats = np.unique(np.concatenate([ranked, even]))
    kept: Floats = edges[(edges >= scores.min()) & (edges < scores.max())]
    return kept


def _find_score_name(outputs: Mapping[str, Column], scores: Floats) -> str:
    """Return the name of the output that holds these scores."""
    for name, column in outputs.items():
        if column.dtype.kind == "f" and np.array_equal(column, scores, equal_nan=True):
            return name
    return PREDICTION


def _find_label_name(outputs: Mapping[str, Column], scores: Sequence[str]) -> str | None:
    """Return the output that names the predicted class; None if it follows from the scores."""
    label = primary_output(outputs)
    return None if label in scores else label
