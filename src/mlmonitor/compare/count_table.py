"""All fields of a population as one table of counts, with a bin for missing values."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.formats.reference import CountedEntry, NumericReference
from mlmonitor.formatting import day, moment, write_apart
from mlmonitor.records import QUALITIES, REFUSED, Counts, Floats, Kind
from mlmonitor.stats.evidence.dirichlet import PRIOR

_MOST_DISCOUNT = 0.9
_FEWEST_QUANTILE_BINS = 5
_ZERO_WINDOW = 1e-6  # relative to the nearest edge; see `quantile_edges`
_REFUSED_AT = [QUALITIES.index(quality) for quality in REFUSED]
_IS_REFUSED = np.isin(np.arange(len(QUALITIES)), _REFUSED_AT).astype(np.int64)

MISSING = "missing"
"""Name of the last column: values that are missing, not finite, or of a wrong type."""

_READABLE_NAMES = {OTHER: "rarer values", NEW: "values that the reference does not know"}


def width(plan: Plan) -> int:
    """Number of columns: the largest number of bins of any field, and one for missing values."""
    bins: int = plan.edges.shape[1] + 1
    return max(bins, plan.widest_dictionary) + 1


def profile_counts(profile: FieldProfile) -> Counts:
    """A profile's counts `[fields, width]`, in the order of its schema."""
    arrays = {
        "bins": profile.bins,
        "categories": profile.categories,
        "quality": profile.quality,
    }
    return counts_table(profile.plan, arrays)


def counts_table(plan: Plan, arrays: Mapping[str, Counts]) -> Counts:
    """Return the counts `[fields, width]` from a profile's `bins`, `categories` and `quality`."""
    numeric, bins, categories = len(plan.schema.numeric), arrays["bins"], arrays["categories"]
    table = np.zeros((len(plan.schema), width(plan)), np.int64)
    table[:numeric, : bins.shape[1]] = bins
    table[numeric:, : categories.shape[1]] = categories
    table[:, -1] = arrays["quality"] @ _IS_REFUSED
    return table


def refused_counts(profile: FieldProfile) -> Counts:
    """Return how many values a profile refused, `[fields, reasons]` in the order of `REFUSED`."""
    return profile.quality[:, _REFUSED_AT].copy()


def entry_counts(entries: Sequence[CountedEntry], plan: Plan) -> Counts:
    """The reference's expected counts, `[fields, width]`, in the order of the schema."""
    table = np.zeros((len(entries), width(plan)), np.int64)
    for place, entry in enumerate(entries):
        *counts, missing = entry.expected
        table[place, : len(counts)] = counts
        table[place, -1] = missing
    return table


def _is_cut_at_quantiles(counts: Counts) -> bool:
    """Whether bins have about equally many rows, so that no bin holds a single value."""
    least, most = int(counts.min(initial=0)), int(counts.max(initial=0))
    return counts.size >= _FEWEST_QUANTILE_BINS and 2 * least >= most


def prior_counts(entries: Sequence[CountedEntry], plan: Plan) -> Floats:
    """The prior count of each bin, to add to its reference count, `[fields, width]`.

    In general it is one half. A continuous field that is cut at its own order statistics has a
    single prior count, in the last bin. The shares of its bins are then exactly Dirichlet for any
    distribution: they are sums of spacings of the ordered values, and `n` values have `n + 1`
    spacings.

    Numeric bins that are empty in the reference share half a count. Each point mass has such a bin
    on either side, and half a count for each would predict too many rows there in small windows.

    The number of categories with a single reference row estimates the rows of new categories (Good
    and Turing). Each category is therefore discounted, and new categories get the discounts.
    Held-out counts need no discount.
    Source: the discount of Pitman and Yor, "The two-parameter Poisson-Dirichlet law", 1997; David
        and Nagaraja, "Order statistics", 2003, for spacings.
    """
    table = np.full((len(entries), width(plan)), PRIOR)
    for place, entry in enumerate(entries):
        if isinstance(entry, NumericReference):
            counts = np.array(entry.counts)
            if _is_cut_at_quantiles(counts):
                table[place, : counts.size] = 0.0
                table[place, counts.size - 1] = 1.0
                continue
            is_empty = counts == 0
            table[place, : is_empty.size][is_empty] = PRIOR / max(int(is_empty.sum()), 1)
            continue
        if entry.kind == "boolean":
            continue
        if entry.once and not entry.held_out:
            has_rows = np.array(entry.counts[:-1]) > 0
            discount = min(entry.once / max(int(np.count_nonzero(has_rows)), 1), _MOST_DISCOUNT)
            table[place, : len(has_rows)] = np.where(has_rows, -discount, PRIOR)
            table[place, len(has_rows) + 1] += entry.once
    return table


def possible_bins(plan: Plan) -> NDArray[np.bool_]:
    """Which bins of each field can hold values."""
    table = np.zeros((len(plan.schema), width(plan)), np.bool_)
    table[:, -1] = True
    for place, bins in enumerate(plan.bins):
        table[place, :bins] = True
    for place, dictionary in enumerate(plan.dictionaries, start=len(plan.schema.numeric)):
        top = len(dictionary.top)
        table[place, :top] = True
        has_rest = bool(dictionary.other) or not dictionary.is_closed
        table[place, top] = has_rest and not dictionary.groups
        table[place, top + 1] = dictionary.is_closed
    return table


def bin_names(plan: Plan, place: int) -> list[str]:
    """Readable names of the columns of the field at index `place` of the schema."""
    numeric = len(plan.schema.numeric)
    if place >= numeric:
        dictionary = plan.dictionaries[place - numeric]
        names = [_READABLE_NAMES.get(name, name) for name in dictionary.names]
        for group in range(dictionary.groups):
            of_all = f"group {group + 1} of {dictionary.groups}"
            names[dictionary.listed + group] = f"values without a name, {of_all}"
    else:
        edges = _name_edges(plan.numeric[place], plan.schema.numeric[place].kind)
        lows, highs = ["", *edges], [*edges, ""]
        names = [_name_bin(low, high) for low, high in zip(lows, highs, strict=True)]
    filler = [""] * (width(plan) - 1 - len(names))
    return [*names, *filler, MISSING]


def _name_bin(low: str, high: str) -> str:
    """Name a bin by its edges; if they print alike, the bin holds a single value."""
    if low == high:
        return low or "all values"
    return f"{low} to {high}" if low and high else f"above {low}" if low else f"up to {high}"


def _without_zero_window(edges: list[float]) -> list[float]:
    """Set both edges around a point mass at zero to zero, so that both are shown as 0."""
    is_pair = [edge != 0 and -edge in edges for edge in edges]
    others = [abs(edge) for edge, paired in zip(edges, is_pair, strict=True) if not paired]
    scale = _ZERO_WINDOW * min(others, default=1.0)
    return [0.0 if abs(edge) <= scale else edge for edge in edges]


def _name_edges(plan: NumericPlan, kind: Kind) -> list[str]:
    """Return edges as text: numbers or dates, with the time if two edges fall on one day."""
    edges = plan.edges.tolist()
    if kind is not Kind.DATETIME:
        return write_apart(_without_zero_window(edges))
    seconds = [round(edge) for edge in edges]  # the edges around a point mass are not whole
    days = [day(edge) for edge in seconds]
    has_all = len(set(days)) == len(set(seconds))
    return days if has_all else [moment(edge) for edge in seconds]
