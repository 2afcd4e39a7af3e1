"""Sketches of the shape of each field: quantiles, new categories, distinct counts."""

from collections.abc import Sequence
from typing import Self

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import Digested
from mlmonitor.aggregate.sketches.categories import Encoded
from mlmonitor.aggregate.sketches.codec import State, demand, nest, within
from mlmonitor.aggregate.sketches.distinct import Distinct, distinct_if_installed
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters
from mlmonitor.aggregate.sketches.tdigest import TDigest


class Shapes:
    """Sketches that are too large to have one per slice of a window."""

    __slots__ = ("digests", "distinct", "hitters")

    def __init__(self, plan: Plan, hitters: int) -> None:
        self.digests: TDigest = TDigest(len(plan.schema.numeric))
        self.hitters: list[HeavyHitters] = [HeavyHitters(hitters) for _ in plan.schema.categorical]
        counters = [distinct_if_installed() for _ in plan.schema.categorical]
        self.distinct: list[Distinct] = [counter for counter in counters if counter is not None]

    def update(self, digested: Digested) -> None:
        """Add a block whose fields are sorted and encoded."""
        self.digests.update_sorted(digested.ordered, digested.valid)
        self.count_new(digested.encoded)

    def count_new(self, categories: Sequence[Encoded]) -> None:
        """Add the new and rare categories of a block, given its categorical fields."""
        for field, encoded in enumerate(categories):
            if encoded.new:
                self.hitters[field].update(encoded.new)
            rare = encoded.other.union(encoded.new)
            if rare and self.distinct:
                self.distinct[field].update(rare)

    def merge(self, other: Self) -> None:
        """Merge in `other`."""
        self.digests.merge(other.digests)
        for mine, theirs in zip(self.hitters, other.hitters, strict=True):
            mine.merge(theirs)
        for ours, others in zip(self.distinct, other.distinct, strict=True):
            ours.merge(others)

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes, once all sketches are full."""
        names = sum(hitter.nbytes for hitter in self.hitters)
        return self.digests.nbytes + names + len(self.distinct) * Distinct.NBYTES

    def state(self) -> State:
        """Return all contents as arrays."""
        state = nest("digests", self.digests.state())
        for kind in ("hitters", "distinct"):
            for field, sketch in enumerate(getattr(self, kind)):
                state |= nest(f"{kind}.{field}", sketch.state())
        return state

    @classmethod
    def from_state(cls, state: State, plan: Plan, hitters: int) -> Self:
        """Rebuild from a `state`; raise FormatError for arrays that do not fit the plan."""
        shapes = cls(plan, hitters)
        shape = shapes.digests.means.shape
        shapes.digests = TDigest.from_state(within("digests", state))
        demand(shapes.digests.means.shape == shape, "digests: expected other fields")
        for field in range(len(shapes.hitters)):
            shapes.hitters[field] = HeavyHitters.from_state(within(f"hitters.{field}", state))
            demand(
                shapes.hitters[field].size == hitters, f"hitters.{field}: expected size {hitters}"
            )
        for field in range(len(shapes.distinct)):
            shapes.distinct[field] = Distinct.from_state(within(f"distinct.{field}", state))
        return shapes
