"""The bins of a reference in which windows may have rows."""

import numpy as np

from mlmonitor.formats.reference import CategoricalReference, CountedEntry
from mlmonitor.records import Counts


def possible_counts(entry: CountedEntry) -> Counts:
    """Return the expected counts of all bins that may have rows, with missing values last.

    Bins without rows in the reference are left out, because their probability is unknown. A listed
    category remains, even if no held-out row has it, because it has occurred.
    """
    expected = np.array(entry.expected, np.int64)
    is_possible = expected > 0
    if isinstance(entry, CategoricalReference) and entry.held_out:
        is_possible[: len(entry.counts)] |= np.array(entry.counts) > 0
    is_possible[-1] = True
    return expected[is_possible]
