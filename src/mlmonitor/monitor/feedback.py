"""The part of a monitor that receives labels, outcomes and business figures."""

from typing import TYPE_CHECKING, Any

import numpy as np

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.host.batch import build_batch_entry
from mlmonitor.capture.host.batch_slices import RecordedBatch
from mlmonitor.capture.host.host_capture import HostCapture
from mlmonitor.capture.host.label_entries import check_times, copy_column, copy_labels
from mlmonitor.capture.host.outcome_entries import (
    are_rankings,
    check_columns,
    check_pairs,
    copy_rankings,
    pair_outcomes,
)
from mlmonitor.config import Config
from mlmonitor.errors import SchemaError
from mlmonitor.records import Floats

if TYPE_CHECKING:
    from mlmonitor.worker.worker import Worker


def check_figure(name: str, value: object) -> None:
    """Check that a business figure is a number, or missing; raise SchemaError otherwise."""
    if value is not None and not hasattr(value, "__float__"):
        kind = type(value).__name__
        raise SchemaError(f"kpi: {str(name)!r}: expected a number, got {kind}")


class Feedback:
    """Labels, outcomes and business figures of one model. A disabled monitor ignores them."""

    config: Config
    _inbox: Inbox
    _worker: "Worker"
    _capture: HostCapture

    def label(self, prediction_id: object, actual: Any, at: object = None) -> None:
        """Report the actual of one prediction, or of several: as many actuals as ids.

        Labels find the newest `Config.pending_predictions` predictions of this process; in another
        process, use `record_outcomes`. at: when the actual became known, in seconds since 1970 or
        as a datetime, one for all or one per label; by default now. Never raises: `status().labels`
        counts labels by outcome, and `status().last_error` names a mistake. The actual of a
        ranking, whose prediction was a row of at most 32 scores, is a row of as many relevances.
        """
        if self.config.enabled:
            with self._inbox.guard:
                labels = copy_labels(prediction_id, actual, at)
                self._worker.report(self._inbox.labels.put, labels)
                check_times("label: at", at, labels.times)

    def record_outcomes(
        self,
        predictions: Any,
        actuals: Any,
        predicted_at: object = None,
        features: Any = None,
    ) -> None:
        """Report predictions together with their actuals, in any process, without ids.

        Use it where labels are joined elsewhere: in a nightly job, or after a restart. The pairs
        count only for performance, not as traffic.
        predictions: as in `record`. actuals: one per prediction. A ranking has a row of scores and
        a row of relevances for each query. predicted_at: the time of prediction, one for all or one
        per row, which decides the cohort; by default now. features: columns or a frame, for
        segments and buckets. Never raises, like `label`: `status().labels` also counts these pairs,
        and those without a prediction or an actual as `missing` or `unreadable`.
        """
        if self.config.enabled:
            with self._inbox.guard:
                check_columns(predictions, actuals)
                if are_rankings(actuals):
                    rankings = copy_rankings(predictions, actuals, predicted_at)
                    self._worker.hand_over_outcomes(rankings)
                    self._check_predicted_at(predicted_at, rankings.predicted_at)
                    return
                values = copy_column(actuals)
                if features is None:
                    check_pairs(predictions, len(values))
                rows = np.empty((len(values), 0)) if features is None else features
                entry = build_batch_entry(
                    RecordedBatch(rows, predictions),
                    shape=self._capture.shapes.plain,
                    copiers=self._capture.recorder.copiers,
                    guard=self._inbox.guard,
                )
                pairs = pair_outcomes(entry, values, predicted_at)
                self._worker.hand_over_outcomes(pairs)
                self._check_predicted_at(predicted_at, pairs.predicted_at)

    @staticmethod
    def _check_predicted_at(given: object, seconds: Floats) -> None:
        times = None if given is None else seconds
        check_times("record_outcomes: predicted_at", given, times)

    def kpi(self, name: str, value: float) -> None:
        """Report a business figure: its sum, count and distribution are kept under `name`.

        Never raises: a value that is not a number is counted and named in `status().last_error`.
        """
        if self.config.enabled:
            with self._inbox.guard:
                self._worker.report(self._inbox.figures.put, [(str(name), value)])
                check_figure(name, value)
