"""The JSON format of a saved reference."""

from mlmonitor.formats.reference.calibration_entries import (
    CalibrationReference,
    FieldEffect,
    OutcomeMap,
)
from mlmonitor.formats.reference.derived_entries import (
    ANOMALOUS,
    EMBEDDING_FIELDS,
    MOST_FILTER_BITS,
    MOST_SCORED,
    SCORE,
    TEXT_FIELDS,
    AnomalyReference,
    EmbeddingReference,
    FieldEntry,
    TextReference,
    counted,
    derived_names,
)
from mlmonitor.formats.reference.drop_features import drop_features
from mlmonitor.formats.reference.entries import (
    CRITICAL_ROWS,
    QUANTILE_POINTS,
    CategoricalReference,
    CountedEntry,
    FieldDependence,
    NumericReference,
)
from mlmonitor.formats.reference.file import (
    FILE_BYTES,
    VERSION,
    GroupedRows,
    ReferenceFile,
    compute_reference_id,
    dump,
    load,
)
from mlmonitor.formats.reference.loss_entries import LossReference
from mlmonitor.formats.reference.segment_entries import (
    SegmentField,
    SegmentReference,
    segment_entry,
)

__all__ = [
    "ANOMALOUS",
    "CRITICAL_ROWS",
    "EMBEDDING_FIELDS",
    "FILE_BYTES",
    "MOST_FILTER_BITS",
    "MOST_SCORED",
    "QUANTILE_POINTS",
    "SCORE",
    "TEXT_FIELDS",
    "VERSION",
    "AnomalyReference",
    "CalibrationReference",
    "CategoricalReference",
    "CountedEntry",
    "EmbeddingReference",
    "FieldDependence",
    "FieldEffect",
    "FieldEntry",
    "GroupedRows",
    "LossReference",
    "NumericReference",
    "OutcomeMap",
    "ReferenceFile",
    "SegmentField",
    "SegmentReference",
    "TextReference",
    "compute_reference_id",
    "counted",
    "derived_names",
    "drop_features",
    "dump",
    "load",
    "segment_entry",
]
