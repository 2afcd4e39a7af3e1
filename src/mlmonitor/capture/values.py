"""Raw values of a field as the host hands them over, and markers for those that are absent."""

from collections.abc import Sequence
from typing import Any

import numpy as np

Values = Sequence[object] | np.ndarray[Any, Any]


class Unreadable(tuple[()]):
    """Stands for a row, or a column, that no value can be read from: each is of a wrong type."""

    __slots__ = ()


UNREADABLE = Unreadable()


def unmasked(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """A plain ndarray: what a mask hides becomes NaN, NaT, or None."""
    if not isinstance(array, np.ma.MaskedArray):
        return np.asarray(array)
    masked: Any = array
    names = array.dtype.names
    if names is not None:
        plain = np.empty(array.shape, [(name, object) for name in names])
        for name in names:
            plain[name] = unmasked(masked[name])
        return plain
    has_own = array.dtype.kind in "fMm"
    plain = np.array(masked.data, array.dtype if has_own else object)
    nothing = np.array("NaT", array.dtype) if array.dtype.kind in "Mm" else np.nan
    plain[np.ma.getmaskarray(masked)] = nothing if has_own else None
    return plain


def is_missing(value: object) -> bool:
    """Whether `value` says that there is no value: None, NaN, NaT, or pandas' NA."""
    if value is None:
        return True
    if isinstance(value, float | np.floating):
        return bool(np.isnan(value))
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return type(value).__name__ in ("NAType", "NaTType")
