"""Which part of a model's result is the prediction, and what its outputs are called."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

from mlmonitor.errors import ConfigError

PREDICTION = "prediction"

OutputKind = Literal["value", "probabilities"]
Select = str | int | Callable[[Any], object]


@dataclass(frozen=True)
class Outputs:
    """How the result of a watched call is read.

    select: the part of the result that is the prediction: a key or attribute, an index, or a
        function of the result. None: the whole result.
    kind: `value` for numbers and labels, `probabilities` for one number per class.
    names: names of an array's columns, or of the classes, in order.
    """

    select: Select | None = None
    kind: OutputKind = "value"
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("value", "probabilities"):
            raise ConfigError("output: expected 'value' or 'probabilities'")
        if len(set(self.names)) < len(self.names):
            raise ConfigError("names: expected each name once")

    @classmethod
    def named(cls, kind: OutputKind, names: Sequence[str], select: Select | None = None) -> Self:
        """As a user says it.

        Raises:
            ConfigError: the kind is none, or the names are one text or not each another.
        """
        if isinstance(names, str):
            raise ConfigError("names: expected a sequence of names, got one text")
        return cls(select, kind, tuple(map(str, names)))
