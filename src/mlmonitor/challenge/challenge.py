"""Challenge: a comparison of two models on the same traffic that can be read at any time."""

from collections.abc import Sequence
from threading import RLock
from time import time
from typing import Any

from mlmonitor.capture.guard import Guard
from mlmonitor.capture.host.challenger_entries import check_rows, copy_groups, count_predictions
from mlmonitor.capture.host.label_entries import copy_column, copy_ids, copy_labels
from mlmonitor.capture.host.results import extract_prediction
from mlmonitor.capture.outputs import OutputKind, Outputs
from mlmonitor.challenge.challenge_state import SIDES, ChallengeState, Side
from mlmonitor.challenge.challenge_status import ChallengeStatus
from mlmonitor.challenge.pair_losses import LossFunction, OutputColumns, read_predictions
from mlmonitor.errors import SchemaError
from mlmonitor.records import Challenger, LossName


class Challenge:
    """Compares a challenger with the champion, in shadow or as a canary, without a monitor.

    In shadow, both models predict every row: use `record(champion=..., challenger=...)`, or one
    call per model with the same ids. As a canary, each row is predicted by one of them. Labels
    arrive by id (`label`), or with the predictions (`record_outcomes`). `Monitor(challengers=...)`
    does the same for the rows that it watches, and exports the comparison.

    Promise: if the models do not differ, the probability of ever deciding for either is at most
        `alpha` for large numbers of labels, however often `status` is read. Memory is bounded: the
        newest `pending_predictions` wait for labels, and as many labels for predictions; evicted
        predictions are counted. Mistakes in the data are counted and never raised.
    Price: some numpy calls in the calling thread, for a row or a batch; thread-safe.

    Args:
        name: the name of the comparison, such as `8 against 7`.
        loss, margin, alpha, classes, pending_predictions: as in `Challenger`.

    Raises:
        ConfigError: an option is wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        loss: LossName | LossFunction | None = None,
        margin: float = 0.0,
        alpha: float = 0.05,
        classes: Sequence[object] = (),
        pending_predictions: int = 50_000,
    ) -> None:
        self.name: str = str(name)
        options = Challenger(
            version=self.name or "challenger",
            loss=loss,
            margin=margin,
            alpha=alpha,
            classes=classes,
            pending_predictions=pending_predictions,
        )
        self._state = ChallengeState(self.name, options)
        self._guard, self._lock = Guard(), RLock()

    def record(
        self,
        *,
        champion: Any = None,
        challenger: Any = None,
        ids: Sequence[object] | object | None = None,
        groups: Any = None,
        output: OutputKind = "value",
        names: Sequence[object] = (),
    ) -> None:
        """Record predictions of one model, or of both for the same rows. Never raises.

        champion, challenger: one prediction or a column of them, or scores of several classes: a
            matrix, a frame, or columns by class.
        ids: one per row. They match later labels with predictions, and pair the models if these are
            recorded in different calls.
        groups: one per row, such as the customer, if rows of a group depend on each other; rows of
            a group then count as fewer labels.
        output, names: as in `Monitor.record`, for scores.
        """
        with self._guard, self._lock:
            identities = None if ids is None else copy_ids(ids)
            rows = None if identities is None else len(identities)
            sides = _read_sides((champion, challenger), Outputs.named(output, names), rows)
            named = copy_groups(groups)
            self._state.ingest(sides, identities or (), now=time(), groups=named)

    def label(self, prediction_id: object, actual: Any) -> None:
        """Report the actual of one prediction, or of several. Never raises.

        A label may arrive before its prediction; it then waits, counted in `labels["waiting"]`.
        """
        with self._guard, self._lock:
            self._state.ingest_labels([copy_labels(prediction_id, actual)])

    def record_outcomes(
        self,
        actuals: Any,
        *,
        champion: Any = None,
        challenger: Any = None,
        groups: Any = None,
        output: OutputKind = "value",
        names: Sequence[object] = (),
    ) -> None:
        """Record predictions together with their actuals, as `record` does. Never raises."""
        with self._guard, self._lock:
            several = hasattr(actuals, "__len__") and not isinstance(actuals, str | bytes)
            column = copy_column(actuals if several else [actuals])
            sides = _read_sides((champion, challenger), Outputs.named(output, names), None)
            self._state.ingest_pairs(sides, column, copy_groups(groups))

    def status(self) -> ChallengeStatus:
        """Return the comparison so far; reading it often does not weaken its guarantees."""
        with self._lock:
            return self._state.status(
                invalid=self._guard.internal_errors, last_error=self._guard.last
            )


def _read_sides(
    predictions: tuple[Any, Any], outputs: Outputs, rows: int | None
) -> dict[Side, OutputColumns]:
    """Return the columns of each model that made predictions.

    Raises:
        SchemaError: there are no predictions, or not one for each row.
    """
    copies = {
        side: extract_prediction(outputs, given)
        for side, given in zip(SIDES, predictions, strict=True)
        if given is not None
    }
    if not copies:
        raise SchemaError("record: expected predictions of the champion, the challenger, or both")
    if rows is None:
        rows = max(map(count_predictions, copies.values()))
    for copied in copies.values():
        check_rows("record", copied, rows)
    return {side: read_predictions(copied, outputs, rows) for side, copied in copies.items()}
