"""Decide which categories may be named outside the process without identifying a person."""

import math
import sys
from collections.abc import Collection, Mapping

import numpy as np

from mlmonitor.records import Floats
from mlmonitor.reference.personal_values import is_personal

LEAST_ROWS = 5
"""A category with fewer rows may identify a person: its name does not leave the process."""

MOST_CLOSED = 50
CLOSED_SHARE = 0.99
_PERSONAL_SHARE = 0.5

_MOST_HALF = sys.float_info.max / 2

ID_LEAST = 1e6
"""Smaller integers may be counts or amounts, which are often all different as well."""

ID_MOST = 1e20
"""Larger numbers are measurements, not ids."""

ID_ROWS = 20

_FALLING_SHARE = 0.02

_LEAST_COLLISIONS = 50.0
"""If chance would make this many equal pairs but there are few, each value was assigned once."""

_LARGEST_EXACT = 2.0**53  # the largest range in which floats hold every integer
_MOST_EQUAL = 0.01


def least_count(counts: Collection[int]) -> int:
    """Return the number of rows that a category needs for its name to be stored.

    counts: the rows of each category. All names of a closed vocabulary are stored: it has at most
    50 categories, and those with five rows or more hold 99% of the rows. In an open vocabulary a
    category needs at least five rows and one fiftieth of all rows: an open vocabulary may consist
    of customers, and a frequent customer is still one person.
    Source: the minimum frequency and dominance rules of statistical disclosure control (Hundepool
    et al., "Statistical disclosure control", 2012, chapter 4).
    """
    if is_closed(counts):
        return 1
    return max(LEAST_ROWS, math.ceil(sum(counts) / MOST_CLOSED))


def is_closed(counts: Collection[int]) -> bool:
    """Whether categories are a closed vocabulary, whose names do not identify persons."""
    frequent = sum(count for count in counts if count >= LEAST_ROWS)
    distinct = sum(count > 0 for count in counts)
    return distinct <= MOST_CLOSED and frequent >= CLOSED_SHARE * sum(counts)


def disclosable(counts: Mapping[str, int]) -> frozenset[str]:
    """Return the names that may leave the process, given the number of rows of each.

    Promise: in a closed vocabulary, only names with fewer than five rows are withheld. A name that
        identifies a person by its form is always withheld.
    """
    least = max(least_count(counts.values()), LEAST_ROWS)
    names = (name for name, count in counts.items() if count >= least)
    return frozenset(name for name in names if not is_personal(name))


def is_id_like(counts: Mapping[str, int], personal: Collection[str]) -> bool:
    """Whether categories look like ids: more than 50, each with at most five rows.

    Categories are also id-like if more than half of the rows have a name in `personal`.
    """
    is_rare = len(counts) > MOST_CLOSED and max(counts.values()) <= LEAST_ROWS
    rows = sum(counts[name] for name in personal)
    return is_rare or rows > _PERSONAL_SHARE * sum(counts.values())


def is_number_id_like(ordered: Floats) -> bool:
    """Whether sorted numbers look like ids: distinct integers of seven digits or more."""
    if ordered.size < ID_ROWS or not np.isfinite(ordered).all():
        return False
    sizes = np.abs(ordered)
    if sizes.min() < ID_LEAST or sizes.max() > ID_MOST:
        return False
    is_whole = bool((ordered == np.floor(ordered)).all())
    return is_whole and bool((ordered[1:] > ordered[:-1]).all())


def is_sequential(ordered: Floats) -> bool:
    """Whether sorted numbers are serial numbers, assigned one after the other.

    Serial numbers are integers of which at most 1% repeat, in a range so narrow that independent
    draws would repeat at least ten times as often. The number of repeats expected by chance is
    computed for the uniform distribution, which has the fewest.
    Source: the birthday problem.
    """
    if ordered.size < ID_ROWS or not (np.abs(ordered) <= _LARGEST_EXACT).all():
        return False
    equal = int(np.count_nonzero(np.diff(ordered) == 0))
    if not (ordered == np.floor(ordered)).all() or equal > _MOST_EQUAL * ordered.size:
        return False
    width = float(ordered[-1] - ordered[0]) + 1
    expected = ordered.size * (ordered.size - 1) / 2 / width
    return expected >= max(_LEAST_COLLISIONS, 10 * equal)


def is_advancing(rows: Floats) -> bool:
    """Whether times advance with the rows, so that future rows lie beyond the range of training.

    rows: seconds since 1970 in the order of the rows, NaN where missing. Times advance if all are
    different, or if at most 2% of the steps between rows go back. Dates that recur in any order,
    such as dates of birth, do not advance.
    """
    times = rows[np.isfinite(rows)]
    distinct = np.unique(times)
    if distinct.size < ID_ROWS:
        return False
    return bool(distinct.size == times.size or np.mean(np.diff(times) < 0) <= _FALLING_SHARE)


def coarsen(numbers: Floats, low: float, high: float) -> Floats:
    """Round numbers to multiples of a power of ten that is 1% to 10% of `high - low`.

    Promise: rounding keeps the order, and leaves 10 to 100 distinct values over the range.
    """
    step = _choose_step(low, high)
    coarse: Floats = np.round(numbers / step) * step
    return coarse


def coarsen_range(low: float, high: float) -> tuple[float, float]:
    """Round a range outwards, by the step of `coarsen`, so that it still contains every value."""
    step = _choose_step(low, high)
    return math.floor(low / step) * step, math.ceil(high / step) * step


def _choose_step(low: float, high: float) -> float:
    return float(
        10.0 ** (math.floor(math.log10(max(min(high / 2 - low / 2, _MOST_HALF) * 2, 100.0))) - 1)
    )
