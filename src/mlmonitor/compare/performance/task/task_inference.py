"""Infers the kind of actuals and the task, from the reference or else from the first pairs."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomePlan
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.actual_population import list_entries
from mlmonitor.compare.performance.actual_reader import infer_actual_kind, list_values
from mlmonitor.compare.performance.prediction_keeper import PredictionKeeper
from mlmonitor.compare.performance.task.task_plan import Evidence, find_mismatch, infer_plan
from mlmonitor.records import Field, Floats, Kind, Metric, Role
from mlmonitor.reference.reference import Reference

ENOUGH_PAIRS: Final = 100
"""The number of pairs that decide what the reference leaves open."""


class Pairs(NamedTuple):
    """Stored columns of predictions with their actuals.

    times: `[2, rows]`, of prediction and of label. verdicts: how each pair was counted, as in a
    `Reading`.
    """

    columns: Mapping[str, Column]
    actuals: Values
    times: Floats
    verdicts: NDArray[np.int8]


class TaskInference:
    """Infers the kind of actuals and the task of a model.

    A reference with predictions and actuals decides immediately. Otherwise the first `ENOUGH_PAIRS`
    pairs are stored and their majority decides, so that a stray text or a missing value among them
    has no effect.
    Price: the stored columns of these pairs.
    """

    def __init__(
        self, reference: Reference | None, keeper: PredictionKeeper, metrics: tuple[Metric, ...]
    ) -> None:
        self._reference, self._keeper, self._metrics = reference, keeper, metrics
        self._predictions = list_entries(reference, Role.PREDICTION)
        self.knows_actuals: bool = bool(list_entries(reference, Role.ACTUAL))
        self.mismatch: str | None = None
        """Why labels and predictions cannot be compared; None if they can."""
        is_certain = self.knows_actuals and any(e.name == PREDICTION for e in self._predictions)
        self._first: list[Pairs] | None = None if is_certain else []

    @property
    def is_open(self) -> bool:
        """Whether further pairs may change the task."""
        return self._first is not None

    @property
    def rows(self) -> int:
        """The number of stored pairs."""
        return sum(len(pairs.actuals) for pairs in self._first or ())

    def add(self, pairs: Pairs) -> None:
        """Store pairs as evidence, unless the task is certain."""
        if self._first is not None:
            self._first.append(pairs)

    def close_if_enough(self) -> None:
        """Make the task final if there are enough pairs."""
        if self.rows >= ENOUGH_PAIRS:
            self._first = None

    def join_pairs(self) -> Pairs:
        """Return all stored pairs, joined into one object."""
        parts = self._first or []
        # Pairs from labels have columns that pairs from outcomes lack, such as `predicted_at`.
        shared = [name for name in parts[0].columns if all(name in p.columns for p in parts)]
        columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in shared}
        actuals = parts[0].actuals
        if len(parts) > 1:
            actuals = [value for part in parts for value in list_values(part.actuals)]
        verdicts = np.concatenate([part.verdicts for part in parts])
        return Pairs(columns, actuals, np.hstack([part.times for part in parts]), verdicts)

    def infer_kind(self, actuals: Values) -> Kind:
        """Infer the kind from the stored and the new actuals, or else from the predictions."""
        if self._first:
            actuals = [*list_values(self.join_pairs().actuals), *list_values(actuals)]
        return infer_actual_kind(actuals, self._predictions)

    def infer(self, actual: Field, pairs: Pairs) -> OutcomePlan | None:
        """Return how pairs are compared; None if they cannot be, with the reason in `mismatch`."""
        codes = pairs.columns["class"]
        is_named = (codes >= 0) & np.isnan(pairs.columns["predicted"])
        evidence = Evidence(
            pairs.actuals,
            pairs.columns["predicted"],
            [self._keeper.classes.names[code] for code in np.unique(codes[codes >= 0]).tolist()],
            int(np.count_nonzero(is_named)),
        )
        scores = self._keeper.scores
        self.mismatch = None
        if not self.knows_actuals:
            self.mismatch = find_mismatch(actual, scores, evidence)
        if self.mismatch is not None:
            return None
        return infer_plan(self._reference, actual, scores, evidence, self._metrics)


def is_same_task(first: OutcomePlan | None, second: OutcomePlan | None) -> bool:
    """Whether two plans compare pairs in the same way; the center of their sums is ignored."""
    if first is None or second is None:
        return first is second
    return replace(first, center=0.0) == replace(second, center=0.0)
