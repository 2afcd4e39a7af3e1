"""The forms in which the host's thread passes features to the worker."""

from enum import Enum, auto
from typing import Any

import numpy as np


class PayloadForm(Enum):
    """The layout of a payload."""

    MAPPING = auto()  # one row: name -> value
    MAPPINGS = auto()  # rows of name -> value; None for an unreadable row
    SEQUENCE = auto()  # one row: values by position
    SEQUENCES = auto()  # rows of values by position; UNREADABLE for an unreadable row
    ARRAY = auto()  # one row: (dtype, bytes)
    FLOATS = auto()  # one row: float64 as bytes
    MATRIX = auto()  # ndarray [rows, columns]
    COLUMNS = auto()  # name -> column
    FRAME = auto()  # a data frame, native
    FRAME_ROW = auto()  # one row of a pandas frame: (its columns, ndarray [1, columns])
    UNREADABLE = auto()  # the number of unreadable rows


Copied = tuple[PayloadForm, int, Any]


PLAIN_TYPES = frozenset(
    {float, int, str, bool, type(None), bytes, np.float64, np.float32, np.int64, np.int32, np.bool_}
)
"""Types of immutable single values, which need neither copying nor inspection."""


UNREADABLE_ROW: Copied = (PayloadForm.UNREADABLE, 1, 1)
"""The payload of an object that is not a row: one row of values of a wrong type."""
