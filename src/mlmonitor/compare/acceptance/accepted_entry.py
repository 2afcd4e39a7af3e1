"""The entry of a field whose live window was accepted as its baseline."""

from datetime import UTC, datetime

import numpy as np

from mlmonitor.aggregate.window import View
from mlmonitor.compare.count_table import profile_counts, refused_counts
from mlmonitor.formats.reference import (
    QUANTILE_POINTS,
    CategoricalReference,
    CountedEntry,
    NumericReference,
)
from mlmonitor.records import REFUSED, Quality


def accept_window(entry: CountedEntry, view: View, place: int, *, now: float) -> CountedEntry:
    """Return the entry with the counts and statistics of a window.

    Bins and categories stay the same, so the series of the field continue. Rows of categories that
    the reference does not have are still counted as new. Simulated thresholds and mean predictions
    by bin belong to the old counts and are dropped.
    """
    refused = dict(zip(REFUSED, refused_counts(view.profile)[place].tolist(), strict=True))
    counts = profile_counts(view.profile)[place]
    common = {
        "rows": int(counts.sum()),
        "missing": int(counts[-1]),
        "nonfinite": refused[Quality.NONFINITE],
        "wrong_type": refused[Quality.WRONG_TYPE],
        "critical": {},
        "predicted": [],
        "predicted_variance": [],
        "accepted_at": datetime.fromtimestamp(now, UTC),
    }
    if isinstance(entry, CategoricalReference):
        top = len(entry.categories)
        listed, others, new = counts[:top].tolist(), int(counts[top]), int(counts[top + 1])
        own = {
            "counts": [*listed, others + new],
            "held_out": [*listed, others, new, int(counts[-1])],
            "once": new,
            "twice": 0,
            "distinct": None,
        }
        return entry.model_copy(update=common | own)
    return _build_numeric(entry, view, place, counts[: len(entry.counts)].tolist(), common)


def _build_numeric(
    entry: NumericReference, view: View, place: int, counts: list[int], common: dict[str, object]
) -> NumericReference:
    moments = view.profile.moments
    ranks = np.linspace(0, 1, QUANTILE_POINTS)
    low, high = float(moments.min[place]), float(moments.max[place])
    quantiles = np.maximum.accumulate(view.shapes.digests.quantile(ranks)[place])
    own = {
        "counts": counts,
        "mean": min(max(float(moments.mean[place]), low), high),
        "stddev": float(moments.stddev[place]),
        "min": low,
        "max": high,
        "quantiles": np.clip(quantiles, low, high).tolist(),
    }
    return entry.model_copy(update=common | own)
