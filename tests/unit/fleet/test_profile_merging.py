"""Profiles have the counts of all rows, whatever the partitioning."""

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
    """Return the profile of some of the rows."""
    rows = FRAME.iloc[places]
    return Profile.of(rows, reference=REFERENCE, segments=["line"], at=AT)


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(0, ROWS), max_size=4), seed=st.integers(0, 99))
def test_profiles_of_any_partitioning_merge_to_the_counts_of_all_rows(
    cuts: list[int], seed: int
) -> None:
    """Parts may be empty and are merged in any order."""
    rng = np.random.default_rng(seed)
    parts = np.split(rng.permutation(ROWS), sorted(cuts))
    profiles = [profile_rows(part) for part in parts]
    rng.shuffle(profiles)  # type: ignore[arg-type]  # a list is shuffled in place
    merged = reduce(Profile.merge, profiles, Profile())
    assert merged.rows == ROWS
    assert counts(merged) == counts(WHOLE)


def test_names_of_unknown_columns_are_bounded_over_all_merged_profiles() -> None:
    """Four profiles have forty names each: 64 names are kept, and every value is counted."""
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


def test_merging_an_empty_profile_on_either_side_changes_nothing() -> None:
    """An empty profile needs no reference, and its bytes can be read."""
    kept = WHOLE.to_bytes()
    assert Profile().merge(WHOLE).to_bytes() == kept
    copied = Profile.from_bytes(kept)
    assert copied.merge(Profile()).to_bytes() == kept
    empty = Profile.from_bytes(Profile().to_bytes())
    assert empty.rows == 0
    assert empty.status(REFERENCE).window_rows == 0


def test_a_merged_profile_shares_nothing_with_its_parts() -> None:
    """Merging one again does not change the other, and a profile can be merged with itself."""
    part = profile_rows(np.arange(10))
    merged = Profile().merge(part)
    merged.merge(merged).merge(part)
    assert (merged.rows, part.rows) == (30, 10)


def test_a_service_that_recorded_the_same_rows_has_the_same_status() -> None:
    """Counts, scores, means and segments agree; e-values depend on when they are evaluated."""
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
    """Yield chunks of features and predictions."""
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
def test_rows_in_any_container_have_the_same_counts(source: str) -> None:
    """The column of predictions is found by its name."""
    profile = Profile.of(SOURCES[source], reference=REFERENCE, segments=["line"], at=AT)
    assert counts(profile) == counts(WHOLE)


def test_actuals_are_not_features_and_other_columns_are_unknown() -> None:
    """Columns of actuals and ignored columns are left out."""
    rows = FRAME.assign(actual=1.0, extra=2.0, noise=3.0)
    profile = Profile.of(rows, reference=REFERENCE, ignore=["noise"])
    assert profile.status(REFERENCE).unknown_fields == {"extra": ROWS}


def test_profiles_of_different_references_cannot_be_merged() -> None:
    """Nothing is added, and neither can be compared with the other's reference."""
    other = fit_reference({"limit": np.arange(100.0)})
    mine, theirs = profile_rows(np.arange(5)), Profile.of({"limit": [1.0]}, reference=other)
    for profile in (theirs, Profile.of(FRAME[:5], reference=REFERENCE)):
        with pytest.raises(IncompatibleSketch):
            mine.merge(profile)
    assert mine.rows == 5
    with pytest.raises(IncompatibleSketch, match="another reference"):
        theirs.status(REFERENCE)


@pytest.mark.parametrize("rows", ["data.parquet", 7, None])
def test_data_without_rows_cannot_be_profiled(rows: object) -> None:
    """The error for a path suggests `Profile.read`."""
    with pytest.raises(ConfigError, match=r"Profile\.read"):
        Profile.of(rows, reference=REFERENCE)


def test_features_and_predictions_that_do_not_fit_together_are_refused() -> None:
    """A service would count the error; a profile without these rows would be wrong."""
    with pytest.raises(SchemaError, match="cannot be read"):
        Profile.of({**COLUMNS, "limit": [1.0]}, reference=REFERENCE)


def test_damaged_bytes_of_a_profile_are_refused() -> None:
    """They are truncated, changed in one byte, or not a profile."""
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


def test_a_profile_read_back_writes_the_same_bytes() -> None:
    """Its status and quantiles are also the same."""
    data = WHOLE.to_bytes()
    back = Profile.from_bytes(data)
    assert back.to_bytes() == data
    assert back.status(REFERENCE, at=AT).fields == WHOLE.status(REFERENCE, at=AT).fields


def test_no_identifying_value_is_in_the_bytes_of_a_profile() -> None:
    """Rare new categories and extremes of ids are left out, and frequent names may stay."""
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


def test_a_notebook_shows_the_number_of_rows_of_a_profile() -> None:
    """Its `repr` does as well."""
    assert repr(WHOLE) == "Profile(2,000 rows)"
    assert "2,000 rows" in WHOLE._repr_html_()


def test_the_reference_of_a_profile_may_be_given_by_its_path(tmp_path: Any) -> None:
    """The profile is saved and read as well."""
    REFERENCE.save(tmp_path / "r.json")
    profile = Profile.of(FRAME[:9], reference=tmp_path / "r.json")
    profile.save(tmp_path / "a.profile")
    assert Profile.load(tmp_path / "a.profile").status(tmp_path / "r.json").window_rows == 9
    assert isinstance(Reference.load(tmp_path / "r.json"), Reference)
