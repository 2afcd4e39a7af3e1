"""Monitor: what a user holds."""

import os
import secrets
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from os import PathLike
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar, overload

from mlmonitor import options
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.capture.entry import Shape
from mlmonitor.capture.host.batch import batch_entry
from mlmonitor.capture.host.call_shapes import Shapes
from mlmonitor.capture.host.decorator import decorate
from mlmonitor.capture.host.label_entries import labels_of
from mlmonitor.capture.host.observation import Observation, recorded, unrecorded
from mlmonitor.capture.host.recorder import Recorder, open_id
from mlmonitor.capture.outputs import OutputKind, Outputs, Select
from mlmonitor.capture.prediction_ids import prediction_id
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.export.base import Exporter
from mlmonitor.export.delivery.delivery import named
from mlmonitor.pipeline import Identity, Pipeline
from mlmonitor.records import Field, Kind
from mlmonitor.reference.reference import Reference
from mlmonitor.status.status import Status
from mlmonitor.worker import Clock, Worker, never_falling_clock

P = ParamSpec("P")
R = TypeVar("R")


class Monitor:
    """Watches one model from inside its service.

    Promise: what the service computes is never changed, delayed by waiting, or failed by us; memory
        is bounded by `memory_bytes`, the buffer, and the rows a reference is learned from;
        everything recorded is counted, also what could not be read. Exports happen in one daemon
        thread, started by the first record.
    Price: in the calling thread, about half a Prometheus `Histogram.observe` (`make bench`).

    Args:
        model: the model's name, on every metric.
        version: the model's version, on every metric.
        reference: what the model was trained on, or the path it was saved to. Without one, the
            first `Config.baseline_rows` rows become the reference.
        exporters: where snapshots go. Not given, the standard `OTEL_EXPORTER_OTLP_*` variables
            decide; where they are silent nothing is sent, and `status()` still tells everything.
        features: names of the positions, for rows that come as sequences or arrays. Not given, they
            are the reference's features in its order.
        ignore: features to leave out, such as ids, also where the reference has them; one that
            parts the rows into segments goes on to do so. `status()` tells names that never came.
        fields: rules that values must keep, such as `Field("age", minimum=0)`.
        schema: kinds that are not inferred where the reference is learned: `{"comment": "text"}`.
        segments: features whose values part the traffic: everything is then counted, compared and
            exported for each part as well, beside the same part of the reference, which has to be
            made with the same `segments`. A learned reference learns its segments, too.
        on_alert: called in the worker with each alert that is raised or cleared, once; what it
            raises is held back.
        config: tuning. `MLMONITOR_*` variables outrank it; `OTEL_SDK_DISABLED=true` switches
            everything off.
        clock: seconds since 1970, for tests. It must never fall.

    Raises:
        ConfigError: an option or a variable is wrong.
        FormatError: the reference's file cannot be trusted. OSError: it cannot be read.
    """

    def __init__(  # noqa: PLR0913 - what a user says once, each by its name
        self,
        model: str,
        *,
        version: str = "",
        reference: Reference | str | PathLike[str] | None = None,
        exporters: Sequence[Exporter] | None = None,
        features: Sequence[str] = (),
        ignore: Sequence[str] = (),
        fields: Sequence[Field] = (),
        schema: Mapping[str, Kind | str] | None = None,
        segments: Sequence[str] = (),
        on_alert: Callable[[Alert], object] | None = None,
        config: Config | None = None,
        clock: Clock | None = None,
    ) -> None:
        if not model:
            raise ConfigError("model: expected a name")
        self.config: Config = options.config_of(config, os.environ)
        self._clock = clock or never_falling_clock()
        self._on_alert = options.callable_of("on_alert", on_alert)
        self._reference = options.reference_of(reference)
        self._exporters = options.exporters_of(
            exporters, os.environ, is_enabled=self.config.enabled
        )
        declared = options.declared_of(
            self._reference,
            self.config,
            ignore=ignore,
            segments=segments,
            schema=schema,
            fields=fields,
        )
        self._identity = Identity(str(model), str(version), declared=declared)
        self._features = options.names_of("features", features) or options.feature_names(
            self._reference
        )
        self._inbox = inbox = Inbox(self.config.buffer_rows)
        self._shapes = Shapes(self._features, inbox.guard)
        self._worker = Worker(self._new_pipeline, self._reference, inbox, self.config, self._clock)
        self._tap = Recorder(
            line=inbox.calls,
            clock=time.perf_counter_ns,
            new_id=self._new_id,
            name_late=inbox.name_late,
            guard=inbox.guard,
            copiers=options.copiers_of(declared.schema),
            plain_row=None if options.has_vectors(declared.schema) else dict,
        )
        self._plain = self._shapes.plain
        self._block = (recorded if self.config.enabled else unrecorded)(self._tap)

    @overload
    def watch(self, function: Callable[P, R], /) -> Callable[P, R]: ...

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

        Use it bare, `@monitor.watch`, or with options. What the function raises passes through and
        is counted by its type; what it is given is copied before it runs.

        Args:
            function: what computes one prediction or a batch; with or without `self`.
            features: the argument that holds the features, or several arguments that are a feature
                each. Not given: the first argument.
            prediction: which part of the result is the prediction: a key or attribute, an index, or
                a function of the result. Not given: all of it.
            output: `probabilities` where the result is one number per class; the label of the most
                probable becomes the prediction.
            names: of the columns of an array of several outputs, or of the classes.
            id_from: an argument, or else a feature, that holds the prediction's id. Not given: one
                is made when `prediction_id` is asked for.

        Raises:
            ConfigError: it is no function, or a generator, or lacks the argument named; or an
                option is wrong.
        """

        def again(inner: Callable[..., Any]) -> Any:
            shape = Shape(self._features, outputs, id_from)
            wrapper = decorate(inner, features, tap=self._tap, shape=shape)
            return wrapper if self.config.enabled else inner

        outputs = Outputs.named(output, names, prediction)
        if function is None:
            return again
        return again(function)

    def observe(
        self,
        features: Any,
        *,
        prediction_id: object = None,
        output: OutputKind = "value",
        names: Sequence[str] = (),
    ) -> Observation:
        """A context manager around one prediction, for `with` and `async with`.

        Set its `value`; read its `id`. `prediction_id` is the caller's own id, if there is one;
        `output` and `names` are those of `watch`.
        """
        shape = self._plain
        if names or output != "value":
            shape = self._shapes.of(output, names)
        return self._block(shape, features, prediction_id)

    def record(
        self,
        features: Any,
        predictions: Any,
        *,
        ids: Sequence[object] | None = None,
        output: OutputKind = "value",
        names: Sequence[str] = (),
    ) -> None:
        """Record a batch that was scored already: columns in, no Python loop over rows.

        features: a frame, columns by name, a two-dimensional array, or rows. predictions: one a
        row, or a mapping or frame of several outputs. ids: one a row, for labels to come.
        `output="probabilities"`: a column a class, called `names`, as of `watch`.
        Never raises: what cannot be read is counted, and `status().last_error` tells a mistake.
        """
        if not self.config.enabled:
            return
        guard, copiers = self._inbox.guard, self._tap.copiers
        shape = self._shapes.of(output, names)
        with guard:
            self._inbox.calls.put(
                batch_entry(features, predictions, ids, shape=shape, copiers=copiers, guard=guard)
            )

    def label(self, prediction_id: object, actual: Any) -> None:
        """Report the truth about a prediction, or about several: ids and actuals of one length.

        It has to be told to the process that made the prediction, while that is among the
        `Config.pending_predictions` newest.
        """
        if not self.config.enabled:
            return
        with self._inbox.guard:
            self._inbox.labels.put(labels_of(prediction_id, actual))
            self._worker.ensure_started()

    def kpi(self, name: str, value: float) -> None:
        """Report a business figure: its sum, count and distribution are kept under `name`."""
        if not self.config.enabled:
            return
        with self._inbox.guard:
            self._inbox.figures.put([(str(name), value)])
            self._worker.ensure_started()

    @property
    def prediction_id(self) -> str:
        """The id of the prediction being made, inside a watched call; made at the first look.

        Of a batch it is the common part: row `i` is called `<id>-<i>`, counted from 0. Of a plain
        function, ask in the thread that runs it; of a coroutine, in its tasks and threads as well.

        Raises:
            LookupError: no watched call is open here.
        """
        found = open_id(self._tap)
        if found is not None:
            return found
        if self.config.enabled:
            raise LookupError("no watched call is open: ask inside it, or inside observe()")
        return self._new_id()

    @property
    def reference(self) -> Reference | None:
        """The reference in use; a learned one once it has been learned."""
        return self._worker.pipeline.watched.reference

    @property
    def memory_bytes(self) -> int:
        """What the aggregates and the reference hold at most; on top come rows that wait."""
        return self._worker.memory_bytes

    def status(self) -> Status:
        """What is known now, everything recorded before this call included."""
        if not self.config.enabled:
            return Status(self._identity.model, self._identity.version, "disabled")
        return self._worker.status()

    def flush(self, *, timeout_seconds: float = 2.0) -> bool:
        """Export everything recorded before this call; whether all destinations took it in time."""
        return self._worker.flush(timeout_seconds=timeout_seconds) if self.config.enabled else True

    def close(self, *, timeout_seconds: float = 2.0) -> bool:
        """Export a last time and stop. What comes later is dropped, and counted in `status()`."""
        return self._worker.close(timeout_seconds=timeout_seconds) if self.config.enabled else True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Monitor({self._identity.model!r}, version={self._identity.version!r})"

    def _new_pipeline(self, started_at: float, reference: Reference | None) -> Pipeline:
        """The line of this process, from zero."""
        identity = replace(self._identity, instance=str(uuid.uuid4()), started_at=started_at)
        deliveries = named(self._exporters)
        return Pipeline(self.config, identity, self._inbox, reference, deliveries, self._on_alert)

    def _new_id(self) -> str:
        return prediction_id(unix_ms=int(self._clock() * 1000), chance=secrets.token_bytes(10))
