"""The task of a model, inferred from its reference or from the first labels."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomePlan
from mlmonitor.capture.canonical import category_name, is_missing
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.actual_reader import list_values
from mlmonitor.formats.reference import CategoricalReference, CountedEntry, NumericReference
from mlmonitor.records import Field, Floats, Kind, Metric, Role
from mlmonitor.reference.reference import Reference

MOST_KNOWN_CLASSES = 64
"""Maximum number of classes; others share one row and one column of the confusion matrix."""

_TRUTHS = {"true": "1", "false": "0"}

ZERO_OR_ONE = {"0": 0.0, "1": 1.0, "false": 0.0, "true": 1.0}
"""The numbers of the classes of numeric and boolean actuals, by name."""


class Evidence(NamedTuple):
    """A sample of the first labelled predictions, from which the task is inferred.

    predicted: the predictions as numbers, NaN for others. predicted_names: the names of predicted
    classes. named: how many predictions are texts.
    """

    actuals: Values
    predicted: Floats
    predicted_names: Sequence[str]
    named: int = 0

    @property
    def numbers(self) -> Floats:
        """The predictions that are numbers."""
        return self.predicted[~np.isnan(self.predicted)]

    @property
    def class_names(self) -> Sequence[str]:
        """The names of the predicted classes.

        If most predictions are numbers, texts other than `true` and `false` are not classes.
        """
        if self.are_named:
            return self.predicted_names
        return [name for name in self.predicted_names if name in _TRUTHS]

    @property
    def are_named(self) -> bool:
        """Whether more predictions are names of classes than numbers."""
        return self.named > self.numbers.size


def infer_plan(
    reference: Reference | None,
    actual: Field,
    scores: Sequence[str],
    evidence: Evidence,
    metrics: tuple[Metric, ...] = (),
) -> OutcomePlan | None:
    """Infer the plan of a model's outcomes; None if actuals and predictions cannot be compared.

    Classes are compared like categories: `1`, `1.0` and "1" are equal. The positive class of two is
    that of the second score, or else the last in order: `True`, 1, and "yes" rather than "no".
    """
    if actual.kind is Kind.DATETIME:
        return None
    entries = _map_entries(reference)
    has_classes = _has_classes(entries, evidence)
    if actual.is_numeric and not _is_binary(entries, evidence) and not has_classes:
        return OutcomePlan("regression", center=_find_center(entries, evidence), metrics=metrics)
    classes = _list_classes(entries, scores, evidence)
    if len(classes) > 2 and not 0 < len(classes) <= MOST_KNOWN_CLASSES:
        classes = classes[:MOST_KNOWN_CLASSES]
    is_score = _predicts_scores(entries, evidence)
    has_scores = bool(scores) or is_score
    if len(classes) == 2:
        positive = _find_positive(classes, scores)
        low, high = _find_range(entries, scores, evidence)
        return OutcomePlan(
            "binary",
            classes,
            positive,
            has_scores=has_scores,
            has_probabilities=low >= 0 and high <= 1,
            has_numbers=actual.kind in (Kind.NUMERIC, Kind.BOOLEAN)
            and {*classes} <= {*ZERO_OR_ONE},
            metrics=metrics,
        )
    is_scored = set(map(str, scores)) == set(classes)
    return OutcomePlan("multiclass", classes, has_scores=is_scored, metrics=metrics)


def find_mismatch(actual: Field, scores: Sequence[str], evidence: Evidence) -> str | None:
    """Return why the types of actuals and predictions cannot be compared; None if they can.

    Do not call this if the reference has actuals, because it then declares their kind.
    """
    if actual.kind is Kind.DATETIME:
        return "label: expected numbers or classes, got times: pass durations in seconds"
    predicted = evidence.numbers
    if evidence.are_named and not scores and actual.is_numeric:
        values = [v for v in list_values(evidence.actuals) if isinstance(v, float)]
        if any(value % 1 for value in values):
            return "label: expected names of classes, as the predictions are, got numbers"
    if actual.is_numeric or scores or evidence.are_named or not predicted.size:
        return None
    names = {category_name(value) for value in list_values(evidence.actuals)} - {None}
    is_score = bool((predicted != np.round(predicted)).any())
    if is_score and (len(names) > 2 or any(map(_is_fraction, names))):
        return (
            "label: expected numbers, as the predictions are, got texts: pass numbers, or predict "
            "names of classes"
        )
    return None


def _is_fraction(name: str | None) -> bool:
    """Whether a text is a number, but not a whole one."""
    try:
        return float(name or "") % 1 != 0
    except ValueError:
        return False


def _map_entries(reference: Reference | None) -> dict[tuple[Role, str], CountedEntry]:
    roles = (Role.PREDICTION, Role.ACTUAL)
    listed = [] if reference is None else reference.entries(roles)
    return {(Role(entry.role), entry.name): entry for entry in listed}


def _find_actual(entries: dict[tuple[Role, str], CountedEntry]) -> CountedEntry | None:
    return next((e for (role, _), e in entries.items() if role is Role.ACTUAL), None)


def _is_zero_or_one(entry: CountedEntry | None) -> bool:
    """Whether all values were 0 or 1: only then is the variance `mean * (1 - mean)`."""
    if not isinstance(entry, NumericReference) or entry.mean is None or entry.stddev is None:
        return False
    if entry.min != 0 or entry.max != 1:
        return False
    variance = entry.mean * (1 - entry.mean)  # the reference has population deviations
    return bool(np.isclose(entry.stddev**2, variance, rtol=1e-9))


def _is_binary(entries: dict[tuple[Role, str], CountedEntry], evidence: Evidence) -> bool:
    """Whether numeric actuals are the classes 0 and 1."""
    entry = _find_actual(entries)
    if entry is not None:
        return _is_zero_or_one(entry)
    present = (value for value in list_values(evidence.actuals) if not is_missing(value))
    values = [value for value in present if isinstance(value, int | float)]
    are_whole = bool(values) and all(type(value) in (int, bool) for value in values)
    predicted, trained = evidence.numbers, entries.get((Role.PREDICTION, PREDICTION))
    if isinstance(trained, NumericReference):
        predicted = np.array([trained.min, trained.max], np.float64)  # NaN for None
    are_shares = bool(((predicted >= 0) & (predicted <= 1)).all())
    return are_whole and set(values) <= {0, 1} and are_shares and predicted.size > 0


def _has_classes(entries: dict[tuple[Role, str], CountedEntry], evidence: Evidence) -> bool:
    """Whether predictions are names of classes although actuals are numbers.

    If the model was trained to predict numbers, texts among its predictions are strays.
    """
    entry = entries.get((Role.PREDICTION, PREDICTION))
    return evidence.are_named if entry is None else isinstance(entry, CategoricalReference)


def _predicts_scores(entries: dict[tuple[Role, str], CountedEntry], evidence: Evidence) -> bool:
    """Whether the prediction itself is a score: a number that is not the number of a class."""
    entry = entries.get((Role.PREDICTION, PREDICTION))
    if entry is not None:
        return isinstance(entry, NumericReference) and not _is_zero_or_one(entry)
    predicted = evidence.numbers
    return bool(predicted.size and (predicted != np.round(predicted)).any())


def _find_center(entries: dict[tuple[Role, str], CountedEntry], evidence: Evidence) -> float:
    entry = _find_actual(entries) or entries.get((Role.PREDICTION, PREDICTION))
    if isinstance(entry, NumericReference) and entry.mean is not None:
        return entry.mean
    predicted = evidence.numbers
    return float(np.median(predicted)) if predicted.size else 0.0


def _list_classes(
    entries: dict[tuple[Role, str], CountedEntry], scores: Sequence[str], evidence: Evidence
) -> tuple[str, ...]:
    """Return all known classes: those of training, of the scores, and of the first labels."""
    if len(scores) > 1 and not all(name.isdigit() for name in scores):
        return tuple(scores)
    names: dict[str, None] = {}
    for entry in entries.values():
        if isinstance(entry, CategoricalReference):
            names.update(dict.fromkeys(entry.names))
        elif _is_zero_or_one(entry):
            names.update({"0": None, "1": None})
    if _find_actual(entries) is None:
        labels = map(category_name, list_values(evidence.actuals))
        names.update(dict.fromkeys(name for name in labels if name is not None))
        names.update(dict.fromkeys(evidence.class_names))
    if names.keys() & _TRUTHS.keys():
        names = dict.fromkeys(("false", "true"))
    if not names.keys() - {"0", "1"}:
        names = dict.fromkeys(("0", "1"))
    return tuple(sorted(names))


def _find_positive(classes: tuple[str, ...], scores: Sequence[str]) -> int:
    return classes.index(scores[1]) if len(scores) == 2 and scores[1] in classes else 1


def _find_range(
    entries: dict[tuple[Role, str], CountedEntry], scores: Sequence[str], evidence: Evidence
) -> tuple[float, float]:
    """Return the range of scores in training, or else in the first predictions."""
    names = [f"{PREDICTION}.{name}" for name in scores] or [PREDICTION]
    outputs = [entries.get((Role.PREDICTION, name)) for name in names]
    numeric = [entry for entry in outputs if isinstance(entry, NumericReference)]
    lows = [entry.min for entry in numeric if entry.min is not None]
    highs = [entry.max for entry in numeric if entry.max is not None]
    if lows and highs:
        return min(lows), max(highs)
    predicted = evidence.numbers
    if scores or not predicted.size:
        return 0.0, 1.0
    return float(predicted.min()), float(predicted.max())


def match_names(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """Return the code of each name among the classes; `len(classes)` for other names.

    1 matches true, and 0 matches false, if only one of the two is a class.
    """
    codes = {name: code for code, name in enumerate(classes)}
    for truth, digit in _TRUTHS.items():
        if truth in codes:
            codes.setdefault(digit, codes[truth])
        elif digit in codes:
            codes.setdefault(truth, codes[digit])
    return [codes.get(name, len(classes)) for name in names]
