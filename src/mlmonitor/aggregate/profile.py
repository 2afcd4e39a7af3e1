"""The additive statistics of every field of one population over one stretch of rows."""

from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.bins import bin_counts, counts_up_to
from mlmonitor.aggregate.categories import Encoded
from mlmonitor.aggregate.codec import State, demand, nested, packed, part, unpacked, within
from mlmonitor.aggregate.moments import Moments
from mlmonitor.aggregate.plan import Plan
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import QUALITIES, Block, Counts, Floats, Quality, Role

_COUNTS = ("bins", "categories", "quality", "outliers", "seasons")
_AT = {quality: at for at, quality in enumerate(QUALITIES)}


class Digested(NamedTuple):
    """A block after the work that several sketches share: sorted once, encoded once."""

    block: Block
    ordered: Floats
    valid: Counts
    encoded: list[Encoded]


def digest(block: Block, plan: Plan) -> Digested:
    """Sort the numeric fields (NaN last) and look the categories up."""
    ordered = np.sort(block.numeric, axis=1)
    valid = block.rows - np.count_nonzero(np.isnan(ordered), axis=1).astype(np.int64)
    books = zip(plan.dictionaries, block.categorical, strict=True)
    return Digested(block, ordered, valid, [book.encode(values) for book, values in books])


