"""The fixed layout of profiles: the fields, their bins, ranges, bands and dictionaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.season import Season
from mlmonitor.aggregate.sketches.bins import pad_edges
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.records import Field, Floats, Schema


class NumericPlan(NamedTuple):
    """Bins, range and band of one numeric field; by default they include all values."""

    edges: Floats
    low: float = -np.inf
    high: float = np.inf
    band_low: float = -np.inf
    band_high: float = np.inf


class KernelPlan(NamedTuple):
    """The reference values for an embedding's random features.

    similarity: a numeric field that has a value in every row with an embedding. mean: the mean of
    each feature over `rows` rows of the reference. critical: see `NumericReference.critical`.
    """

    similarity: str
    mean: Floats
    rows: int
    critical: tuple[float, ...] = ()


@dataclass(frozen=True, eq=False)
class Plan:
    """The layout of a profile. Two profiles merge if their plans are equal.

    edges: `[numeric fields, most edges]`, padded with infinity; `bins` counts the actual bins.
    probes: for each numeric field its edges, then the limits of its range and band. Searching a
        sorted block for them gives the counts by bin, out of range and outside the band.
    kernels: one for each embedding, in the order of a block's kernel features.
    season: the cycle by which rows are also counted, or None.
    """

    schema: Schema
    numeric: tuple[NumericPlan, ...]
    dictionaries: tuple[Dictionary, ...]
    edges: Floats
    probes: Floats
    kernels: tuple[KernelPlan, ...] = ()
    season: Season | None = None

    @classmethod
    def build(
        cls,
        fields: Sequence[Field],
        numeric: Mapping[Field, NumericPlan],
        dictionaries: Mapping[Field, Dictionary],
        *,
        kernels: Sequence[KernelPlan] = (),
        season: Season | None = None,
    ) -> "Plan":
        """Build the plan of `fields`. A field without an entry has one bin, or no categories."""
        schema = Schema(fields)
        open_plan = NumericPlan(np.empty(0))
        plans = tuple(numeric.get(field, open_plan) for field in schema.numeric)
        books = tuple(dictionaries.get(field) or Dictionary(()) for field in schema.categorical)
        edges = pad_edges([plan.edges for plan in plans])
        bounds = [[_step_below(p.low), p.high, _step_below(p.band_low), p.band_high] for p in plans]
        probes = np.hstack([edges, np.array(bounds, np.float64).reshape(len(plans), 4)])
        return cls(schema, plans, books, edges, probes, tuple(kernels), season)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return isinstance(other, Plan) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @cached_property
    def fingerprint(self) -> bytes:
        """Sixteen bytes, equal for plans with the same fields, bins and categories."""
        fields = [(field.name, field.role.value, field.kind.value) for field in self.schema.fields]
        books = [
            (b.top, b.other, b.is_closed, b.is_boolean, *([b.groups] if b.groups else []))
            for b in self.dictionaries
        ]
        season = () if self.season is None else (self.season,)
        words = repr((fields, self.bins, books, *season)).encode("utf-8", "surrogatepass")
        means = [kernel.mean for kernel in self.kernels]
        numbers = b"".join(array.astype("<f8").tobytes() for array in (self.probes, *means))
        return blake2b(words + numbers, digest_size=16).digest()

    @property
    def bins(self) -> list[int]:
        """The number of bins of each numeric field."""
        return [len(plan.edges) + 1 for plan in self.numeric]

    @property
    def kernel_features(self) -> int:
        """The number of kernel features of a block."""
        return sum(len(kernel.mean) for kernel in self.kernels)

    @property
    def seasons(self) -> int:
        """The number of seasons, or 0 if there is no cycle."""
        return 0 if self.season is None else self.season.count

    @property
    def widest_dictionary(self) -> int:
        """The largest number of codes of a categorical field."""
        return max((book.size for book in self.dictionaries), default=0)


def _step_below(x: float) -> float:
    """Return the next lower float: a number is less than `x` if it is at most this float."""
    return float(np.nextafter(x, -np.inf))
