"""What is new since a destination last said that it had taken something: total minus acknowledged.

The totals are the only queue there is. An outage makes the next interval longer, and nothing else.
"""

from typing import NamedTuple
from weakref import WeakKeyDictionary

import numpy as np

from mlmonitor.export.base import Attributes, Family, Histograms, Mask, Series, there
from mlmonitor.records import Counts, Floats


class Account:
    """What was acknowledged of each series of a family: a total, and until when it counted.

    Price: 25 bytes a series; of a histogram 8 more a bucket.
    """

    __slots__ = ("bounds", "is_known", "sums", "taken", "until")

    def __init__(self, family: Family, born_ns: int) -> None:
        values, size = family.values, len(family.series)
        is_block = isinstance(values, Histograms)
        self.bounds: tuple[tuple[float, ...], ...] | None = (
            values.bounds if isinstance(values, Histograms) else None
        )
        like = values.counts if isinstance(values, Histograms) else values
        self.taken: Floats | Counts = np.zeros_like(like)
        self.sums: Floats = np.zeros(size if is_block else 0)
        self.until: Counts = np.full(size, born_ns, np.int64)
        self.is_known: Mask = np.zeros(size, np.bool_)

    def fits(self, family: Family) -> bool:
        """Whether the family's counts are still over the same bins."""
        values = family.values
        return self.bounds == (values.bounds if isinstance(values, Histograms) else None)

    def adopt(self, at: int, other: "Account", other_at: int) -> None:
        """Go on where another account of the same series stopped."""
        self.until[at], self.is_known[at] = other.until[other_at], other.is_known[other_at]
        if self.bounds is None or other.bounds is None:
            if self.bounds is other.bounds:
                self.taken[at] = other.taken[other_at]
            return
        if self.bounds[at] == other.bounds[other_at]:  # counts over other bins begin at zero
            buckets = len(self.bounds[at]) + 1
            self.taken[at, :buckets] = other.taken[other_at, :buckets]
            self.sums[at] = other.sums[other_at]


class Delta(NamedTuple):
    """What is new of a family's series: counted from `start_ns` on; `rows` are worth sending."""

    account: Account
    family: Family
    start_ns: Counts
    rows: Mask

    def settle(self, rows: Counts, *, time_ns: int) -> None:
        """Book what is new of some rows as taken, up to `time_ns`."""
        account, values = self.account, self.family.values
        account.until[rows] = time_ns
        account.is_known[rows] = True
        if isinstance(values, Histograms):
            account.taken[rows] += values.counts[rows]
            account.sums[rows] += np.nan_to_num(values.sum[rows])
        else:
            # Not the total itself: what a backend has added up is the sum of what was sent, and the
            # next delta makes good what this one was rounded by.
            account.taken[rows] += values[rows]


class AcknowledgedTotals:
    """The accounts that one destination has of one process.

    Promise: what was acknowledged is not sent again, what was not is sent with the next; a series
        that was not there at the export before was zero then, and its first interval begins then.
        A series that goes and comes back goes on where it stopped. Price: an `Account`, and about
        100 bytes a series for alert it.
    """

    def __init__(self) -> None:
        self._accounts: WeakKeyDictionary[Series, dict[str, Account]] = WeakKeyDictionary()
        self._owners: dict[str, dict[Attributes, tuple[Account, int]]] = {}

    def delta(self, family: Family, *, born_ns: int) -> Delta:
        """What is new of a counter or histogram."""
        account = self._account(family, born_ns)
        values = family.values
        new: Floats | Counts | Histograms
        if isinstance(values, Histograms):
            new, rows = _block(values, account)
        else:
            new, rows = _numbers(values, account)
        return Delta(account, family._replace(values=new), account.until.copy(), rows)

    def __len__(self) -> int:
        return sum(map(len, self._owners.values()))

    def _account(self, family: Family, born_ns: int) -> Account:
        known = self._accounts.setdefault(family.series, {})
        name = family.metric.name
        found = known.get(name)
        if found is None or not found.fits(family):
            found = known[name] = self._open(family, born_ns)
        return found

    def _open(self, family: Family, born_ns: int) -> Account:
        account = Account(family, born_ns)
        owners = self._owners.setdefault(family.metric.name, {})
        for at, attributes in enumerate(family.series.attributes):
            before = owners.get(attributes)
            if before is not None:
                account.adopt(at, *before)
            owners[attributes] = account, at
        return account


def _numbers(values: Floats | Counts, account: Account) -> tuple[Floats | Counts, Mask]:
    new = values - account.taken
    # A total that fell began anew. A sum of floats may only seem to, by its last digit.
    if values.dtype.kind == "i":
        fell = new < 0
        account.taken[fell] = 0
        new = np.where(fell, values, new)
    else:
        new = np.where(new < 0, 0.0, new)
    return new, there(values) & ((new != 0) | ~account.is_known)


def _block(values: Histograms, account: Account) -> tuple[Histograms, Mask]:
    fell = (values.counts < account.taken).any(axis=1)
    account.taken[fell], account.sums[fell] = 0, 0.0
    counts: Counts = np.subtract(values.counts, account.taken)
    is_first = (account.taken == 0).all(axis=1)
    # Smallest and largest are those of all values: of an interval only if it is the first.
    new = Histograms(
        values.bounds,
        counts,
        np.maximum(values.sum - account.sums, 0.0),
        np.where(is_first, values.min, np.nan),
        np.where(is_first, values.max, np.nan),
    )
    return new, counts.any(axis=1) | ~account.is_known
