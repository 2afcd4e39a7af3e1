"""Deltas since a destination's last acknowledgement: total minus acknowledged.

The totals replace a queue: the only effect of an outage is that the next interval is longer.
"""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from mlmonitor.export.base import Attributes, Family, Histograms, Mask, Series, has_point
from mlmonitor.records import Counts, Floats


class Account:
    """The total that was acknowledged for each series of a family, and when its interval ended.

    Price: 25 bytes a series, and 8 bytes a bucket of a histogram.
    """

    __slots__ = ("bounds", "is_known", "stored", "sums", "until")

    def __init__(self, family: Family, first_ns: int) -> None:
        values, size = family.values, len(family.series)
        is_block = isinstance(values, Histograms)
        self.bounds: tuple[tuple[float, ...], ...] | None = (
            values.bounds if isinstance(values, Histograms) else None
        )
        like = values.counts if isinstance(values, Histograms) else values
        self.stored: Floats | Counts = np.zeros_like(like)
        self.sums: Floats = np.zeros(size if is_block else 0)
        self.until: Counts = np.full(size, first_ns, np.int64)
        self.is_known: Mask = np.zeros(size, np.bool_)

    def fits(self, family: Family) -> bool:
        """Whether the family still has the bucket bounds of this account."""
        values = family.values
        return self.bounds == (values.bounds if isinstance(values, Histograms) else None)

    def continue_from(self, row: int, other: "Account", other_row: int) -> None:
        """Copy the acknowledged total of row `other_row` of `other`, which is the same series."""
        self.until[row], self.is_known[row] = other.until[other_row], other.is_known[other_row]
        if self.bounds is None or other.bounds is None:
            if self.bounds is other.bounds:
                self.stored[row] = other.stored[other_row]
            return
        if self.bounds[row] == other.bounds[other_row]:  # counts over other bounds start at zero
            buckets = len(self.bounds[row]) + 1
            self.stored[row, :buckets] = other.stored[other_row, :buckets]
            self.sums[row] = other.sums[other_row]


class Delta(NamedTuple):
    """The delta of each series since its `start_ns`; `rows` marks those that have to be sent."""

    account: Account
    family: Family
    start_ns: Counts
    rows: Mask

    def settle(self, rows: Counts, *, time_ns: int) -> None:
        """Record that the deltas of some rows were stored; the next ones start at `time_ns`."""
        account, values = self.account, self.family.values
        account.until[rows] = time_ns
        account.is_known[rows] = True
        if isinstance(values, Histograms):
            account.stored[rows] += values.counts[rows]
            account.sums[rows] += np.nan_to_num(values.sum[rows])
        else:
            # Add the delta instead of storing the total: a backend adds up the deltas, and so the
            # next delta corrects the rounding of this one.
            account.stored[rows] += values[rows]


class AcknowledgedTotals:
    """The totals that one destination has acknowledged for one process.

    Promise: acknowledged counts are not sent again, and the rest is sent with the next export.
        The first interval of a new series begins at the previous export, when the series was still
        zero. A series that disappears and returns continues from its acknowledged total.
    Price: an `Account` per family, and about 100 bytes a series to find it again.
    """

    def __init__(self) -> None:
        self._accounts: WeakKeyDictionary[Series, dict[str, Account]] = WeakKeyDictionary()
        self._owners: dict[str, dict[Attributes, tuple[Account, int]]] = {}

    def delta(self, family: Family, *, first_ns: int) -> Delta:
        """Compute the delta of a counter or histogram; new series count from `first_ns`."""
        account = self._find_account(family, first_ns)
        values = family.values
        new: Floats | Counts | Histograms
        if isinstance(values, Histograms):
            new, rows = _subtract_histograms(values, account)
        else:
            new, rows = _subtract_numbers(values, account)
        return Delta(account, family._replace(values=new), account.until.copy(), rows)

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def _find_account(self, family: Family, first_ns: int) -> Account:
        accounts = self._accounts.setdefault(family.series, {})
        name = family.metric.name
        account = accounts.get(name)
        if account is None or not account.fits(family):
            account = accounts[name] = self._open(family, first_ns)
        return account

    def _open(self, family: Family, first_ns: int) -> Account:
        account = Account(family, first_ns)
        owners = self._owners.setdefault(family.metric.name, {})
        for row, attributes in enumerate(family.series.attributes):
            previous = owners.get(attributes)
            if previous is not None:
                account.continue_from(row, *previous)
            owners[attributes] = account, row
        return account


def _subtract_numbers(values: Floats | Counts, account: Account) -> tuple[Floats | Counts, Mask]:
    new = values - account.stored
    # An integer total that fell has restarted. A sum of floats may fall by a rounding error.
    if values.dtype.kind == "i":
        fell = new < 0
        account.stored[fell] = 0
        new = np.where(fell, values, new)
    else:
        new = np.where(new < 0, 0.0, new)
    return new, has_point(values) & ((new != 0) | ~account.is_known)


def _subtract_histograms(values: Histograms, account: Account) -> tuple[Histograms, Mask]:
    fell = (values.counts < account.stored).any(axis=1)
    account.stored[fell], account.sums[fell] = 0, 0.0
    counts: Counts = np.subtract(values.counts, account.stored)
    is_first = (account.stored == 0).all(axis=1)
    # Minimum and maximum cover all values since the start, so only the first interval has them.
    new = Histograms(
        values.bounds,
        counts,
        np.maximum(values.sum - account.sums, 0.0),
        np.where(is_first, values.min, np.nan),
        np.where(is_first, values.max, np.nan),
    )
    return new, counts.any(axis=1) | ~account.is_known
