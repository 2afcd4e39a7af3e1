"""Which part of a model's result is the prediction, and the names of its outputs."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np

from mlmonitor.capture.canonical import category_name
from mlmonitor.errors import ConfigError

PREDICTION = "prediction"
ACTUAL = "actual"

OutputKind = Literal["value", "probabilities"]
NO_NAMES: tuple[str, ...] = ()
"""The default of `names`. Comparing with it by `is` also works for arrays, and is cheapest."""

Select = str | int | Callable[[Any], object]


@dataclass(frozen=True)
class Outputs:
    """How the result of a watched call is read.

    select: the part of the result that is the prediction: a key or attribute, an index, or a
        function of the result. None means the whole result.
    kind: `value` for numbers and labels, `probabilities` for one number per class.
    names: names of an array's columns, or of the classes, in order.
    groups: names per output, for a model that returns a list with an array per output.
    """

    select: Select | None = None
    kind: OutputKind = "value"
    names: tuple[str, ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.kind not in ("value", "probabilities"):
            raise ConfigError("output: expected 'value' or 'probabilities'")
        for names in (self.names, *self.groups):
            if len(set(names)) < len(names):
                raise ConfigError("names: expected each name once")

    @classmethod
    def named(cls, kind: OutputKind, names: Iterable[object], select: Select | None = None) -> Self:
        """Build the outputs that a user declares.

        names: a sequence of names, such as `model.classes_`, or a list of one sequence per output.

        Raises:
            ConfigError: `kind` is unknown, or the names are a single text or contain a duplicate.
        """
        is_nested = isinstance(names, list | tuple) and all(map(_is_several, names))
        if is_nested and names:
            return cls(select, kind, (), tuple(output_names(kind, group) for group in names))
        return cls(select, kind, output_names(kind, names))


def _is_several(names: object) -> bool:
    """Whether `names` is a collection of names rather than a single one."""
    return isinstance(names, list | tuple | np.ndarray)


def output_names(kind: OutputKind, names: object) -> tuple[str, ...]:
    """Convert names to text; the name of a class equals the name of its label.

    The class 1 has the same name as the label 1.0, for example. Names of columns are converted by
    `str`.

    Raises:
        ConfigError: `names` is a single value.
    """
    if not isinstance(names, Iterable) or isinstance(names, str | bytes):
        raise ConfigError(f"names: expected a sequence of names, got one {type(names).__name__}")
    if kind == "probabilities":
        return tuple(category_name(name) or str(name) for name in names)
    return tuple(map(str, names))


def is_output_list(prediction: Any, rows: int) -> bool:
    """Whether a result is a list of two-dimensional arrays, one per output, of `rows` rows each."""
    return (
        isinstance(prediction, list)
        and len(prediction) > 0
        and all(
            isinstance(output, np.ndarray) and output.ndim == 2 and len(output) == rows
            for output in prediction
        )
    )
