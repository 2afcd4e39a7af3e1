"""Profiles of Dask frames count all rows, whatever the partitioning."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from mlmonitor import ConfigError, Profile, SchemaError
from mlmonitor.profiling import row_counting
from mlmonitor.profiling.counting_plan import CountingPlan
from mlmonitor.profiling.partition_counting import collect_profiles, count_partition
from mlmonitor.profiling.row_counting import GroupedCounting
from mlmonitor.profiling.row_profile import wrap_content
from support.memory_held import peak_bytes
from support.profiled_rows import AT, FRAME, REFERENCE, counts

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe", exc_type=ImportError)

from mlmonitor.integrations.dask import profile  # noqa: E402 - needs dask

WHOLE = Profile.of(FRAME, reference=REFERENCE, segments=["line"], at=AT)


def partition(frame: pd.DataFrame, sizes: list[int]) -> Any:
    """Return a Dask frame with partitions of these sizes."""
    ends = np.cumsum(sizes)
    parts = [frame.iloc[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=frame.iloc[:0])


def arrow_with_nan(frame: pd.DataFrame) -> pa.Table:
    """Return the frame as an Arrow table, in which NaN is a number."""
    return pa.table({name: frame[name].to_numpy() for name in frame.columns})


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Run Dask in the calling thread, so that a failure shows its traceback."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize(
    "sizes",
    [[2_000], [500] * 4, [0, 1_990, 0, 10], [1, *[0] * 8, 1_999], [100] * 20],
    ids=["one", "four", "skewed and empty", "nearly empty", "more than a merge takes"],
)
def test_every_partitioning_of_a_dask_frame_gives_the_counts_of_all_rows(sizes: list[int]) -> None:
    """Distances are also identical bit for bit."""
    merged = profile(partition(FRAME, sizes), REFERENCE, segments=["line"], at=AT)
    assert counts(merged) == counts(WHOLE)


def test_dask_profiles_by_day_and_line_hold_the_rows_of_each_group() -> None:
    """The day is not a feature, the line is one, and rows without a key have a profile."""
    days = np.where(np.arange(2_000) % 3 == 0, "2025-01-01", "2025-01-02")
    frame = FRAME.assign(day=days)
    frame.loc[:99, "line"] = None
    by_key = profile(partition(frame, [700, 0, 1_300]), REFERENCE, by=["day", "line"], at=AT)
    lines = ["home", "marine", "motor", "travel", None]
    assert list(by_key) == [(f"2025-01-0{day}", line) for day in (1, 2) for line in lines]
    for (day, line), own in by_key.items():
        is_line = frame["line"].isna() if line is None else frame["line"] == line
        rows = frame[(frame["day"] == day) & is_line].drop(columns="day")
        assert counts(own) == counts(Profile.of(rows, reference=REFERENCE, at=AT))


def test_dask_profiles_by_one_column_are_keyed_by_its_values() -> None:
    """Keys are ordered as pandas orders groups."""
    by_line = profile(partition(FRAME, [900, 1_100]), REFERENCE, by="line")
    sizes = FRAME.groupby("line").size().to_dict()
    assert {line: own.rows for line, own in by_line.items()} == sizes
    assert list(by_line) == sorted(sizes)


@pytest.mark.parametrize(
    "keys",
    [
        pd.array(["a", "", "a", "", None]),
        pd.array([7, 0, 7, 0, None], dtype="Int64"),
        pd.to_timedelta([9.0, 0.0, 9.0, 0.0, None], unit="s"),
    ],
    ids=["text", "number", "duration"],
)
def test_keys_that_are_false_in_python_are_ordered_like_all_others(keys: Any) -> None:
    """They are an empty text, zero and a zero duration; a missing key comes last."""
    plan = CountingPlan.resolve(REFERENCE, at=AT).to_bytes()
    by_key = collect_profiles(count_partition([FRAME[:5].assign(key=keys)], plan, ("key",)), "key")
    assert [own.rows for own in by_key.values()] == [2, 2, 1]
    first, second, last = by_key
    assert first < second
    assert last is None


def test_nan_and_missing_values_are_one_key_in_all_partitions() -> None:
    """In an Arrow table NaN is not null, and it does not equal itself."""
    tables = [FRAME.iloc[:2].assign(key=[1.0, None]), FRAME.iloc[2:4].assign(key=[None, 1.0])]
    plan = CountingPlan.resolve(REFERENCE, at=AT).to_bytes()
    parts = [
        part
        for frame in tables
        for part in count_partition([arrow_with_nan(frame)], plan, ("key",))
    ]
    by_key = collect_profiles(parts, "key")
    assert {key: own.rows for key, own in by_key.items()} == {1.0: 2, None: 2}


def test_keys_of_several_types_are_refused_without_their_values() -> None:
    """The error names the column."""
    plan = CountingPlan.resolve(REFERENCE, at=AT).to_bytes()
    frame = FRAME[:2].assign(key=[1, "Jane Doe"])
    with pytest.raises(SchemaError, match="values of one type in column 'key'") as caught:
        collect_profiles(count_partition([frame], plan, ("key",)), "key")
    assert "Jane" not in str(caught.value)


def test_a_dask_frame_without_rows_has_an_empty_profile() -> None:
    """It has no groups either."""
    empty = partition(FRAME.iloc[:0], [0, 0])
    assert profile(empty, REFERENCE).rows == 0
    assert profile(empty, REFERENCE, by="line") == {}


@pytest.mark.parametrize(
    ("frame", "options", "message"),
    [
        (FRAME, {}, "expected a data frame of dask"),
        (partition(FRAME, [2_000]), {"by": "day"}, "by: there is no column 'day'"),
        (partition(FRAME, [2_000]), {"by": []}, "by: expected the name of a column"),
        (partition(FRAME, [2_000]), {"prediction": "score"}, "no column 'score'"),
        (partition(FRAME[["calm"]].rename(columns={"calm": "x"}), [9]), {}, "no column of the"),
    ],
)
def test_invalid_arguments_are_refused_before_dask_starts_to_work(
    frame: Any, options: dict[str, Any], message: str
) -> None:
    """The error says what is wrong."""
    with pytest.raises(ConfigError, match=message):
        profile(frame, REFERENCE, **options)


def test_more_groups_than_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile for each row would need too much memory; the test lowers the limit."""
    monkeypatch.setattr(row_counting, "MOST_GROUPS", 5)
    rows = FRAME.assign(number=np.arange(2_000)).iloc[:6]
    with pytest.raises(SchemaError, match="by: expected at most 5 groups"):
        profile(partition(rows, [6]), REFERENCE, by="number")


