"""Streams whose truth is known, and how late a planned change would be found."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import Reference
from mlmonitor.cli.main import main
from mlmonitor.errors import ConfigError
from mlmonitor.testing import streams
from mlmonitor.testing.simulation import PlannedChange, Simulated, draw_values, simulate
from mlmonitor.testing.streams import Stream
from support.cases import short_form

MAKERS = {
    "independent": streams.independent,
    "grouped": partial(streams.grouped, size=5),
    "interleaved": partial(streams.grouped, size=5, is_interleaved=True),
    "autoregressive": partial(streams.autoregressive, correlation=0.9),
    "days": partial(streams.varying_days, deviation=0.1),
    "bursts": partial(streams.bursts, least=2, most=5),
    "sorted": streams.sorted_batches,
    "seasonal": partial(streams.seasonal, weekend=0.3),
}


@pytest.mark.parametrize("name", MAKERS)
def test_a_seed_determines_the_stream(name: str) -> None:
    """Equal seeds give equal rows, others do not; times ascend."""
    make: Callable[..., Stream] = MAKERS[name]
    one, same, other = make(1_001, seed=1), make(1_001, seed=1), make(1_001, seed=2)
    np.testing.assert_array_equal(one.columns["x0"], same.columns["x0"])
    assert not np.array_equal(one.columns["x0"], other.columns["x0"])
    assert one.rows == 1_001
    assert (np.diff(one.times) > 0).all()
    assert len(one.columns) == 5


@pytest.mark.parametrize("correlation", [0.0, 0.5, 1.0])
def test_rows_of_a_group_have_the_declared_correlation(correlation: float) -> None:
    """It is the correlation of two rows of the same group."""
    stream = streams.grouped(40_000, seed=3, size=2, correlation=correlation)
    pairs = stream.columns["x0"].reshape(-1, 2)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(correlation, abs=0.03)
    assert stream.groups is not None
    assert (np.unique(stream.groups, return_counts=True)[1] == 2).all()


def test_a_simulated_series_has_the_declared_autocorrelation() -> None:
    """It is the correlation of each row with the row before."""
    values = streams.autoregressive(20_000, seed=1, correlation=0.9).columns["x1"]
    assert np.corrcoef(values[1:], values[:-1])[0, 1] == pytest.approx(0.9, abs=0.02)
    assert values.std() == pytest.approx(1, abs=0.15)


def test_simulated_changes_begin_at_the_given_row() -> None:
    """Other rows and fields stay unchanged."""
    stream = streams.independent(1_000, seed=0)
    changes = {
        "shift": streams.shift(stream, "x0", 2.0, start=400),
        "ramp": streams.ramp(stream, "x0", 2.0, start=400),
        "scale": streams.scale(stream, "x0", 3.0, start=400),
        "lose": streams.lose(stream, "x0", 0.5, start=400),
        "freeze": streams.freeze(stream, "x0", start=400),
        "swap": streams.swap(stream, "x0", "x1", start=400),
    }
    for name, changed in changes.items():
        before, after = stream.columns["x0"], changed.columns["x0"]
        np.testing.assert_array_equal(before[:400], after[:400], err_msg=name)
        assert not np.array_equal(before[400:], after[400:]), name
        np.testing.assert_array_equal(stream.columns["x2"], changed.columns["x2"])
    assert np.isnan(changes["lose"].columns["x0"][400:]).mean() == pytest.approx(0.5, abs=0.08)
    assert np.ptp(changes["freeze"].columns["x0"][400:]) == 0
    np.testing.assert_array_equal(changes["swap"].columns["x1"][400:], stream.columns["x0"][400:])


def test_simulated_defects_of_rows_keep_the_columns_together() -> None:
    """Duplicates, delays, shuffles and parts move whole rows."""
    stream = streams.grouped(100, seed=0)
    twice = streams.duplicate(stream, 2, start=50)
    assert twice.rows == 150
    late = streams.delay(stream, 1_000.0, share=0.3)
    assert (np.diff(late.times) >= 0).all()
    for changed in (twice, late, stream.shuffled(seed=1), stream.part(10, 60)):
        of_group = dict(zip(stream.columns["x0"].tolist(), stream.groups, strict=True))
        assert [of_group[x] for x in changed.columns["x0"].tolist()] == list(changed.groups)


def test_a_category_is_renamed_in_a_share_of_its_rows() -> None:
    """A typo in a part of the sources has this effect."""
    names = np.array(["DE", "FR"] * 500, object)
    stream = streams.independent(1_000, seed=0).with_column("country", names)
    values = streams.rename(stream, "country", "DE", "Germany", share=0.2).columns["country"]
    assert 60 < (values == "Germany").sum() < 140
    assert (values == "FR").sum() == 500


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """Return a reference of numbers of several shapes, and a category."""
    rows = 3_000
    columns = {
        "age": rng.normal(50, 10, rows),
        "claims": rng.poisson(2, rows).astype(float),
        "town": rng.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1]),
    }
    return Reference.fit(columns, predictions=rng.normal(size=rows), thresholds="asymptotic")


def test_simulated_values_follow_the_reference(
    reference: Reference, rng: np.random.Generator
) -> None:
    """Moments of numbers, whole numbers and the shares of categories are reproduced."""
    age, claims, town = (draw_values(e, 20_000, rng) for e in reference.content.fields[:3])
    assert age.mean() == pytest.approx(50, abs=0.6)
    assert age.std() == pytest.approx(10, rel=0.08)
    assert (claims % 1 == 0).all()
    assert claims.mean() == pytest.approx(2, abs=0.15)
    assert np.mean(town == "b") == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize(
    "change",
    short_form(["age=1sd", "age=*1.5", "age=missing:20%", "town=new:20%"], "age=1sd"),
)
def test_a_large_simulated_change_is_found_soon(reference: Reference, change: str) -> None:
    """Every run finds it after at most 1,000 rows, without an alert before it."""
    planned = PlannedChange.parse(change, reference)
    result = simulate(reference, planned, runs=2, rows=2_000, clean_rows=1_000)
    assert len(result.found_after) == 2
    assert max(result.found_after) <= 1_000
    assert result.false_alerts == 0
    assert "found in 2 of 2 runs" in str(result)


def test_simulated_rows_are_drawn_from_the_season_in_which_they_arrive(
    rng: np.random.Generator,
) -> None:
    """Rows drawn from all hours would differ from the reference of each hour."""
    rows = 2_400
    hours = np.arange(rows) % 24
    reference = Reference.fit(
        {"load": 50 + 10 * np.sin(hours / 24 * 2 * np.pi) + rng.normal(size=rows)},
        predictions=np.ones(rows),
        season="hour_of_day",
        times=np.datetime64("2025-01-01") + np.arange(rows) * np.timedelta64(1, "h"),
        thresholds="asymptotic",
    )
    planned = PlannedChange.parse("load=-30", reference)
    result = simulate(reference, planned, runs=1, rows=400, clean_rows=1_200)
    assert (len(result.found_after), result.false_alerts) == (1, 0)


def test_false_alerts_of_a_simulation_are_compared_with_the_number_that_alpha_allows() -> None:
    """One in ten runs may be chance; three in ten are reported as more."""
    planned = PlannedChange("age", "moved", 1.0)
    few, many = (Simulated(planned, 10, 1_000, (), count) for count in (1, 3))
    allowed = "of 10 runs alerted before the change, where alpha 0.01 allows 0.1 on average"
    assert few.describe_false_alerts() == f"1 {allowed}"
    assert many.describe_false_alerts() == f"3 {allowed}: more than by chance"
    assert Simulated(planned, 10, 1_000, (), 0).describe_false_alerts() == ""
    thousands = Simulated(planned, 5_000, 1_000, (), 60).describe_false_alerts()
    assert thousands.startswith("60 of 5000 runs")
    assert "chance" not in thousands


@pytest.mark.slow
def test_a_change_that_is_too_small_is_not_found(reference: Reference) -> None:
    """The printed result says so."""
    planned = PlannedChange.parse("age=0.01sd", reference)
    result = simulate(reference, planned, runs=1, rows=1_000, clean_rows=0)
    assert result.found_after == ()
    assert str(result).endswith("found in 0 of 1 runs of 1,000 rows")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("size=1sd", "no feature 'size'"),
        ("age=large", "expected one of"),
        ("age=5%", "expected one of"),
        ("age=missing:500%", "expected a share"),
        ("age=new:5%", "expected a category"),
        ("town=1sd", "this is not a number"),
        ("age", "expected one of"),
    ],
)
def test_a_simulated_change_that_cannot_be_applied_is_refused(
    reference: Reference, change: str, named: str
) -> None:
    """The error is raised before any run."""
    with pytest.raises(ConfigError, match=named):
        PlannedChange.parse(change, reference)


def test_the_simulate_command_prints_after_how_many_rows_a_change_is_found(
    reference: Reference, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each change has a line."""
    path = tmp_path / "r.json"
    reference.save(path)
    options = ["--runs", "1", "--rows", "1000", "--clean-rows", "500"]
    shifts = ["--shift", "age=1sd", "--shift", "town=new:20%"]
    assert main(["simulate", "--reference", str(path), *shifts, *options]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["age", "town"]
    assert main(["simulate", "--reference", str(path), "--shift", "size=1sd"]) != 0


@pytest.mark.parametrize("option", ["--runs=0", "--rows=0", "--clean-rows=-1"])
def test_simulate_refuses_a_number_that_is_too_small(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the option, before the reference is read."""
    assert main(["simulate", "--reference", "none.json", "--shift", "x=1sd", option]) == 2
    assert option.partition("=")[0] in capsys.readouterr().err
