"""The shapes of blocks and batches, which say with each of them how their outputs are read."""

from collections.abc import Sequence

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.guard import Guard
from mlmonitor.capture.outputs import OutputKind, Outputs

_MOST = 256  # a host that makes up names as it goes must not fill the memory with them


class Shapes:
    """One shape for each way to read outputs, made at its first use.

    Calls of one shape are read together, so they have to have the same one and not an equal one.
    """

    def __init__(self, features: tuple[str, ...], guard: Guard) -> None:
        self._features, self._guard = features, guard
        self.plain: Shape = Shape(features, Outputs())
        self._known: dict[tuple[str, tuple[str, ...]], Shape] = {}

    def of(self, output: OutputKind, names: Sequence[str]) -> Shape:
        """The shape of outputs read so; a mistake in it is held back, and nothing is read so."""
        if output == "value" and not names:
            return self.plain
        with self._guard:
            return self._of(Outputs.named(output, names))
        return self.plain

    def _of(self, outputs: Outputs) -> Shape:
        key = outputs.kind, outputs.names
        if key not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = Shape(self._features, outputs)
        return self._known[key]
