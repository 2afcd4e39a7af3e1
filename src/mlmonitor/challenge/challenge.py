"""Challenge: decide between two models on the same traffic, at any time."""

from collections.abc import Sequence
from threading import RLock
from time import time
from typing import Any

import numpy as np

from mlmonitor.buffer.pending import SAYS_SOMETHING, LabelStatus, Pending, Reading
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.label_entries import copy_column, copy_labels
from mlmonitor.capture.values import Values
from mlmonitor.challenge.challenge_status import ChallengeStatus, Decision, PairBasis
from mlmonitor.challenge.pair_losses import LossFunction, LossName, PairLosses
from mlmonitor.challenge.running_sums import RunningMean, ScoreBins, subtract_means
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.records import Floats

_CHAMPION, _CHALLENGER = "champion", "challenger"
_LEAST_LABELS = 100
"""Before so few labels a normal law of the mean is no good approximation."""


class Challenge:
    """Compares a challenger with the champion, in shadow or as a canary.

    In shadow both predict every row: `record(champion=..., challenger=...)`. As a canary each row
    is predicted by one of them: `record(champion=...)` or `record(challenger=...)`. Labels arrive
    by id (`label`), or with the predictions (`record_outcomes`).

    Promise: without a difference, the probability that `status` ever decides for either model is at
        most `alpha`, however often it is read, as the number of labels grows. Memory is bounded:
        the newest `pending_predictions` wait for labels. Mistakes in the data are counted and never
        raised. Price: some numpy calls in the calling thread, for a row or a batch; thread-safe.

    Args:
        name: of the comparison, such as `8 against 7`.
        loss: `absolute`, `squared`, `error` (classes), `log` (the probability of class 1), or a
            function of predictions and actuals that returns a loss a row.
        margin: by how much the loss must be lower for the challenger to win.
        alpha: the probability of a wrong decision.
        pending_predictions: how many predictions wait for their labels.

    Raises:
        ConfigError: an option is wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        loss: LossName | LossFunction = "absolute",
        margin: float = 0.0,
        alpha: float = 0.05,
        pending_predictions: int = 50_000,
    ) -> None:
        _check("alpha", alpha, "a probability between 0 and 1", low=0.0, high=1.0, is_open=True)
        _check("margin", margin, "a number from 0 on")
        _check("pending_predictions", pending_predictions, "a number from 0 on", high=1e8)
        self.name: str = str(name)
        self._losses = PairLosses(loss)
        self._margin, self._alpha = float(margin), float(alpha)
        self._pending = Pending(pending_predictions, {_CHAMPION: "f8", _CHALLENGER: "f8"})
        self._paired, self._score_pairs = RunningMean(), RunningMean()
        self._sides = RunningMean(), RunningMean()
        self._scores = RunningMean(), RunningMean()
        self._bins = ScoreBins(has_classes=self._losses.has_classes)
        self._guard, self._lock = Guard(), RLock()

    def record(
        self,
        *,
        champion: Any = None,
        challenger: Any = None,
        ids: Sequence[object] | object | None = None,
    ) -> None:
        """Record predictions of one model, or of both for the same rows.

        One value or a column of them; ids: as many, for later labels. Never raises.
        """
        with self._guard, self._lock:
            predictions = self._read_pair(champion, challenger)
            self._compare_scores(predictions)
            if ids is not None:
                names = copy_labels(ids, _as_column(champion if challenger is None else challenger))
                columns = dict(zip((_CHAMPION, _CHALLENGER), predictions, strict=True))
                self._pending.remember(names.ids, columns, np.full(len(names.ids), time()))

    def label(self, prediction_id: object, actual: Any) -> None:
        """Report the actual of one prediction, or of several. Never raises."""
        with self._guard, self._lock:
            read = None

            def read_actuals(actuals: Values) -> Reading:
                nonlocal read
                read = self._losses.read(actuals)
                verdicts = np.where(np.isnan(read), 1, SAYS_SOMETHING).astype(np.int8)
                return Reading(verdicts, np.nan_to_num(read).view(np.int64))

            entry = copy_labels(prediction_id, actual)
            matches = self._pending.match(entry, read_actuals, is_last_try=True)
            if read is not None and matches.rows.size:
                columns = matches.columns
                self._compare_losses((columns[_CHAMPION], columns[_CHALLENGER]), read[matches.rows])

    def record_outcomes(
        self, actuals: Any, *, champion: Any = None, challenger: Any = None
    ) -> None:
        """Record predictions together with their actuals. Never raises."""
        with self._guard, self._lock:
            predictions = self._read_pair(champion, challenger)
            actual = self._losses.read(copy_column(_as_column(actuals)))
            if len(actual) != len(predictions[0]):
                raise SchemaError(
                    f"record_outcomes: expected an actual for each of the {len(predictions[0])} "
                    f"predictions, got {len(actual)}"
                )
            self._compare_scores(predictions)
            self._compare_losses(predictions, actual)
            self._pending.counts[LabelStatus.MATCHED] += int(np.isfinite(actual).sum())

    def _read_pair(self, champion: Any, challenger: Any) -> tuple[Floats, Floats]:
        """Return the predictions of both, NaN for a model that made none."""
        given = [
            None if side is None else self._losses.read(copy_column(_as_column(side)))
            for side in (champion, challenger)
        ]
        lengths = {len(side) for side in given if side is not None}
        if len(lengths) != 1:
            raise SchemaError("challenge: expected predictions of one model, or as many of both")
        nothing = np.full(lengths.pop(), np.nan)
        first, second = (nothing if side is None else side for side in given)
        return first, second

    def _compare_scores(self, predictions: tuple[Floats, Floats]) -> None:
        for side, values in enumerate(predictions):
            self._scores[side].update(values)
            self._bins.update(side, values)
        champion, challenger = predictions
        differences = challenger - champion
        if self._losses.has_classes:
            differences = np.where(np.isnan(differences), np.nan, differences != 0)
        self._score_pairs.update(differences)

    def _compare_losses(self, predictions: tuple[Floats, Floats], actual: Floats) -> None:
        losses = [self._losses.measure(side, actual) for side in predictions]
        for side, values in zip(self._sides, losses, strict=True):
            side.update(values)
        self._paired.update(losses[1] - losses[0])

    def status(self) -> ChallengeStatus:
        """Return the comparison so far; it may be read at any time, and decides once."""
        with self._lock:
            champion, challenger = (side.estimate(self._alpha) for side in self._sides)
            basis: PairBasis = "none"
            if self._paired.count:
                basis = "paired"
            elif champion.count and challenger.count:
                basis = "unpaired"
            difference = (
                self._paired.estimate(self._alpha)
                if basis == "paired"
                else subtract_means(self._sides[1], self._sides[0], self._alpha)
            )
            scores = (
                self._score_pairs.estimate(self._alpha)
                if self._score_pairs.count
                else subtract_means(self._scores[1], self._scores[0], self._alpha)
            )
            counts = {status.value: count for status, count in self._pending.counts.items()}
            return ChallengeStatus(
                name=self.name,
                decision=self._decide(difference),
                difference=difference,
                basis=basis,
                champion=champion,
                challenger=challenger,
                score_difference=scores,
                score_psi=self._bins.distance(),
                margin=self._margin,
                alpha=self._alpha,
                labels=counts | {"waiting": len(self._pending), "evicted": self._pending.evicted},
                invalid=self._guard.internal_errors,
                last_error=self._guard.last,
            )

    def _decide(self, difference: Estimate) -> Decision:
        if difference.count < _LEAST_LABELS:
            return "undecided"
        if difference.high < -self._margin:
            return "challenger"
        return "champion" if difference.low > -self._margin else "undecided"


def _check(
    option: str,
    value: Any,
    expected: str,
    *,
    low: float = 0.0,
    high: float = 1e300,
    is_open: bool = False,
) -> None:
    """Raise ConfigError unless a number is within its bounds."""
    is_number = isinstance(value, int | float | np.number) and not isinstance(value, bool)
    is_within = is_number and (low < value < high if is_open else low <= value <= high)
    if not is_within:
        raise ConfigError(f"{option}: expected {expected}")


def _as_column(values: Any) -> Any:
    """Return a single value as a column of one."""
    return [values] if np.ndim(values) == 0 and not hasattr(values, "__array__") else values
