"""Profiles: the counts of the rows, whatever the partitioning."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonitor import (
    Config,
    ConfigError,
    FormatError,
    IncompatibleSketch,
    Monitor,
    Profile,
    Reference,
    SchemaError,
)
from support.profiled_rows import AT, COLUMNS, FRAME, REFERENCE, ROWS, counts
from support.references import fit_reference

WHOLE = Profile.of(FRAME, reference=REFERENCE, segments=["line"], at=AT)


def profile_rows(places: Any) -> Profile:
    """The profile of some of the rows."""
    rows = FRAME.iloc[places]
    return Profile.of(rows, reference=REFERENCE, segments=["line"], at=AT)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=4), seed=st.integers(0, 99))
def test_every_partitioning_in_any_order_gives_the_counts_of_the_rows_at_once(
    cuts: list[int], seed: int
) -> None:
    """Empty parts included."""
    rng = np.random.default_rng(seed)
    parts = np.split(rng.permutation(ROWS), sorted(cuts))
    profiles = [profile_rows(part) for part in parts]
    rng.shuffle(profiles)  # type: ignore[arg-type]  # a list is shuffled in place
    merged = reduce(Profile.merge, profiles, Profile())
    assert merged.rows == ROWS
    assert counts(merged) == counts(WHOLE)


def test_names_of_unknown_columns_are_bounded_over_all_merged_profiles() -> None:
    """Each of four has forty of its own: 64 names are kept, and every value is counted."""
    rows = FRAME.iloc[:3]
    merged = Profile()
    for place in range(4):
        extra = {f"extra {place} {column}": 1.0 for column in range(40)}
        merged.merge(Profile.of(rows.assign(**extra), reference=REFERENCE, at=AT))
    with Monitor("claims", reference=REFERENCE) as monitor:
        monitor.record_profile(merged)
        monitor.record_profile(merged)
        live = monitor.status().unknown_fields
    unknown = merged.status(REFERENCE).unknown_fields
    assert sum(unknown.values()) == 4 * 40 * 3
    assert sum(live.values()) == 2 * 4 * 40 * 3
    assert len(unknown) == len(live) == 65


def test_the_empty_profile_changes_nothing_on_either_side() -> None:
    """It has no reference, and its bytes can be read."""
    kept = WHOLE.to_bytes()
    assert Profile().merge(WHOLE).to_bytes() == kept
    copied = Profile.from_bytes(kept)
    assert copied.merge(Profile()).to_bytes() == kept
    empty = Profile.from_bytes(Profile().to_bytes())
    assert empty.rows == 0
    assert empty.status(REFERENCE).window_rows == 0


def test_a_merged_profile_shares_nothing_with_its_parts() -> None:
    """Neither changes when the other is merged again, and a profile can be merged with itself."""
    part = profile_rows(np.arange(10))
    merged = Profile().merge(part)
    merged.merge(merged).merge(part)
    assert (merged.rows, part.rows) == (30, 10)


def test_a_service_that_recorded_the_same_rows_shows_the_same() -> None:
    """Counts, scores, means and segments; the e-values are of another order of evaluation."""
    monitor = Monitor(
        "claims",
        reference=REFERENCE,
        segments=["line"],
        exporters=[],
        config=Config(check_interval_seconds=0),
    )
    with monitor:
        monitor.record(FRAME.drop(columns="prediction"), FRAME["prediction"].to_numpy())
        served = monitor.status()
    status = WHOLE.status(REFERENCE, model="claims")
    assert status.predictions == served.predictions == ROWS
    assert status.window_rows == served.window_rows
    for own, theirs in zip(status.fields, served.fields, strict=True):
        assert own.quality == theirs.quality
        assert own.psi == theirs.psi
        assert own.mean == pytest.approx(theirs.mean, nan_ok=True)
    rows = {name: segment.predictions for name, segment in status.segments.items()}
    assert rows == {name: segment.predictions for name, segment in served.segments.items()}
    fired = {(alert.field, alert.measure) for alert in served.alerts if alert.segment == "all"}
    assert fired <= {(alert.field, alert.measure) for alert in status.alerts}


def split_into_pairs() -> Iterator[tuple[Any, Any]]:
    """Chunks of features and predictions."""
    for start in range(0, ROWS, 300):
        rows = FRAME.iloc[start : start + 300]
        yield rows.drop(columns="prediction"), rows["prediction"].to_numpy()


TABLE = pa.table(COLUMNS)
SOURCES = {
    "columns": COLUMNS,
    "arrow table": TABLE,
    "arrow record batch": TABLE.to_batches()[0],
    "polars": pl.DataFrame(COLUMNS),
    "arrow reader": pa.RecordBatchReader.from_batches(TABLE.schema, TABLE.to_batches(300)),
    "frames one by one": (FRAME[start : start + 300] for start in range(0, ROWS, 300)),
    "pairs": split_into_pairs(),
}


@pytest.mark.parametrize("source", SOURCES)
def test_rows_in_any_container_are_counted_alike(source: str) -> None:
    """The column of predictions is found by its name."""
    profile = Profile.of(SOURCES[source], reference=REFERENCE, segments=["line"], at=AT)
    assert counts(profile) == counts(WHOLE)


def test_actuals_are_no_features_and_other_columns_are_unknown() -> None:
    """A column of the actuals is left out; an ignored one, too."""
    rows = FRAME.assign(actual=1.0, extra=2.0, noise=3.0)
    profile = Profile.of(rows, reference=REFERENCE, ignore=["noise"])
    assert profile.status(REFERENCE).unknown_fields == {"extra": ROWS}


def test_profiles_of_different_references_are_not_merged() -> None:
    """Nothing is added, and neither compares with the other's reference."""
    other = fit_reference({"limit": np.arange(100.0)})
    mine, theirs = profile_rows(np.arange(5)), Profile.of({"limit": [1.0]}, reference=other)
    for profile in (theirs, Profile.of(FRAME[:5], reference=REFERENCE)):
        with pytest.raises(IncompatibleSketch):
            mine.merge(profile)
    assert mine.rows == 5
    with pytest.raises(IncompatibleSketch, match="another reference"):
        theirs.status(REFERENCE)


