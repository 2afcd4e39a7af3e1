"""How predictions are compared with their actuals: the task, its classes, its measures."""

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.bucket_sums import Buckets
from mlmonitor.aggregate.sketches.categories import OTHER
from mlmonitor.aggregate.sketches.group_sizes import Hashes
from mlmonitor.records import Floats, Metric

Task = Literal["regression", "binary", "multiclass", "ranking"]

MOST_SCORED_CLASSES = 32
"""The maximum number of classes whose scores are counted, each in its own histogram."""


@dataclass(frozen=True, slots=True)
class OutcomePlan:
    """The layout of outcome states: two states merge if their plans are equal.

    classes: names by code; all other classes share the next code. positive: the code of the
    positive class if there are two. center: a value near the mean actual, subtracted before powers
    are summed. has_scores: whether scores arrive with the predictions. has_probabilities: whether
    scores are probabilities rather than decision values. has_histogram: whether scores are counted
    in histograms, besides their losses. has_numbers: whether the two classes are 0 and 1, or False
    and True, rather than texts.
    """

    task: Task
    classes: tuple[str, ...] = ()
    positive: int = 1
    center: float = 0.0
    has_scores: bool = False
    has_probabilities: bool = True
    has_histogram: bool = True
    has_numbers: bool = False
    metrics: tuple[Metric, ...] = ()

    @property
    def mean_names(self) -> tuple[str, ...]:
        """The names of measures that are means of one value per row."""
        own = tuple(metric.name for metric in self.metrics)
        if self.task == "ranking":
            return ("ndcg", "mrr", *own)
        return ("log_loss", "brier", *own) if self.has_scores and self.has_probabilities else own

    @property
    def scored(self) -> int:
        """The number of classes with a histogram of scores; of two classes, only one needs it."""
        if not self.has_scores or not self.has_histogram:
            return 0
        return 1 if self.task == "binary" else len(self.classes)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of all codes; the last one stands for all other classes."""
        return (*self.classes, OTHER)

    def without_histogram(self) -> "OutcomePlan":
        """Return the plan without histograms, which would take too much memory for many buckets."""
        return replace(self, has_histogram=False)


class OutcomeBlock(NamedTuple):
    """Pairs of predictions and actuals, as arrays of numbers.

    predicted, actual: NaN where there is none. predicted_class, actual_class: codes of the plan's
    classes, -1 where there is none. scores: float64 `[scored classes, rows]`. means: one value per
    row for each of the plan's `mean_names`. groups: the hash of the group of each row, if groups
    are declared.
    """

    predicted: Floats
    actual: Floats
    predicted_class: Buckets
    actual_class: Buckets
    scores: Floats
    means: dict[str, Floats]
    groups: Hashes | None = None

    @property
    def rows(self) -> int:
        """The number of pairs."""
        return len(self.predicted)


def score_losses(plan: OutcomePlan, block: OutcomeBlock) -> dict[str, Floats]:
    """Return log loss and Brier score of each row; NaN if a probability is missing or invalid."""
    scores, actual = block.scores, block.actual_class
    is_sound = ((scores >= 0) & (scores <= 1)).all(axis=0) & (actual >= 0)
    with np.errstate(all="ignore"):
        if plan.task == "binary":
            is_positive = actual == plan.positive
            chance = np.where(is_positive, scores[0], 1 - scores[0])
            squares = (scores[0] - is_positive) ** 2
        else:
            codes = np.arange(len(scores))[:, None]
            is_class = codes == actual
            chance = np.where(is_class, scores, 0.0).sum(axis=0)
            squares = ((scores - is_class) ** 2).sum(axis=0)
        least = np.finfo(np.float64).eps  # as scikit-learn clips
        loss = -np.log(np.clip(chance, least, 1 - least))
    return {
        "log_loss": np.where(is_sound, loss, np.nan),
        "brier": np.where(is_sound, squares, np.nan),
    }