def test_alternating_groups_are_counted_completely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only one group is active at a time, and its earlier counts are kept."""
    monkeypatch.setattr(row_counting, "MOST_ACTIVE", 1)
    frame = FRAME.assign(turn=np.arange(2_000) % 3)
    parts = [frame.iloc[start : start + 500] for start in range(0, 2_000, 500)]
    counting = GroupedCounting(CountingPlan.resolve(REFERENCE, at=AT), ("turn",))
    for part in parts:
        counting.update(part)
    counted = {key: wrap_content(content) for key, content in counting.drain()}
    assert sorted(counted) == [(0,), (1,), (2,)]
    for (turn,), own in counted.items():
        rows = FRAME.iloc[turn::3]
        assert counts(own) == counts(Profile.of(rows, reference=REFERENCE, at=AT))


@pytest.mark.slow
def test_profiling_a_larger_partition_needs_no_more_memory() -> None:
    """Five times the tables have the same peak, with and without groups."""
    plan = CountingPlan.resolve(REFERENCE, at=AT).to_bytes()
    for by in ((), ("line",)):

        def count_tables(repeats: int, by: tuple[str, ...] = by) -> None:
            assert list(count_partition((FRAME.copy() for _ in range(repeats)), plan, by))

        count_tables(1)
        peaks = [peak_bytes(partial(count_tables, repeats)) for repeats in (5, 25)]
        assert peaks[1] < 1.2 * peaks[0]
