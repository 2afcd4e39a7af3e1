"""All fields of a population as one table of counts, missing values a bin of their own."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.formats.reference import CategoricalReference, CountedEntry
from mlmonitor.formatting import day, moment
from mlmonitor.records import QUALITIES, REFUSED, Counts, Floats, Kind
from mlmonitor.stats.eprocess import PRIOR

_MOST_DISCOUNT = 0.9
_REFUSED_AT = [QUALITIES.index(quality) for quality in REFUSED]

MISSING = "missing"
"""What the last column is called: values that are missing, not finite, or of a wrong type."""


_SPOKEN = {OTHER: "rarer values", NEW: "values that the reference does not know"}


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


def refused_counts(profile: Profile) -> Counts:
    """Values of a profile that could not be read, `[fields, kinds]` as in `REFUSED`."""
    return profile.quality[:, _REFUSED_AT].copy()


def entry_counts(entries: Sequence[CountedEntry], plan: Plan) -> Counts:
    """The counts to expect of the same fields, which are in the order of the schema."""
    table = np.zeros((len(entries), width(plan)), np.int64)
    for at, entry in enumerate(entries):
        *counts, missing = entry.expected
        table[at, : len(counts)] = counts
        table[at, -1] = missing
    return table


def prior_counts(entries: Sequence[CountedEntry], plan: Plan) -> Floats:
    """What is believed of each bin beyond its counts, `[fields, width]`: half a count, in general.

    Where categories were met once, others will be met that never were, as many as those (Good and
    Turing); and what was met once was met by luck. So each category is believed by less than its
    count, and new ones by what that comes to. Not where the counts are held out: they know.
    Source: the discount of Pitman and Yor, "The two-parameter Poisson-Dirichlet law", 1997.
    """
    table = np.full((len(entries), width(plan)), PRIOR)
    for at, entry in enumerate(entries):
        if not isinstance(entry, CategoricalReference) or entry.kind == "boolean":
            continue
        if entry.once and not entry.held_out:
            is_met = np.array(entry.counts[:-1]) > 0
            discount = min(entry.once / max(int(np.count_nonzero(is_met)), 1), _MOST_DISCOUNT)
            table[at, : len(is_met)] = np.where(is_met, -discount, PRIOR)
            table[at, len(is_met) + 1] += entry.once
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
        names = [_SPOKEN.get(name, name) for name in plan.dictionaries[at - numeric].names]
    else:
        edges = _edge_names(plan.numeric[at], plan.schema.numeric[at].kind)
        lows, highs = ["", *edges], [*edges, ""]
        names = [
            f"{low} to {high}" if low and high else f"above {low}" if low else f"up to {high}"
            for low, high in zip(lows, highs, strict=True)
        ]
    filler = [""] * (width(plan) - 1 - len(names))
    return [*names, *filler, MISSING]


def _edge_names(plan: NumericPlan, kind: Kind) -> list[str]:
    """Edges as people write them: dates, with the time where days alone do not tell them apart."""
    edges = plan.edges.tolist()
    if kind is not Kind.DATETIME:
        return [f"{edge:.4g}" for edge in edges]
    days = [day(edge) for edge in edges]
    return days if len(set(days)) == len(days) else [moment(edge) for edge in edges]
