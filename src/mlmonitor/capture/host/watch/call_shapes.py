"""Shapes of blocks and batches, whose calls may differ in how their outputs are read."""

from collections.abc import Sequence

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.outputs import OutputKind, Outputs

_MAX_SHAPES = 256  # a host that creates names at run time must not fill the memory


class CallShapes:
    """Caches one shape for each way to read outputs, created at its first use.

    The reader groups calls by the identity of their shape, so equal shapes must be one object.
    """

    def __init__(self, features: tuple[str, ...], guard: Guard) -> None:
        self._features, self._guard = features, guard
        self.plain: Shape = Shape(features, Outputs())
        self._by_reading: dict[Outputs, Shape] = {}

    def get(self, output: OutputKind, names: Sequence[str]) -> Shape:
        """Return the shape for these outputs; if invalid, count an error and use the default."""
        if output == "value" and type(names) is tuple and not names:  # an array has no truth value
            return self.plain
        with self._guard:
            return self._get_or_create(Outputs.named(output, names))
        return self.plain

    def _get_or_create(self, outputs: Outputs) -> Shape:
        if outputs not in self._by_reading:
            if len(self._by_reading) >= _MAX_SHAPES:
                self._by_reading.clear()
            self._by_reading[outputs] = Shape(self._features, outputs)
        return self._by_reading[outputs]
