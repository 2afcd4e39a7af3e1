"""The entry of a field as one segment has it."""

from mlmonitor.compare.fit import Entry
from mlmonitor.reference_format import SegmentField


def segment_entry(entry: Entry, part: SegmentField) -> Entry:
    """The entry of one segment: its own counts over the whole's bins.

    Which values were refused for what reason is known of the whole alone: here as often.
    """
    known = {name: value for name, value in part if name in type(entry).model_fields}
    kept = part.missing / max(entry.missing, 1)
    refused = {
        "nonfinite": round(entry.nonfinite * kept),
        "wrong_type": int(entry.wrong_type * kept),
    }
    rows = part.missing + sum(part.counts)
    return entry.model_copy(update={**known, **refused, "rows": rows})
