"""The additive statistics of all fields of one population over some rows."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.sketches.bins import bin_counts, counts_up_to
from mlmonitor.aggregate.sketches.categories import Encoded
from mlmonitor.aggregate.sketches.codec import Array, State, demand, pack, part, unpack, within
from mlmonitor.aggregate.sketches.moments import Moments, valid_counts
from mlmonitor.errors import IncompatibleSketch
from mlmonitor.records import QUALITIES, REFUSED, Block, Counts, Floats, Quality, Role

COUNTS = ("bins", "categories", "quality", "outliers", "seasons")
_NO_KERNELS = np.zeros(0)  # shared by all profiles without kernels
_PLACES = {quality: place for place, quality in enumerate(QUALITIES)}
_REFUSED = [_PLACES[quality] for quality in REFUSED]
_OF_CATEGORIES = [
    _PLACES[quality]
    for quality in (Quality.VALID, Quality.NEW_CATEGORY, Quality.MISSING, Quality.WRONG_TYPE)
]


class Digested(NamedTuple):
    """A block, sorted and encoded once for all sketches."""

    block: Block
    ordered: Floats
    valid: Counts
    encoded: list[Encoded]


def digest(block: Block, plan: Plan) -> Digested:
    """Sort the numeric fields (NaN last) and encode the categories."""
    ordered = np.sort(block.numeric, axis=1)
    return Digested(block, ordered, valid_counts(ordered), encode(block, plan))


def encode(block: Block, plan: Plan) -> list[Encoded]:
    """Encode the categories of a block."""
    books = zip(plan.dictionaries, block.categorical, strict=True)
    return [book.encode(values) for book, values in books]


class FieldProfile:
    """Counts, moments and quality of each field; exact under merging in any order.

    bins: int64 `[numeric fields, bins]`; categories: int64 `[categorical fields, codes]`;
    quality: int64 `[fields, 6]` in the order of `QUALITIES`, numeric fields first; outliers:
    int64 `[numeric fields, 2]`, below and above the band. Valid values, values out of range and
    new categories are counted in a field's bins too; missing, non-finite and wrongly typed values
    are not.
    sums: float64 `[numeric fields]`; unlike mean times count, a sum of non-negative values never
    decreases. kernels: float64 `[kernel features]`, sums over rows. seasons: int64 `[2, seasons]`,
    all rows by season, then rows with a prediction; rows of a failed call have none.

    Price: `8 * (bins + 15)` bytes a numeric field, 8 a kernel feature, and 16 a season.
    """

    __slots__ = (
        "bins",
        "categories",
        "kernels",
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
        size = plan.kernel_features
        self.kernels: Floats = np.zeros(size) if size else _NO_KERNELS
        self.seasons: Counts = np.zeros((2, plan.seasons), np.int64)

    @classmethod
    def from_digested(cls, digested: Digested, plan: Plan) -> Self:
        """Build the profile of one block."""
        profile = cls(plan)
        profile.rows = digested.block.rows
        profile.count_numeric(digested.ordered, digested.valid, digested.block.refused)
        profile.count_categories(digested.encoded)
        profile.count_season(digested.block, digested.encoded)
        profile.count_kernels(digested.block)
        return profile

    def update(self, block: Block) -> None:
        """Add a block of rows."""
        self.merge(self.from_digested(digest(block, self.plan), self.plan))

    def merge(self, other: Self) -> None:
        """Merge in `other`; raise IncompatibleSketch unless the plans are equal."""
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
        if self.kernels.size:
            self.kernels += other.kernels

    def count_numeric(self, ordered: Floats, valid: Counts, refused: Counts) -> None:
        """Add a sorted block of the numeric fields; the caller counts its rows."""
        upto = counts_up_to(ordered, self.plan.probes)
        edges = self.plan.edges.shape[1]
        self.bins += bin_counts(upto[:, :edges], valid)
        below, up_to_high, low_side, up_to_band = upto[:, edges:].T
        out_of_range = below + valid - up_to_high
        self.outliers[:, 0] += low_side
        self.outliers[:, 1] += valid - up_to_band
        numeric = self.quality[: len(valid)]
        numeric[:, _PLACES[Quality.VALID]] += valid - out_of_range
        numeric[:, _PLACES[Quality.OUT_OF_RANGE]] += out_of_range
        numeric[:, _REFUSED] += refused
        moments, sums = Moments.from_sorted(ordered, valid)
        self.moments.merge(moments)
        with np.errstate(over="ignore", invalid="ignore"):
            self.sums += sums

    def count_categories(self, encoded: Sequence[Encoded]) -> None:
        """Add a block of the categorical fields."""
        rows_by_quality = []
        for field, column in enumerate(encoded):
            counts = column.counts
            self.categories[field, : len(counts)] += counts
            new = int(counts[-1])
            valid = int(counts.sum()) - new
            rows_by_quality.append((valid, new, column.missing, column.wrong_type))
        if rows_by_quality:
            self.quality[len(self.plan.schema.numeric) :, _OF_CATEGORIES] += rows_by_quality

    def count_kernels(self, block: Block) -> None:
        """Add the kernel features of a block's embeddings, if the plan compares them."""
        if self.kernels.size and block.kernels.size:
            self.kernels += block.kernels.sum(axis=1)

    def arrays(self) -> dict[str, Array]:
        """Return one array for each statistic, but neither the plan nor the number of rows."""
        return {
            "sums": self.sums,
            "kernels": self.kernels,
            **{f"moments.{name}": array for name, array in self.moments.arrays().items()},
            **{name: getattr(self, name) for name in COUNTS},
        }

    def freeze(self) -> None:
        """Forbid writing to the arrays, because a snapshot holds them."""
        for array in self.arrays().values():
            array.flags.writeable = False

    def count_season(self, block: Block, encoded: Sequence[Encoded]) -> None:
        """Count the rows of a block in its season, and the rows with a prediction."""
        schema = self.plan.schema
        if self.plan.season is None:
            return
        predicted = 0
        for row, field in enumerate(schema.numeric):
            if field.role is Role.PREDICTION:
                valid = np.count_nonzero(~np.isnan(block.numeric[row]))
                predicted = max(predicted, int(valid + block.refused[row].sum()))
        for field, column in zip(schema.categorical, encoded, strict=True):
            if field.role is Role.PREDICTION:
                predicted = max(
                    predicted, int(column.counts.sum()) + column.missing + column.wrong_type
                )
        self.seasons[:, block.season] += block.rows, predicted

    @property
    def nbytes(self) -> int:
        """Memory held, in bytes; it is constant."""
        counts = (getattr(self, name) for name in COUNTS)
        sums = self.sums.nbytes + self.kernels.nbytes
        total: int = self.moments.nbytes + sums + sum(array.nbytes for array in counts)
        return total

    def state(self) -> State:
        """Return all contents but the plan, as arrays."""
        return {
            "plan": np.frombuffer(self.plan.fingerprint, np.uint8),
            "rows": np.array([self.rows], np.int64),
            **self.arrays(),
        }

    @classmethod
    def from_state(cls, state: State, plan: Plan) -> Self:
        """Rebuild from a `state`; raise FormatError for arrays that do not fit the plan."""
        profile = cls(plan)
        of_plan = part(state, "plan", np.uint8, ndim=1).tobytes()
        demand(of_plan == plan.fingerprint, "plan: the profile belongs to another reference")
        profile.rows = int(part(state, "rows", np.int64, shape=(1,))[0])
        profile.moments = Moments.from_state(within("moments", state))
        demand(
            profile.moments.count.shape == (len(profile.bins),), "moments: expected other fields"
        )
        profile.sums = part(state, "sums", np.float64, shape=profile.sums.shape)
        profile.kernels = part(state, "kernels", np.float64, shape=profile.kernels.shape)
        for name in COUNTS:
            setattr(profile, name, part(state, name, np.int64, shape=getattr(profile, name).shape))
            demand((getattr(profile, name) >= 0).all(), f"{name}: expected zero or more")
        demand(np.isfinite(profile.kernels).all(), "kernels: expected finite numbers")
        demand(profile.rows >= 0, "rows: expected zero or more")
        return profile

    def to_bytes(self) -> bytes:
        """Serialise the profile without its plan, which belongs to the reference."""
        return pack("profile", self.state())

    @classmethod
    def from_bytes(cls, data: bytes, plan: Plan) -> Self:
        """Deserialise the profile; raise FormatError for bytes that do not fit the plan."""
        return cls.from_state(unpack("profile", data), plan)
