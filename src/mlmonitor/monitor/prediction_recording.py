"""The part of a monitor that records predictions: `watch`, `observe` and `record`."""

import secrets
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, overload

from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.entry import ROWS, Shape
from mlmonitor.capture.host.attribution_entries import copy_attributions
from mlmonitor.capture.host.batch_slices import RecordedBatch
from mlmonitor.capture.host.challenger_entries import check_version, copy_challenger
from mlmonitor.capture.host.host_capture import HostCapture
from mlmonitor.capture.host.label_entries import check_times, read_times
from mlmonitor.capture.host.recorder import find_open_id
from mlmonitor.capture.host.watch.observation import Observation
from mlmonitor.capture.outputs import NO_NAMES, OutputKind, Outputs, Select
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.config import Config
from mlmonitor.display.progress import track
from mlmonitor.worker.wall_clock import Clock

if TYPE_CHECKING:
    from mlmonitor.export.series.identity import Identity
    from mlmonitor.worker.worker import Worker

P = ParamSpec("P")
R = TypeVar("R")
Watched = TypeVar("Watched")


class Recording:
    """Predictions of one model, one by one or in batches. A disabled monitor ignores them."""

    config: Config
    _inbox: Inbox
    _worker: "Worker"
    _capture: HostCapture
    _clock: Clock
    _block: type[Observation]
    _plain: Shape
    _identity: "Identity"

    @overload
    def watch(self, function: Watched, /) -> Watched: ...

    @overload
    def watch(
        self,
        /,
        *,
        features: str | Sequence[str] | None = ...,
        prediction: Select | None = ...,
        output: OutputKind = ...,
        names: Sequence[str] = ...,
        id_from: str | None = ...,
    ) -> Callable[[Callable[P, R]], Callable[P, R]]: ...

    def watch(
        self,
        function: Any = None,
        /,
        *,
        features: str | Sequence[str] | None = None,
        prediction: Select | None = None,
        output: OutputKind = "value",
        names: Sequence[str] = (),
        id_from: str | None = None,
    ) -> Any:
        """Record every call of a function or coroutine function: features, prediction, latency.

        Exceptions pass through and are counted by their type. Features are copied before the call.

        Args:
            function: computes one prediction or a batch; with or without `self`. Or a fitted
                model, whose methods that predict are then watched: an estimator, a booster, or an
                `InferenceSession` of ONNX Runtime.
            features: the argument that holds the features, or a list of arguments that are one
                feature each. Default: the first argument.
            prediction: which part of the result is the prediction: a key or attribute, an index, or
                a function of the result. Default: the whole result, or a session's first output.
            output: `probabilities` if the result is one number per class; the label of the most
                probable becomes the prediction.
            names: names of the columns of an array of several outputs, or of the classes.
            id_from: an argument, or else a feature, that holds the prediction's id. Default: an id
                is created when `prediction_id` is read.

        Raises:
            ConfigError: `function` is not a function, or is a generator, or lacks the named
                argument; or an option is wrong.
        """
        outputs = Outputs.named(output, names, prediction)
        wrap = self._capture.build_decorator(features, outputs, id_from)
        return wrap if function is None else wrap(function)

    def observe(
        self,
        features: Any,
        *,
        prediction_id: object = None,
        output: OutputKind = "value",
        names: Sequence[str] = NO_NAMES,
    ) -> Observation:
        """Return a context manager around one prediction, for `with` and `async with`.

        Set its `value`; read its `id`. `prediction_id` is the caller's own id, if any; `output` and
        `names` are those of `watch`.
        """
        shape = self._plain
        if names is not NO_NAMES or output != "value":  # an array has no truth
            shape = self._capture.shapes.get(output, names)
        return self._block(shape, features, prediction_id)

    def _record_attributions(self, attributions: Any, rows: int = 1) -> None:
        """Hand over the attributions of some rows."""
        entry = copy_attributions(attributions, rows, self._capture.feature_names)
        self._worker.report(self._inbox.attributions.put, [entry])

    def record(  # noqa: PLR0913 - what belongs to rows, by keyword
        self,
        features: Any,
        predictions: Any,
        *,
        ids: Sequence[object] | None = None,
        at: object = None,
        attributions: Any = None,
        output: OutputKind = "value",
        names: Sequence[str] = (),
    ) -> None:
        """Record a batch that has already been scored, by column, without a Python loop over rows.

        If the buffer is full, the calling thread ingests waiting rows until there is room, for at
        most `Config.record_wait_seconds`, and never in a running event loop.
        features: a frame, columns by name, a two-dimensional array, or rows. predictions: one per
        row, or a mapping or frame of several outputs. ids: one per row, for later labels.
        at: when the rows were predicted, in seconds since 1970 or as datetimes, one for all or one
        per row; by default now. It decides the cohort of the rows and the start of their alerts,
        but not the window in which they are compared.
        attributions: the contribution of each feature to each prediction: columns by feature, a
        frame, an array in the order of the features, or SHAP's `Explanation`.
        With `output="probabilities"`, predictions have a column for each class in `names`.
        Never raises: unreadable values are counted, and `status().last_error` names a mistake.
        """
        if self.config.enabled:
            batch = RecordedBatch(features, predictions, ids)
            with self._inbox.guard:
                batch = batch._replace(times=None if at is None else read_times(at))
            with self._inbox.guard:
                rows = 0
                entries = self._capture.build_entries(batch, output, names)
                for entry in track(entries, "recording rows", count=itemgetter(ROWS)):
                    rows += entry[ROWS]
                    self._worker.hand_over_batch(entry)
                if attributions is not None:
                    self._record_attributions(attributions, rows)
                check_times("record: at", at, batch.times)

    def record_challenger(
        self,
        version: str,
        predictions: Any,
        *,
        ids: Sequence[object] | object,
        groups: Any = None,
        output: OutputKind = "value",
        names: Sequence[object] = (),
    ) -> None:
        """Record what a declared challenger predicts, to compare it with the version in use.

        A challenger in shadow predicts the rows that this monitor watches: pass their ids, such as
        `prediction_id`, before or after the rows and their labels are recorded. A canary predicts
        other rows, which are recorded only by this method: pass ids of their own. `label` reports
        the actuals of both.
        version: the version of a `Challenger`. predictions: one, or one for each id. ids: one, or
        many.
        groups: the group of each row of a canary, if the monitor has `groups`.
        output, names: as in `record`. Never raises: `status().last_error` names a mistake.
        Predictions without room are counted in `status().dropped`; a process that uses `record`
        makes room for them instead.
        """
        if self.config.enabled:
            with self._inbox.guard:
                check_version(version, self._identity.declared.challengers)
                outputs = Outputs.named(output, names)
                entry = copy_challenger(version, predictions, ids, outputs, groups)
                self._worker.hand_over_challenger(entry)

    @property
    def prediction_id(self) -> str:
        """The id of the open watched call or block; created when it is first read.

        Row `i` of a batch, counted from 0, has the id `<id>-<i>`. Read the id of a plain function
        in the thread that runs it: a thread of a pool (`run_in_executor`) has a context of its
        own, so pass the id on. The id of a coroutine is also visible in its tasks and in
        `asyncio.to_thread`, which copy its context.

        Raises:
            LookupError: no watched call is open here, or it has ended.
        """
        open_id = find_open_id(self._capture.recorder)
        if open_id is not None:
            return open_id
        if self.config.enabled:
            raise LookupError(
                "no watched call is open here: read the id inside the call or the observe() "
                "block, in its own thread or in a context copied from it"
            )
        return self._new_id()

    def _new_id(self) -> str:
        return prediction_id(unix_ms=int(self._clock() * 1000), chance=secrets.token_bytes(10))
