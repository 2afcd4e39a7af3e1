"""Distinct counts: their accuracy and memory, and what happens without the extra."""

import sys

import datasketches
import numpy as np
import pytest

from mlmonitor.aggregate.sketches.distinct import Distinct, distinct_if_installed
from mlmonitor.errors import FormatError, MissingExtra


@pytest.mark.parametrize("count", [0, 1, 10, 100, 1_000, 10_000, 100_000])
def test_estimates_of_distinct_names_are_close_to_the_true_number(count: int) -> None:
    """They are within the stated 5%, for repeated names and for merged sketches."""
    one, two = Distinct(), Distinct()
    one.update(f"n{at}" for at in range(count * 2 // 3))
    two.update(f"n{at}" for at in range(count // 3, count))
    one.merge(two)
    one.update(f"n{at}" for at in range(count // 2))
    assert abs(one.estimate() - count) <= Distinct.RELATIVE_ERROR * count + 1e-3


def test_the_stated_error_of_distinct_counts_holds_nineteen_times_in_twenty() -> None:
    """Of 40 sketches of 5,000 names, at most two are off by more than 5%."""
    off = 0
    for seed in range(40):
        sketch = Distinct()
        sketch.update(f"{seed}-{at}" for at in range(5_000))
        off += abs(sketch.estimate() / 5_000 - 1) > Distinct.RELATIVE_ERROR
    assert off <= 2


def test_empty_and_unencodable_names_are_counted() -> None:
    """The library refuses or skips an empty name, half a surrogate pair or a zero byte."""
    sketch = Distinct()
    sketch.update(["", "\ud800", "\0", "a", "", "\ud800"])
    assert sketch.estimate() == pytest.approx(4, abs=1e-3)


def test_the_memory_of_a_distinct_count_stays_within_its_stated_bound() -> None:
    """It is checked from the first name to the 111,111th."""
    sketch = Distinct()
    for power in range(6):
        sketch.update(f"{power}-{at}" for at in range(10**power))
        assert sys.getsizeof(sketch._data) <= Distinct.NBYTES


@pytest.mark.parametrize("names", [0, 1, 7, 50, 1_000])
def test_foreign_bytes_of_a_distinct_count_are_refused_or_usable(
    names: int, rng: np.random.Generator
) -> None:
    """Damaged bytes raise FormatError or give a sketch that can be updated and merged."""
    sketch = Distinct()
    sketch.update(f"n{at}" for at in range(names))
    good = sketch.state()["hll"]
    for _ in range(300):
        bad = good.copy()
        bad[rng.integers(0, min(bad.size, 24))] = rng.integers(0, 256)
        bad = bad[: rng.integers(1, bad.size + 1)]
        try:
            revived = Distinct.from_state({"hll": bad})
        except FormatError:
            continue
        revived.update(["x"])
        revived.merge(sketch)
        assert len(revived._data) <= Distinct.NBYTES
    for wrong in (good[:0], np.zeros(5_000, np.uint8), np.zeros(40, np.uint8)):
        with pytest.raises(FormatError, match="hll"):
            Distinct.from_state({"hll": wrong})


@pytest.mark.parametrize("log_buckets", [4, 10, 12])
def test_a_distinct_count_of_another_precision_is_refused(log_buckets: int) -> None:
    """The library would merge them and silently exceed the stated error."""
    foreign = datasketches.hll_sketch(log_buckets, datasketches.tgt_hll_type.HLL_8)
    foreign.update("a")
    data = np.frombuffer(foreign.serialize_compact(), np.uint8)
    with pytest.raises(FormatError, match="size"):
        Distinct.from_state({"hll": data})


def test_without_the_extra_there_is_no_distinct_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without datasketches the error names the extra, and windows have no distinct counts."""
    monkeypatch.setitem(sys.modules, "datasketches", None)
    with pytest.raises(MissingExtra, match=r"mlmonitor-sdk\[distinct\]"):
        Distinct()
    assert distinct_if_installed() is None