@pytest.mark.parametrize("rows", ["data.parquet", 7, None])
def test_data_without_rows_is_refused(rows: object) -> None:
    """A path belongs to `read`."""
    with pytest.raises(ConfigError, match=r"Profile\.read"):
        Profile.of(rows, reference=REFERENCE)


def test_rows_that_do_not_fit_together_are_refused() -> None:
    """A service counts the mistake; a profile without the rows would be wrong."""
    with pytest.raises(SchemaError, match="cannot be read"):
        Profile.of({**COLUMNS, "limit": [1.0]}, reference=REFERENCE)


def test_a_damaged_profile_is_refused_wherever_the_damage_is() -> None:
    """Cut short or with a byte changed; so are other bytes."""
    data = WHOLE.to_bytes()
    for place in range(0, len(data), 997):
        damaged = bytearray(data)
        damaged[place] ^= 0x40
        with pytest.raises(FormatError, match="fleet profile"):
            Profile.from_bytes(bytes(damaged))
        with pytest.raises(FormatError):
            Profile.from_bytes(data[:place])
    with pytest.raises(FormatError, match="no header line"):
        Profile.from_bytes(b"PAR1")


def test_bytes_read_back_are_the_same_bytes() -> None:
    """So are the status and its quantiles."""
    data = WHOLE.to_bytes()
    back = Profile.from_bytes(data)
    assert back.to_bytes() == data
    assert back.status(REFERENCE, at=AT).fields == WHOLE.status(REFERENCE, at=AT).fields


def test_no_value_that_may_identify_a_person_is_in_the_bytes() -> None:
    """Rare new categories, and the extremes of numbers that are ids; frequent names may stay."""
    rng = np.random.default_rng(1)
    ids = rng.permutation(9_000_000)[:2_000] + 1_000_000
    own = fit_reference({"number": ids, "line": rng.choice(["home", "motor"], 2_000)})
    assert own.id_like == ("number",)
    lines = ["home"] * 90 + ["Jane Roe"] + ["marine"] * 9
    profile = Profile.of({"number": ids[:100], "line": lines}, reference=own)
    data = profile.to_bytes()
    assert b"marine" in data
    assert b"Jane Roe" not in data
    for number in (ids[:100].min(), ids[:100].max()):
        assert np.float64(number).tobytes() not in data
    one = Profile.of({"number": ids[:1], "line": ["home"]}, reference=own)
    assert np.float64(ids[0]).tobytes() not in one.to_bytes()
    assert Profile.from_bytes(data).status(own).field("line").quality["new_category"] == 10


def test_a_notebook_shows_the_number_of_rows() -> None:
    """As does `repr`."""
    assert repr(WHOLE) == "Profile(2,000 rows)"
    assert "2,000 rows" in WHOLE._repr_html_()


def test_a_reference_may_be_given_by_its_path(tmp_path: Any) -> None:
    """And a profile saved."""
    REFERENCE.save(tmp_path / "r.json")
    profile = Profile.of(FRAME[:9], reference=tmp_path / "r.json")
    profile.save(tmp_path / "a.profile")
    assert Profile.load(tmp_path / "a.profile").status(tmp_path / "r.json").window_rows == 9
    assert isinstance(Reference.load(tmp_path / "r.json"), Reference)
