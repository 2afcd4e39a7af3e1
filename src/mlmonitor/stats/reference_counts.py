"""Which bins of a reference windows may have rows in."""

import numpy as np

from mlmonitor.formats.reference import CategoricalReference, CountedEntry
from mlmonitor.records import Counts


def possible_counts(entry: CountedEntry) -> Counts:
    """The counts that windows are compared with, of all bins that may have rows; missing last.

    Bins that the reference has never seen are left out: how often chance would fill them is not
    known. A listed category has been seen, even if no held-out row has it.
    """
    expected = np.array(entry.expected, np.int64)
    is_possible = expected > 0
    if isinstance(entry, CategoricalReference) and entry.held_out:
        is_possible[: len(entry.counts)] |= np.array(entry.counts) > 0
    is_possible[-1] = True
    return expected[is_possible]
