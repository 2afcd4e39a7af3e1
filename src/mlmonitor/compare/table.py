"""All fields of a population as one table of counts, missing values a bin of their own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.compare.fit import Entry
from mlmonitor.records import QUALITIES, REFUSED, Counts

_REFUSED_AT = [QUALITIES.index(quality) for quality in REFUSED]

MISSING = "missing"
"""What the last column is called: values that are missing, not finite, or of a wrong type."""


def width(plan: Plan) -> int:
    """Columns of a table: the most bins that any field has, and one for missing values."""
    bins: int = plan.edges.shape[1] + 1
    return max(bins, plan.widest_dictionary) + 1


def profile_counts(profile: Profile) -> Counts:
    """A profile's counts `[fields, width]`, in the order of its schema."""
    plan, numeric = profile.plan, len(profile.plan.schema.numeric)
    table = np.zeros((len(plan.schema), width(plan)), np.int64)
    table[:numeric, : profile.bins.shape[1]] = profile.bins
    table[numeric:, : profile.categories.shape[1]] = profile.categories
    table[:, -1] = profile.quality[:, _REFUSED_AT].sum(axis=1)
    return table


def entry_counts(entries: Sequence[Entry], plan: Plan) -> Counts:
    """The reference's counts of the same fields, which are in the order of the schema."""
    table = np.zeros((len(entries), width(plan)), np.int64)
    for at, entry in enumerate(entries):
        table[at, : len(entry.counts)] = entry.counts
        table[at, -1] = entry.missing
    return table


def present(plan: Plan) -> NDArray[np.bool_]:
    """Which bins a field can have values in at all."""
    table = np.zeros((len(plan.schema), width(plan)), np.bool_)
    table[:, -1] = True
    for at, bins in enumerate(plan.bins):
        table[at, :bins] = True
    for at, book in enumerate(plan.dictionaries, start=len(plan.schema.numeric)):
        top = len(book.top)
        table[at, :top] = True
        table[at, top] = bool(book.other) or not book.is_closed
        table[at, top + 1] = book.is_closed
    return table


def bin_names(plan: Plan, at: int) -> list[str]:
    """What the columns of field `at` are called, for people."""
    numeric = len(plan.schema.numeric)
    if at >= numeric:
        names = list(plan.dictionaries[at - numeric].names)
    else:
        edges = [f"{edge:.4g}" for edge in plan.numeric[at].edges.tolist()]
        lows, highs = ["", *edges], [*edges, ""]
        names = [
            f"{low} to {high}" if low and high else f"above {low}" if low else f"up to {high}"
            for low, high in zip(lows, highs, strict=True)
        ]
    filler = [""] * (width(plan) - 1 - len(names))
    return [*names, *filler, MISSING]
