"""The pure functions of the power benchmark and of its page."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
MODULES = ("power", "power_page", "power_streams", "dependence")


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Import a module of `benchmarks` or `docs/build` by name, as its script would."""
    monkeypatch.syspath_prepend(ROOT / "docs" / "build")
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module
    for name in MODULES:
        sys.modules.pop(name, None)


def test_a_quantile_of_delays_is_none_if_too_few_models_alerted(load: Any) -> None:
    """If three of five models detect the change, there is a median but no 90% quantile."""
    power: ModuleType = load("power")
    assert power.summarise([300, None, 100, None, 200]) == {
        "models": 5,
        "found": 3,
        "median_rows": 300.0,
        "rows_of_90_percent": None,
    }
    assert power.summarise([None, None])["median_rows"] is None


def test_a_false_alert_counts_in_every_span_that_contains_it(load: Any) -> None:
    """One at row 3,000 is within 10,000 and 100,000 rows, one at row 50,000 only in the latter."""
    counted = load("power").count_false_alerts([3_000, None, 50_000], 100_000)
    assert counted == {"models": 3, "alerted": {"10000": 1, "100000": 2}}


def test_writing_one_line_keeps_the_cells_of_other_monitors(load: Any, tmp_path: Path) -> None:
    """Results are added for one monitor and number of clean rows, and changes stay in order."""
    power, path = load("power"), tmp_path / "power.json"
    kind, first, second = power.INDEPENDENT, power.CHANGES[0], power.CHANGES[1]
    power.write_line(kind, second, {"mlmonitor": {"0": {"found": 1}}}, path)
    power.write_line(kind, first, {"mlmonitor": {"0": {"found": 2}}}, path)
    power.write_line(kind, second, {"ADWIN": {"0": {"found": 3}}}, path)
    power.write_line(kind, second, {"mlmonitor": {"10000": {"found": 4}}}, path)
    results = load("json").loads(path.read_text(encoding="utf-8"))[kind.name]
    assert list(results) == [first.name, second.name]
    assert results[second.name] == {
        "mlmonitor": {"0": {"found": 1}, "10000": {"found": 4}},
        "ADWIN": {"0": {"found": 3}},
    }


def test_every_simulated_change_affects_only_its_field(load: Any) -> None:
    """All other fields of the model keep their values."""
    streams = load("power_streams")
    clean = streams.draw_mixed(streams.INDEPENDENT, 2_000, seed=1)
    for change in streams.CHANGES:
        changed = change.apply(clean, 0)
        is_equal = {
            name: np.array_equal(
                values.astype(str), changed.columns[name].astype(str)
            )  # as texts, because NaN and categories occur
            for name, values in clean.columns.items()
        }
        assert [name for name, same in is_equal.items() if not same] == [change.field]


def test_monitors_of_numbers_get_indicators_of_categories_and_gaps(load: Any) -> None:
    """Each known category has one, all other categories share one, and missing values have one."""
    streams = load("power_streams")
    columns = {
        "x2": np.array([1.0, np.nan]),
        "x3": np.array(["home", "cyber"], object),
        "x4": np.array([2.0, 3.0]),
    }
    numbers = streams.as_numbers(columns, frozenset({"x2"}))
    assert {name: values.tolist() for name, values in numbers.items() if values.any()} == {
        "x2 missing": [0.0, 1.0],
        "x3=home": [1.0, 0.0],
        "x3=other": [0.0, 1.0],
        "x4": [2.0, 3.0],
    }
    assert {"x3=motor", "x3=liability", "x3=marine"} <= numbers.keys()


@pytest.mark.parametrize(
    ("median", "late", "detected", "text"),
    [
        (800, 1_200, 5, "800 / 1,200"),
        (14_250, None, 4, "14,250 / never, 4 of 5"),
        (None, None, 2, "never, 2 of 5"),
    ],
)
def test_a_cell_shows_how_many_models_detected_the_change_unless_all_did(
    load: Any, median: float | None, late: float | None, detected: int, text: str
) -> None:
    """Either of its two quantiles may never be reached."""
    figures = {"models": 5, "found": detected, "median_rows": median, "rows_of_90_percent": late}
    calm = {"models": 5, "alerted": {"10000": 0}}
    loud = {"models": 5, "alerted": {"10000": 1}}
    describe = load("power_page").describe_delay
    assert describe(figures, calm, "10000") == text
    assert describe(figures, loud, "10000") == f"{text} †"
    assert describe(None, loud, "10000") == "-"


def test_a_monitor_whose_false_alerts_were_not_measured_is_marked(load: Any) -> None:
    """Its short delay may be that of a monitor which always alerts."""
    figures = {"models": 5, "found": 5, "median_rows": 800, "rows_of_90_percent": 1_200}
    calm = {"models": 5, "alerted": {"10000": 0}}
    describe = load("power_page").describe_delay
    assert describe(figures, None, "10000") == "800 / 1,200 ‡"
    assert describe(figures, calm, "100000") == "800 / 1,200 ‡"
