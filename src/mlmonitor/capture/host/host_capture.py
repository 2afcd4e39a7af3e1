"""The host's side of one monitor: functions, blocks and batches become entries."""

from collections.abc import Callable, Sequence
from typing import Any

from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.host.batch import build_batch_entry
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.watch.call_shapes import CallShapes
from mlmonitor.capture.host.watch.decorator import decorate
from mlmonitor.capture.host.watch.observation import (
    Observation,
    make_recording_class,
    make_silent_class,
)
from mlmonitor.capture.outputs import OutputKind, Outputs

Decorator = Callable[[Callable[..., Any]], Any]


class HostCapture:
    """Everything a monitor does in the host's threads; a disabled one leaves functions alone."""

    def __init__(self, recorder: Recorder, features: tuple[str, ...], *, is_enabled: bool) -> None:
        self.recorder: Recorder = recorder
        self._features, self._is_enabled = features, is_enabled
        self.shapes: CallShapes = CallShapes(features, recorder.guard)
        make_class = make_recording_class if is_enabled else make_silent_class
        self.observation_class: type[Observation] = make_class(recorder)

    def build_decorator(
        self, features: str | Sequence[str] | None, outputs: Outputs, id_from: str | None
    ) -> Decorator:
        """Build the decorator that watches functions with these options.

        Raises:
            ConfigError: when applied to something that cannot be watched.
        """
        shape = Shape(self._features, outputs, id_from)

        def wrap(function: Callable[..., Any]) -> Any:
            wrapper = decorate(function, features, recorder=self.recorder, shape=shape)
            return wrapper if self._is_enabled else function

        return wrap

    def build_batch(
        self,
        features: Any,
        predictions: Any,
        ids: Sequence[object] | None,
        output: OutputKind,
        names: Sequence[str],
    ) -> Entry:
        """Copy a batch into one entry; its unreadable parts are counted."""
        return build_batch_entry(
            features,
            predictions,
            ids,
            shape=self.shapes.get(output, names),
            copiers=self.recorder.copiers,
            guard=self.recorder.guard,
        )
