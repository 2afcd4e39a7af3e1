"""The points that a receiver accepted, refused or warned about, for assertions."""

import math
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import NamedTuple

from mlmonitor.testing.receiver.backends.backend import Judgement, Stored
from mlmonitor.testing.receiver.decoding import Explicit, Exponential
from mlmonitor.testing.receiver.histograms import HistogramTotal, total
from mlmonitor.testing.receiver.series import ReceivedSeries, SeriesKey
from mlmonitor.testing.receiver.temporality import Amount, added

_SHOWN_SERIES = 30
TWO_WRITERS = "two processes wrote one series at one time"
MERGED = "series of different attributes became one"


class Request(NamedTuple):
    """One request: its size on the wire and uncompressed, its points, and the answer.

    `status` is an HTTP status or the name of a gRPC code; None if there was no answer. `fault` is
    the class name of the scripted fault, or empty.
    """

    wire_bytes: int
    body_bytes: int
    points: int
    status: int | str | None
    message: str
    fault: str


class Ledger:
    """Adds up the points that one receiver has stored. Safe to read while requests arrive.

    Metrics can be named as they were sent or as in the backend. Attributes are compared as text:
    with those sent for the point or the resource, or with the labels in the backend. Pass
    attributes with dots in their names as a mapping:
    `total("http.requests", {"http.method": "GET"})`.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition(threading.RLock())
        self._requests: list[Request] = []
        self._refused: Counter[str] = Counter()
        self._warnings: Counter[str] = Counter()
        self._series: dict[SeriesKey, ReceivedSeries] = {}
        self._writers: dict[tuple[object, ...], str] = {}
        self._sent_as: dict[tuple[object, ...], object] = {}

    @property
    def requests(self) -> tuple[Request, ...]:
        """All requests, in the order of their answers."""
        with self._changed:
            return tuple(self._requests)

    @property
    def refused(self) -> Counter[str]:
        """Number of refused points by reason; a request refused before it is read counts as one."""
        with self._changed:
            return Counter(self._refused)

    @property
    def warnings(self) -> Counter[str]:
        """Number of oddities of accepted points, by kind, such as truncations and resets."""
        with self._changed:
            counts = Counter(self._warnings)
            for series in self._series.values():
                counts.update(series.notes())
            return counts

    @property
    def accepted(self) -> int:
        """The number of accepted points."""
        with self._changed:
            return sum(series.points for series in self._series.values())

    @property
    def names(self) -> tuple[str, ...]:
        """The names of accepted metrics, as sent."""
        with self._changed:
            return tuple(sorted({series.name for series in self._series.values()}))

    def series(
        self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object
    ) -> tuple[ReceivedSeries, ...]:
        """Return all series with that name and at least these attributes, one per process."""
        expected = {**(attributes or {}), **more}
        with self._changed:
            return tuple(
                series for series in self._series.values() if series.matches(name, expected)
            )

    def total(
        self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object
    ) -> int | float:
        """Return the sum of a counter over all processes and restarts; 0 if there is none.

        A cumulative series contributes the newest value of each process and start time, a delta
        series the value of every point.
        """
        with self._changed:
            amounts = self._list_amounts("sum", name, {**(attributes or {}), **more})
            numbers = [amount for amount in amounts if isinstance(amount, int | float)]
        has_floats = any(isinstance(amount, float) for amount in numbers)
        return math.fsum(numbers) if has_floats else sum(numbers)

    def histogram(
        self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object
    ) -> HistogramTotal:
        """Return a histogram's counts over all processes and restarts, with explicit bounds.

        Raises:
            LookupError: no series matches.
            ValueError: the matching series have different bounds.
        """
        with self._changed:
            expected = {**(attributes or {}), **more}
            amounts = self._list_amounts("histogram", name, expected)
            amounts += self._list_amounts("exponential_histogram", name, expected)
        if not amounts:
            raise LookupError(f"no histogram {name!r} with these attributes\n{self}")
        whole = reduce(added, amounts)
        assert isinstance(whole, Explicit | Exponential)  # noqa: S101 - selected above
        return total(whole)

    def gauge(
        self, name: str, attributes: Mapping[str, object] | None = None, /, **more: object
    ) -> int | float:
        """Return the newest value of a gauge, or of a sum that may fall, from any process.

        Raises:
            LookupError: no series matches, or several with different attributes.
        """
        with self._changed:
            matching = [
                series
                for series in self.series(name, attributes, **more)
                if series.newest is not None
            ]
            if len({series.attributes for series in matching}) != 1:
                problem = "several series match" if matching else "no series matches"
                raise LookupError(f"{name!r}: {problem}\n{self}")
            newest = max(matching, key=lambda series: series.newest_ns).newest
        assert newest is not None  # noqa: S101 - checked above
        return newest

    def wait_until(
        self, condition: "Callable[[Ledger], bool]", *, timeout_seconds: float = 10.0
    ) -> bool:
        """Wait for a condition, checked after each request; return whether it held in time."""
        with self._changed:
            return self._changed.wait_for(lambda: condition(self), timeout_seconds)

    def write(self, request: Request, judgement: Judgement | None = None) -> None:
        """Record a request and its result."""
        with self._changed:
            self._requests.append(request)
            if judgement is not None:
                self._refused.update(judgement.refused)
                self._warnings.update(judgement.warnings)
                for stored in judgement.stored:
                    self._store(stored)
            self._changed.notify_all()

    def _store(self, stored: Stored) -> None:
        key = SeriesKey.from_stored(stored)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = ReceivedSeries(key, stored)
            identity = (stored.name, stored.labels, key.instance)
            if self._sent_as.setdefault(identity, key.attributes) != key.attributes:
                self._warnings[MERGED] += 1
        series.add(stored.point)
        moment = (stored.name, stored.labels, stored.point.time_ns // 1_000_000)
        if self._writers.setdefault(moment, key.instance) != key.instance:
            self._warnings[TWO_WRITERS] += 1

    def _list_amounts(self, kind: str, name: str, expected: Mapping[str, object]) -> list[Amount]:
        return [
            amount
            for series in self.series(name, expected)
            if series.kind == kind
            for amount in series.amounts()
        ]

    def __str__(self) -> str:
        with self._changed:
            return "\n".join(self._list_lines())

    def __repr__(self) -> str:
        """Return one line for pytest to show in failures."""
        with self._changed:
            return " | ".join(line.strip() for line in self._list_lines())

    def _list_lines(self) -> Iterator[str]:
        answers = Counter(str(request.status) for request in self._requests)
        listed = ", ".join(f"{count} x {status}" for status, count in answers.items())
        yield f"Ledger: {self.accepted} points stored, answers: {listed or 'none'}"
        shown = list(self._series.values())[:_SHOWN_SERIES]
        yield from (f"  {series}" for series in shown)
        if len(self._series) > len(shown):
            yield f"  ... and {len(self._series) - len(shown)} more series"
        for title, counts in (("refused", self._refused), ("warnings", self.warnings)):
            yield from (f"  {title}: {reason}: {count}" for reason, count in counts.items())
