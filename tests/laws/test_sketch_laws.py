"""Laws of every sketch, written once: merging, splitting, saving, bounds and NaN."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mlmonitor.aggregate.outcomes.regression_sums import ErrorSums
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.aggregate.profile import FieldProfile, digest
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.aggregate.sketches.codec import pack, unpack
from mlmonitor.aggregate.sketches.distinct import Distinct
from mlmonitor.aggregate.sketches.exponential_histogram import ExponentialSketch
from mlmonitor.aggregate.sketches.heavy_hitters import HeavyHitters
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.aggregate.sketches.tdigest import TDigest
from mlmonitor.capture.canonical import category_name, is_missing
from mlmonitor.errors import FormatError, IncompatibleSketch
from mlmonitor.records import ABSENT, QUALITIES, Block, Field, Kind, Role
from support import streams
from support.strategies import COUNTED, blocks, row_blocks

QS = np.linspace(0.0, 1.0, 41)
EDGES = np.array([-1.0, 0.0, 0.5, 1e9])
X, Y = (Field(name, Role.FEATURE, Kind.NUMERIC) for name in "xy")
C, B = Field("c", Role.FEATURE, Kind.CATEGORICAL), Field("b", Role.FEATURE, Kind.BOOLEAN)
PLAN = Plan.build(
    [X, Y, C, B],
    {X: NumericPlan(EDGES, -1.0, 1e9, -0.5, 0.5)},
    {C: Dictionary(["a", "b"], ["c"]), B: Dictionary(["false", "true"], is_boolean=True)},
)
OTHER_PLAN = Plan.build(
    [X, Y, C, B],
    {X: NumericPlan(EDGES + 0.25, -1.0, 1e9, -0.5, 0.5)},
    {C: Dictionary(["a", "b"], ["c"]), B: Dictionary(["false", "true"], is_boolean=True)},
)


def _same_moments(one: Moments, two: Moments) -> None:
    """Assert that counts and extremes agree to the last bit and the rest up to rounding."""
    for name in ("count", "min", "max"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    peak = np.where(one.count > 0, np.maximum(-one.min, one.max), 0.0)
    for mine, theirs in ((one.mean, two.mean), (one.stddev, two.stddev)):
        np.testing.assert_array_equal(np.isnan(mine), np.isnan(theirs))
        finite = ~np.isnan(mine)
        gap = np.abs(mine[finite] / 2 - theirs[finite] / 2)
        assert (gap <= np.maximum(1e-9 * peak[finite], 2e-323)).all()


def _ranks_hold(digests: TDigest, data: streams.Floats) -> None:
    """Assert that every quantile has the rank of its share within the promised error."""
    estimates = digests.quantile(QS)
    for values, quantiles in zip(data, estimates, strict=True):
        ordered = np.sort(values[~np.isnan(values)])
        if ordered.size == 0:
            assert np.isnan(quantiles).all()
            continue
        low = ordered.searchsorted(quantiles, side="left") / ordered.size
        high = ordered.searchsorted(quantiles, side="right") / ordered.size
        assert (low - TDigest.WORST_ERROR <= QS).all()
        assert (high + TDigest.WORST_ERROR >= QS).all()


def _same_digests(one: TDigest, two: TDigest, values: Sequence[Any]) -> None:
    for name in ("count", "min", "max"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    data = np.concatenate(values, axis=1)
    _ranks_hold(one, data)
    _ranks_hold(two, data)


def _same_profiles(one: FieldProfile, two: FieldProfile, _: Sequence[Any]) -> None:
    assert one.rows == two.rows
    for name in ("bins", "categories", "quality", "outliers"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    _same_moments(one.moments, two.moments)


def _bounds_hold(sketch: HeavyHitters, truth: dict[str, int]) -> None:
    """Assert that counts bracket the truth by their errors and that no frequent name is missing."""
    assert sketch.total == sum(truth.values())
    hitters = {hitter.name: hitter for hitter in sketch.top()}
    for name, hitter in hitters.items():
        assert hitter.count - hitter.error <= truth.get(name, 0) <= hitter.count
    assert {name for name, n in truth.items() if n * sketch.size > sketch.total} <= hitters.keys()


def _same_hitters(one: HeavyHitters, two: HeavyHitters, values: Sequence[Any]) -> None:
    truth: dict[str, int] = {}
    for names in values:
        for name, count in names.items():
            truth[name] = truth.get(name, 0) + count
    _bounds_hold(one, truth)
    _bounds_hold(two, truth)


def _same_distinct(one: Distinct, two: Distinct, values: Sequence[Any]) -> None:
    truth = len({name for names in values for name in names})
    for sketch in (one, two):
        assert abs(sketch.estimate() - truth) <= max(Distinct.RELATIVE_ERROR * truth, 1e-3)


def _same_sums(one: ErrorSums, two: ErrorSums, _: Sequence[Any]) -> None:
    np.testing.assert_array_equal(one.count, two.count)
    for name in ("absolute", "squared"):
        np.testing.assert_allclose(getattr(one, name), getattr(two, name), rtol=1e-9)
    atol = 1e-9 * one.absolute.max(initial=0.0)
    if np.isfinite(atol):
        np.testing.assert_allclose(one.signed, two.signed, rtol=1e-9, atol=atol)


def _same_exponential(
    one: ExponentialSketch, two: ExponentialSketch, values: Sequence[Any]
) -> None:
    for name in ("scale", "offset", "zeros", "min", "max"):
        assert getattr(one, name) == getattr(two, name)
    np.testing.assert_array_equal(one.counts, two.counts)
    whole = sum(np.abs(block[np.isfinite(block)] / 1e9).sum() for block in values)
    gap = abs(one.sum / 1e9 - two.sum / 1e9)
    assert gap <= 1e-9 * whole or not np.isfinite([one.sum, two.sum]).all()


def _same_shapes(one: Shapes, two: Shapes, values: Sequence[Any]) -> None:
    _same_digests(one.digests, two.digests, [block.numeric for block in values])
    encoded = [digest(block, PLAN).encoded for block in values]
    for at in range(len(PLAN.schema.categorical)):
        new = [digests[at].new for digests in encoded]
        _same_hitters(one.hitters[at], two.hitters[at], new)
        rare = [_rare_names(block.categorical[at], at) for block in values]
        _same_distinct(one.distinct[at], two.distinct[at], rare)


def _rare_names(values: Sequence[object], at: int) -> set[str]:
    """Return the names that the dictionary lacks, computed without it; booleans have none."""
    if PLAN.dictionaries[at].is_boolean:
        return set()
    present = [value for value in values if value is not ABSENT and not is_missing(value)]
    names = {name for value in present if (name := category_name(value)) is not None}
    return names.difference(PLAN.dictionaries[at].top)


def _joined_rows(parts: Sequence[Block]) -> Block:
    columns = zip(*(part.categorical for part in parts), strict=True)
    return Block(
        sum(part.rows for part in parts),
        np.concatenate([part.numeric for part in parts], axis=1),
        np.sum([part.refused for part in parts], axis=0),
        [[value for part in column for value in part] for column in columns],
    )


def _joined_names(parts: Sequence[dict[str, int]]) -> dict[str, int]:
    joined: dict[str, int] = {}
    for part in parts:
        for name, count in part.items():
            joined[name] = joined.get(name, 0) + count
    return joined


def _arrays(parts: Sequence[streams.Floats]) -> streams.Floats:
    return np.concatenate(parts, axis=1)


@dataclass(frozen=True)
class Subject:
    """One kind of sketch, and the operations on it that the laws need.

    assert_same: asserts that two sketches of the same blocks agree as closely as promised.
    unmatched_rules: sketches of another shape or configuration.
    """

    name: str
    empty: Callable[[], Any]
    drawn: st.SearchStrategy[Any]
    joined: Callable[[Sequence[Any]], Any]
    assert_same: Callable[[Any, Any, Sequence[Any]], None]
    revive: Callable[[dict[str, Any]], Any]
    unmatched_rules: Callable[[], list[Any]]
    feed: Callable[[Any, Any], None] = lambda sketch, block: sketch.update(block)

    def of(self, *blocks: Any) -> Any:
        """Return a sketch of some blocks, added one after the other."""
        sketch = self.empty()
        for block in blocks:
            self.feed(sketch, block)
        return sketch

    def copy(self, sketch: Any) -> Any:
        """Return a copy of the sketch by saving it and reading it back."""
        return self.revive(unpack(self.name, pack(self.name, sketch.state())))

    def merged(self, *sketches: Any) -> Any:
        """Merge the sketches from left to right without changing any of them."""
        return list(accumulate(sketches, self._merge))[-1]

    def _merge(self, left: Any, right: Any) -> Any:
        whole = self.copy(left)
        whole.merge(right)
        return whole


SUBJECTS = [
    Subject(
        "moments",
        lambda: Moments(2),
        blocks(2),
        _arrays,
        lambda one, two, _: _same_moments(one, two),
        Moments.from_state,
        lambda: [Moments(1), Moments(3)],
    ),
    Subject(
        "tdigest",
        lambda: TDigest(2),
        blocks(2),
        _arrays,
        _same_digests,
        TDigest.from_state,
        lambda: [TDigest(1), TDigest(2, cells=100)],
    ),
    Subject(
        "profile",
        lambda: FieldProfile(PLAN),
        row_blocks(PLAN),
        _joined_rows,
        _same_profiles,
        lambda state: FieldProfile.from_state(state, PLAN),
        lambda: [FieldProfile(OTHER_PLAN), FieldProfile(Plan.build([X], {}, {}))],
    ),
    Subject(
        "hitters",
        lambda: HeavyHitters(4),
        COUNTED,
        _joined_names,
        _same_hitters,
        HeavyHitters.from_state,
        lambda: [HeavyHitters(3)],
    ),
    Subject(
        "distinct", Distinct, COUNTED, _joined_names, _same_distinct, Distinct.from_state, list
    ),
    Subject(
        "errors",
        lambda: ErrorSums(EDGES),
        blocks(2),
        _arrays,
        _same_sums,
        ErrorSums.from_state,
        lambda: [ErrorSums(EDGES[1:]), ErrorSums(EDGES + 1)],
        lambda sketch, block: sketch.update(*block),
    ),
    Subject(
        "exponential",
        ExponentialSketch,
        blocks(2),
        _arrays,
        _same_exponential,
        ExponentialSketch.from_state,
        list,
    ),
    Subject(
        "shapes",
        lambda: Shapes(PLAN, 4),
        row_blocks(PLAN),
        _joined_rows,
        _same_shapes,
        lambda state: Shapes.from_state(state, PLAN, 4),
        lambda: [Shapes(PLAN, 3)],
        lambda sketch, block: sketch.update(digest(block, PLAN)),
    ),
]

every_sketch = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@every_sketch
@given(st.data())
def test_merging_an_empty_sketch_changes_nothing(subject: Subject, data: st.DataObject) -> None:
    """It may be merged from either side."""
    block = data.draw(subject.drawn)
    sketch = subject.of(block)
    subject.assert_same(subject.merged(sketch, subject.empty()), sketch, [block])
    subject.assert_same(subject.merged(subject.empty(), sketch), sketch, [block])


@every_sketch
@given(st.data())
def test_the_order_of_merging_sketches_does_not_matter(
    subject: Subject, data: st.DataObject
) -> None:
    """Both b + a and a + b give the same sketch."""
    a, b = data.draw(subject.drawn), data.draw(subject.drawn)
    one, two = subject.of(a), subject.of(b)
    subject.assert_same(subject.merged(one, two), subject.merged(two, one), [a, b])


@every_sketch
@given(st.data())
def test_the_grouping_of_merged_sketches_does_not_matter(
    subject: Subject, data: st.DataObject
) -> None:
    """(a + b) + c equals a + (b + c)."""
    drawn = [data.draw(subject.drawn) for _ in range(3)]
    a, b, c = (subject.of(block) for block in drawn)
    left = subject.merged(subject.merged(a, b), c)
    subject.assert_same(left, subject.merged(a, subject.merged(b, c)), drawn)


@every_sketch
@given(st.data())
def test_the_split_of_a_stream_into_blocks_does_not_matter(
    subject: Subject, data: st.DataObject
) -> None:
    """Blocks added one by one, merged from a sketch each, or joined give the same sketch."""
    drawn = [data.draw(subject.drawn) for _ in range(data.draw(st.integers(1, 4)))]
    whole = subject.of(subject.joined(drawn))
    subject.assert_same(subject.of(*drawn), whole, drawn)
    subject.assert_same(subject.merged(*(subject.of(block) for block in drawn)), whole, drawn)


@every_sketch
@given(st.data())
def test_merging_does_not_change_the_other_sketch(subject: Subject, data: st.DataObject) -> None:
    """It stays unchanged even when the merged sketch is updated afterwards."""
    a, b = data.draw(subject.drawn), data.draw(subject.drawn)
    whole, other = subject.empty(), subject.of(a)
    before = pack("x", other.state())
    whole.merge(other)
    subject.feed(whole, b)
    assert pack("x", other.state()) == before


@every_sketch
@given(st.data())
def test_a_sketch_survives_serialisation_without_loss(
    subject: Subject, data: st.DataObject
) -> None:
    """A sketch read back writes the same bytes and can be updated like the original."""
    a, b = data.draw(subject.drawn), data.draw(subject.drawn)
    sketch = subject.of(a)
    saved = pack(subject.name, sketch.state())
    revived = subject.copy(sketch)
    assert pack(subject.name, revived.state()) == saved
    subject.feed(sketch, b)
    subject.feed(revived, b)
    subject.assert_same(revived, sketch, [a, b])


@every_sketch
@given(st.data())
def test_damaged_bytes_of_a_sketch_are_refused(subject: Subject, data: st.DataObject) -> None:
    """Bytes changed, removed or added anywhere raise FormatError and no other error."""
    saved = pack(subject.name, subject.of(data.draw(subject.drawn)).state())
    damaged = bytearray(saved)
    at = data.draw(st.integers(0, len(saved) - 1))
    kind = data.draw(st.sampled_from(["flip", "cut", "add", "insert"]))
    if kind == "flip":
        damaged[at] ^= data.draw(st.integers(1, 255))
    elif kind == "cut":
        del damaged[at:]
    elif kind == "add":
        damaged += data.draw(st.binary(min_size=1, max_size=9))
    else:
        damaged.insert(at, data.draw(st.integers(0, 255)))
    if damaged != saved:
        with pytest.raises(FormatError):
            subject.revive(unpack(subject.name, bytes(damaged)))


@every_sketch
@given(st.data())
def test_any_state_is_refused_or_gives_a_working_sketch(
    subject: Subject, data: st.DataObject
) -> None:
    """Arrays of the right form with arbitrary numbers raise FormatError or can be used."""
    state = dict(subject.of(data.draw(subject.drawn)).state())
    name = data.draw(st.sampled_from(sorted(state)))
    state[name] = data.draw(hnp.arrays(state[name].dtype, state[name].shape))
    try:
        sketch = subject.revive(state)
    except FormatError:
        return
    try:
        subject.merged(sketch, subject.of(data.draw(subject.drawn)))
    except IncompatibleSketch:
        assert name in ("size", "edges")
    if subject.name == "tdigest":
        assert not (sketch.quantile(QS) > sketch.max[:, None]).any()


@every_sketch
def test_a_missing_or_misshapen_array_of_a_state_is_refused(subject: Subject) -> None:
    """Each array must be present, with its own type and number of dimensions."""
    state = dict(subject.empty().state())
    for name, array in state.items():
        for wrong in (None, array[None], np.zeros(array.shape, np.int8)):
            broken = {k: v for k, v in state.items() if k != name}
            if wrong is not None:
                broken[name] = wrong
            with pytest.raises(FormatError, match=name.split(".")[-1]):
                subject.revive(broken)


@every_sketch
def test_bytes_of_another_kind_or_version_are_refused(subject: Subject) -> None:
    """Their error differs from that of damaged bytes."""
    saved = pack(subject.name, subject.empty().state())
    with pytest.raises(FormatError, match="something else"):
        unpack("another", saved)
    with pytest.raises(FormatError, match="version"):
        unpack(subject.name, saved.replace(b'"version": 1', b'"version": 2', 1))


@every_sketch
def test_sketches_of_different_shapes_are_not_merged(subject: Subject) -> None:
    """Merging raises IncompatibleSketch and changes nothing."""
    sketch = subject.empty()
    before = pack("x", sketch.state())
    for misfit in subject.unmatched_rules():
        with pytest.raises(IncompatibleSketch):
            sketch.merge(misfit)
        assert pack("x", sketch.state()) == before


def _many(subject: Subject, rng: np.random.Generator, rows: int) -> Any:
    """Draw a block of varied values, different at each call."""
    if subject.name in ("hitters", "distinct"):
        return {f"{'n' * 190}{number}": 1 for number in rng.integers(0, 1 << 40, rows // 10)}
    numeric = rng.lognormal(0, 5, (2, rows))
    numeric[rng.random(numeric.shape) < 0.1] = np.nan
    if subject.name in ("profile", "shapes"):
        refused = np.stack([np.isnan(numeric).sum(axis=1)] + [np.zeros(2, np.int64)] * 2, axis=1)
        names = [f"new {number}" for number in rng.integers(0, 1 << 40, rows)]
        return Block(rows, numeric, refused, [names, rng.integers(0, 2, rows).tolist()])
    return numeric


@every_sketch
def test_the_memory_of_a_sketch_does_not_grow_with_the_data(
    subject: Subject, rng: np.random.Generator
) -> None:
    """It is as large after two blocks as after twenty, and its size bounds its saved bytes."""
    sketch = subject.of(_many(subject, rng, 4_000), _many(subject, rng, 4_000))
    size = sketch.nbytes
    saved = len(pack(subject.name, sketch.state()))
    for _ in range(18):
        subject.feed(sketch, _many(subject, rng, 4_000))
    assert sketch.nbytes == size
    assert len(pack(subject.name, sketch.state())) <= saved * 1.05
    assert saved <= size + 4_000


@pytest.mark.parametrize("subject", SUBJECTS[:2] + SUBJECTS[5:7], ids=lambda subject: subject.name)
@given(st.data())
def test_nan_is_ignored_by_every_sketch(subject: Subject, data: st.DataObject) -> None:
    """Added rows of NaN change nothing, and a block of NaN alone gives an empty sketch."""
    block = data.draw(subject.drawn)
    holes = np.full((2, data.draw(st.integers(1, 300))), np.nan)
    sketch = subject.of(np.concatenate([block, holes], axis=1))
    subject.assert_same(sketch, subject.of(block), [block])
    empty = pack("x", subject.empty().state())
    assert pack("x", subject.of(holes).state()) == empty


@given(row_blocks(PLAN))
def test_every_value_of_a_profile_has_one_quality(block: Block) -> None:
    """The qualities of a field add up to its rows, and bins hold all values not refused."""
    profile = FieldProfile(PLAN)
    profile.update(block)
    np.testing.assert_array_equal(profile.quality[:2].sum(axis=1), block.rows)
    np.testing.assert_array_equal(profile.bins.sum(axis=1), profile.moments.count)
    refused = [QUALITIES.index(quality) for quality in ("missing", "nonfinite", "wrong_type")]
    accepted = profile.quality.sum(axis=1) - profile.quality[:, refused].sum(axis=1)
    counted = np.concatenate([profile.bins.sum(axis=1), profile.categories.sum(axis=1)])
    np.testing.assert_array_equal(counted, accepted)


@pytest.mark.parametrize("name", streams.STREAMS)
def test_named_streams_may_be_split_anywhere(name: str) -> None:
    """The merged sketches of 64 shards equal the sketch of the whole stream."""
    values = np.tile(streams.stream(name), (2, 1))
    shards = np.array_split(values, 64, axis=1)
    for subject in (SUBJECTS[0], SUBJECTS[1]):
        merged = subject.empty()
        for shard in shards:
            merged.merge(subject.of(shard))
        subject.assert_same(merged, subject.of(values), [values])
