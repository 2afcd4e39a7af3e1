"""The forms in which features are handed to the worker."""

from enum import Enum, auto
from typing import Any

import numpy as np


class PayloadForm(Enum):
    """How a payload is laid out."""

    MAPPING = auto()  # one row: name -> value
    MAPPINGS = auto()  # rows of name -> value; None for a row that could not be read
    SEQUENCE = auto()  # one row: values by position
    SEQUENCES = auto()  # rows of values by position; UNREADABLE for one that could not be read
    ARRAY = auto()  # one row: (dtype, bytes)
    FLOATS = auto()  # one row: float64 as bytes
    MATRIX = auto()  # ndarray [rows, columns]
    COLUMNS = auto()  # name -> column
    FRAME = auto()  # a data frame, native
    UNREADABLE = auto()  # how many rows there were that nothing could be read from


Copied = tuple[PayloadForm, int, Any]


PLAIN_TYPES = frozenset(
    {float, int, str, bool, type(None), bytes, np.float64, np.float32, np.int64, np.int32, np.bool_}
)
"""Types of single values that nobody can change: no copy is needed, and no second look."""


UNREADABLE_ROW: Copied = (PayloadForm.UNREADABLE, 1, 1)
"""Something no row can be read from: counted as one row of values of a wrong type."""
