"""The host's side of one monitor, which turns calls, `with` blocks and batches into entries."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from mlmonitor.capture.entry import Entry, Shape
from mlmonitor.capture.host.batch import build_batch_entry
from mlmonitor.capture.host.batch_slices import RecordedBatch, slice_batch
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.watch.call_shapes import CallShapes
from mlmonitor.capture.host.watch.decorator import decorate
from mlmonitor.capture.host.watch.observation import (
    Observation,
    make_recording_class,
    make_silent_class,
)
from mlmonitor.capture.host.watch.watch_options import check_options
from mlmonitor.capture.outputs import OutputKind, Outputs
from mlmonitor.config import Config

Decorator = Callable[[Callable[..., Any]], Any]


_ENTRIES_IN_BUFFER = 4


class HostCapture:
    """Everything a monitor does in the host's threads; a disabled monitor wraps no function.

    A large batch becomes several entries: the worker reads one while the next is copied.
    """

    def __init__(self, recorder: Recorder, features: tuple[str, ...], config: Config) -> None:
        self.recorder: Recorder = recorder
        self.feature_names: tuple[str, ...] = features
        """Names of positional features."""
        self._is_enabled = config.enabled
        self._rows_per_entry = max(config.buffer_rows // _ENTRIES_IN_BUFFER, 1)
        self.shapes: CallShapes = CallShapes(features, recorder.guard)
        make_class = make_recording_class if config.enabled else make_silent_class
        self.observation_class: type[Observation] = make_class(recorder)

    def build_decorator(
        self, features: str | Sequence[str] | None, outputs: Outputs, id_from: str | None
    ) -> Decorator:
        """Build the decorator that watches functions with these options.

        Raises:
            ConfigError: an option has the wrong type. The decorator also raises it, if the options
                do not fit the function.
        """
        check_options(features, outputs, id_from)
        shape = Shape(self.feature_names, outputs, id_from)

        def wrap(function: Callable[..., Any]) -> Any:
            wrapper = decorate(function, features, recorder=self.recorder, shape=shape)
            return wrapper if self._is_enabled else function

        return wrap

    def build_entries(
        self, batch: RecordedBatch, output: OutputKind, names: Sequence[str]
    ) -> Iterator[Entry]:
        """Copy a batch into entries of bounded size; count its unreadable parts."""
        shape = self.shapes.get(output, names)
        for part in slice_batch(batch, self._rows_per_entry):
            yield build_batch_entry(
                part,
                shape=shape,
                copiers=self.recorder.copiers,
                guard=self.recorder.guard,
            )
