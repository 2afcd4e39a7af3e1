"""The JSON a reference is saved as."""

from mlmonitor.reference_format.entries import (
    CRITICAL_ROWS,
    QUANTILE_POINTS,
    CategoricalReference,
    NumericReference,
)
from mlmonitor.reference_format.file import FILE_BYTES, VERSION, ReferenceFile, parsed, written
from mlmonitor.reference_format.strata import SegmentField, SegmentReference

__all__ = [
    "CRITICAL_ROWS",
    "FILE_BYTES",
    "QUANTILE_POINTS",
    "VERSION",
    "CategoricalReference",
    "NumericReference",
    "ReferenceFile",
    "SegmentField",
    "SegmentReference",
    "parsed",
    "written",
]