class Profile:
    """Counts, moments and quality of each field; exact under merging, whatever the order.

    bins: int64 `[numeric fields, bins]`; categories: int64 `[categorical fields, codes]`;
    quality: int64 `[fields, 6]` in the order of `QUALITIES`, numeric fields first; outliers:
    int64 `[numeric fields, 2]`, below and above the band. Of a field's values the valid, the out
    of range and the unseen are in its bins; the other three kinds are not. sums: float64
    `[numeric fields]`; unlike mean times count, those of values from 0 upwards never fall.
    seasons: int64 `[2, seasons]`, rows by the season they came in, and those of them that have a
    prediction, which a failed call has not.

    Price: `8 * (bins + 15)` bytes a numeric field, and 16 bytes a season.
    """

    __slots__ = (
        "bins",
        "categories",
        "moments",
        "outliers",
        "plan",
        "quality",
        "rows",
        "seasons",
        "sums",
    )

    def __init__(self, plan: Plan) -> None:
        numeric = len(plan.schema.numeric)
        self.plan: Plan = plan
        self.rows: int = 0
        self.moments: Moments = Moments(numeric)
        self.bins: Counts = np.zeros((numeric, plan.edges.shape[1] + 1), np.int64)
        shape = len(plan.schema.categorical), plan.widest_dictionary
        self.categories: Counts = np.zeros(shape, np.int64)
        self.quality: Counts = np.zeros((len(plan.schema), len(QUALITIES)), np.int64)
        self.outliers: Counts = np.zeros((numeric, 2), np.int64)
        self.sums: Floats = np.zeros(numeric)
        self.seasons: Counts = np.zeros((2, plan.seasons), np.int64)

    @classmethod
    def of(cls, digested: Digested, plan: Plan) -> Self:
        """The profile of one block."""
        found = cls(plan)
        block = digested.block
        found.rows = block.rows
        found.moments = Moments.of(block.numeric)
        with np.errstate(over="ignore", invalid="ignore"):  # a sum no float can hold is infinite
            found.sums = np.nansum(block.numeric, axis=1)
        found._count_numeric(digested)
        for at, encoded in enumerate(digested.encoded):
            found._count_categories(at, encoded)
        if plan.season is not None:
            found._count_season(block)
        return found

    def update(self, block: Block) -> None:
        """Take in a block of rows."""
        self.merge(self.of(digest(block, self.plan), self.plan))

    def merge(self, other: Self) -> None:
        """Take in what `other` has seen; raises IncompatibleSketch unless the plans agree."""
        if other.plan != self.plan:
            raise IncompatibleSketch("profiles of two references cannot be merged")
        self.rows += other.rows
        self.moments.merge(other.moments)
        self.bins += other.bins
        self.categories += other.categories
        self.quality += other.quality
        self.outliers += other.outliers
        self.seasons += other.seasons
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += other.sums

    def _count_numeric(self, digested: Digested) -> None:
        valid, refused = digested.valid, digested.block.refused
        upto = counts_up_to(digested.ordered, self.plan.probes)
        edges = self.plan.edges.shape[1]
        self.bins = bin_counts(upto[:, :edges], valid)
        below, up_to_high, low_side, up_to_band = upto[:, edges:].T
        out_of_range = below + valid - up_to_high
        self.outliers[:, 0] = low_side
        self.outliers[:, 1] = valid - up_to_band
        numeric = self.quality[: len(valid)]
        numeric[:, _AT[Quality.VALID]] = valid - out_of_range
        numeric[:, _AT[Quality.OUT_OF_RANGE]] = out_of_range
        numeric[:, _AT[Quality.MISSING]] = refused[:, 0]
        numeric[:, _AT[Quality.NONFINITE]] = refused[:, 1]
        numeric[:, _AT[Quality.WRONG_TYPE]] = refused[:, 2]

    def _count_categories(self, at: int, encoded: Encoded) -> None:
        self.categories[at, : len(encoded.counts)] = encoded.counts
        unseen = int(encoded.counts[-1])
        quality = self.quality[len(self.plan.schema.numeric) + at]
        quality[_AT[Quality.VALID]] = int(encoded.counts.sum()) - unseen
        quality[_AT[Quality.UNSEEN]] = unseen
        quality[_AT[Quality.MISSING]] = encoded.missing
        quality[_AT[Quality.WRONG_TYPE]] = encoded.wrong_type

    def _count_season(self, block: Block) -> None:
        fields = enumerate(self.plan.schema.fields)
        predictions = [at for at, field in fields if field.role is Role.PREDICTION]
        made = self.quality[predictions].sum(axis=1).max(initial=0)
        self.seasons[:, block.season] = block.rows, made

    @property
    def nbytes(self) -> int:
        """Memory held; a full profile is no larger than an empty one."""
        counts = (getattr(self, name) for name in _COUNTS)
        held: int = self.moments.nbytes + self.sums.nbytes + sum(array.nbytes for array in counts)
        return held

    def state(self) -> State:
        """All there is to know but the plan, as arrays."""
        return {
            "plan": np.frombuffer(self.plan.fingerprint, np.uint8),
            "rows": np.array([self.rows], np.int64),
            "sums": self.sums,
            **nested("moments", self.moments.state()),
            **{name: getattr(self, name) for name in _COUNTS},
        }

    @classmethod
    def from_state(cls, state: State, plan: Plan) -> Self:
        """The inverse of `state`; raises FormatError for arrays that do not fit the plan."""
        found = cls(plan)
        of_plan = part(state, "plan", np.uint8, ndim=1).tobytes()
        demand(of_plan == plan.fingerprint, "plan: the profile belongs to another reference")
        found.rows = int(part(state, "rows", np.int64, shape=(1,))[0])
        found.moments = Moments.from_state(within("moments", state))
        demand(found.moments.count.shape == (len(found.bins),), "moments: of other fields")
        found.sums = part(state, "sums", np.float64, shape=found.sums.shape)
        for name in _COUNTS:
            setattr(found, name, part(state, name, np.int64, shape=getattr(found, name).shape))
            demand((getattr(found, name) >= 0).all(), f"{name}: wanted none below zero")
        demand(found.rows >= 0, "rows: wanted none below zero")
        return found

    def to_bytes(self) -> bytes:
        """The profile in versioned bytes; its plan, like its reference, travels apart."""
        return packed("profile", self.state())

    @classmethod
    def from_bytes(cls, data: bytes, plan: Plan) -> Self:
        """The inverse of `to_bytes`; raises FormatError for bytes that do not fit the plan."""
        return cls.from_state(unpacked("profile", data), plan)
