"""Remove features from the content of a reference file."""

from collections.abc import Collection

from mlmonitor.formats.reference.derived_entries import (
    ANOMALOUS,
    SCORE,
    FieldEntry,
    counted,
    derived_names,
)
from mlmonitor.formats.reference.file import ReferenceFile


def drop_features(content: ReferenceFile, names: Collection[str]) -> ReferenceFile:
    """Return the content without the features of these names and the fields derived from them.

    Segments are not changed, even if a removed feature defines them. An anomaly score that uses a
    removed feature is removed.
    """
    gone = {e.name for e in content.fields if e.role == "feature" and e.name in names}
    if not gone:
        return content
    sources = [e for e in content.fields if e.role == "feature" and e.name in gone]
    derived = {name for entry in sources for name in derived_names(entry)}
    anomaly = content.anomaly
    if anomaly is not None and not gone.isdisjoint(anomaly.names):
        anomaly, derived = None, derived | {SCORE, ANOMALOUS}

    def stays(entry: FieldEntry) -> bool:
        lost = {"feature": gone, "derived": derived}.get(entry.role, set())
        return entry.name not in lost

    entries = counted(content.fields)
    segments = [
        part.model_copy(
            update={
                "fields": [f for f, e in zip(part.fields, entries, strict=True) if stays(e)],
            }
        )
        for part in content.segments
    ]
    return content.model_copy(
        update={
            "fields": [entry for entry in content.fields if stays(entry)],
            "anomaly": anomaly,
            "importances": {k: v for k, v in content.importances.items() if k not in gone},
            "segments": segments,
            "calibration": None
            if content.calibration is None
            else content.calibration.without(frozenset(gone)),
        }
    )
