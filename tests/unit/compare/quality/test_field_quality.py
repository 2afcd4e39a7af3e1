"""Invalid values: alerts by reason, fired once, resolved, and rarely by chance."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Monitor, Quality
from mlmonitor.compare.quality.defects import DefectColumns, list_defects
from mlmonitor.records import Role
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

REFERENCE_ROWS = 5_000
Columns = dict[str, Any]


def rows(rng: np.random.Generator, count: int) -> Columns:
    """Draw rows without defects; one age in a hundred is missing."""
    age = rng.normal(45, 12, count)
    age[rng.random(count) < 0.01] = np.nan
    return {
        "age": age.tolist(),
        "line": rng.choice(["home", "motor", "pet"], count).tolist(),
        "flag": (rng.random(count) < 0.3).tolist(),
    }


class Watched:
    """A monitor that evaluates every batch, and its alerts."""

    def __init__(self, rng: np.random.Generator, **options: Any) -> None:
        self.rng = rng
        self.found: list[Alert] = []
        self.exporter = InMemoryExporter()
        reference = fit_reference(rows(rng, REFERENCE_ROWS), predictions=np.zeros(REFERENCE_ROWS))
        self.monitor = Monitor(
            "m",
            reference=reference,
            exporters=[self.exporter],
            on_alert=self.found.append,
            **{
                "config": Config(
                    check_rows=100, check_interval_seconds=0, export_interval_seconds=3_600
                )
            }
            | options,
        )

    def serve(self, batches: int, **columns: Any) -> list[Alert]:
        """Record batches of 500 rows with some columns replaced; return the new transitions."""
        before = len(self.found)
        for _ in range(batches):
            batch = rows(self.rng, 500)
            for name, column in columns.items():
                batch[name] = column(batch[name]) if name in batch else column(500)
            kept = {name: column for name, column in batch.items() if column is not None}
            self.monitor.record(kept, np.zeros(500))
            assert self.monitor.flush(timeout_seconds=60)
        return self.found[before:]


@pytest.fixture
def watched(rng: np.random.Generator) -> Iterator[Watched]:
    """A monitor that has seen two thousand rows without defects."""
    service = Watched(rng)
    with service.monitor:
        assert service.serve(4) == []
        yield service


def replaced(watched: Watched, share: float, value: object) -> Any:
    """Return a function that replaces a share of a column."""

    def change(column: list[object]) -> list[object]:
        return [value if watched.rng.random() < share else value_before for value_before in column]

    return change


def turns(alerts: list[Alert], name: str, measure: str) -> list[str]:
    """Return the states of one alert in order."""
    return [f.state for f in alerts if (f.field, f.measure) == (name, measure)]


@pytest.mark.parametrize(
    ("name", "value", "measure"),
    [
        ("age", None, "missing"),
        ("age", float("inf"), "nonfinite"),
        ("age", "forty", "wrong_type"),
        ("age", 1e6, "out_of_range"),
        ("line", "boat", "new_category"),
        ("line", None, "missing"),
        ("line", ["home"], "wrong_type"),
        ("flag", "perhaps", "wrong_type"),
        ("flag", None, "missing"),
    ],
)
def test_each_kind_of_invalid_value_fires_one_alert_and_resolves(
    watched: Watched, name: str, value: object, measure: str
) -> None:
    """Three values in a hundred are invalid; the alert says how, and how many."""
    alerts = watched.serve(4, **{name: replaced(watched, 0.03, value)})
    assert turns(alerts, name, measure) == ["firing"]
    alert = next(f for f in alerts if f.measure == measure)
    assert 0.015 < alert.value < 0.06
    assert alert.threshold < alert.value
    assert alert.log10_e_value > 4
    assert alert.rows >= 500
    assert "now" in alert.reason
    series = {"field": name, "reason": measure}
    assert watched.exporter.value("mlmonitor.quality.alert", series) == 1
    assert watched.exporter.value("mlmonitor.quality.share", series) > 0.005
    assert measure in {f.measure for f in watched.monitor.status().alerts}
    assert turns(watched.serve(30), name, measure) == ["resolved"]
    assert watched.exporter.value("mlmonitor.quality.alert", series) == 0
    assert {f.measure for f in alerts} <= {measure, "psi"}


def test_all_series_of_quality_alerts_start_at_zero(watched: Watched) -> None:
    """Every alert is exported before anything has been detected."""
    for name, reasons in {
        "age": {"missing", "nonfinite", "wrong_type", "out_of_range", "constant", "vanished"},
        "line": {"missing", "wrong_type", "new_category", "constant", "vanished"},
        "flag": {"missing", "wrong_type", "constant", "vanished"},
        "__unknown__": {"new_field"},
    }.items():
        points = [
            p for p in watched.exporter.snapshots[1].points if ("field", name) in p.attributes
        ]
        shares = {
            dict(p.attributes)["reason"]: p.value
            for p in points
            if p.metric.name == "mlmonitor.quality.alert"
        }
        assert shares == dict.fromkeys(reasons, 0.0)


def test_a_field_that_no_longer_varies_is_reported_as_constant(watched: Watched) -> None:
    """It may be numeric, categorical or boolean, and resolves once it varies again."""
    alerts = watched.serve(
        2,
        age=lambda column: [41.0] * len(column),
        line=lambda column: ["home"] * len(column),
        flag=lambda column: [True] * len(column),
    )
    for name in ("age", "line", "flag"):
        assert turns(alerts, name, "constant") == ["firing"]
    alert = next(f for f in alerts if f.measure == "constant")
    assert (alert.value, alert.threshold < 1e-6) == (1.0, True)
    assert "41" not in alert.reason  # a value is no news
    assert turns(watched.serve(3), "age", "constant") == ["resolved"]


def test_values_within_one_bin_are_not_constant(watched: Watched) -> None:
    """A field that stays within a tenth of its range has drifted but varies."""
    alerts = watched.serve(2, age=lambda column: (45 + watched.rng.random(len(column))).tolist())
    assert turns(alerts, "age", "constant") == []
    assert turns(alerts, "age", "psi") == ["firing"]


def test_a_field_that_is_constant_in_the_reference_fires_no_alert(rng: np.random.Generator) -> None:
    """A nearly constant field fires none either."""
    reference = fit_reference({"same": [1.0] * 500, "rare": [True] + [False] * 499})
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        for _ in range(20):
            monitor.record({"same": [1.0] * 50, "rare": [False] * 50}, [0.0] * 50)
            monitor.flush()
    assert alerts == []


@pytest.mark.parametrize("column", [None, [None] * 500])
def test_a_field_that_no_longer_arrives_has_vanished(watched: Watched, column: object) -> None:
    """Rows lack it, or have no value in it."""
    alerts = watched.serve(2, age=lambda _: column)
    assert turns(alerts, "age", "vanished") == ["firing"]
    assert turns(alerts, "age", "missing") == ["firing"]
    assert turns(watched.serve(3), "age", "vanished") == ["resolved"]


def test_a_field_that_the_reference_lacks_is_reported_as_new(watched: Watched) -> None:
    """The alert has its name, and resolves when the field no longer arrives."""
    alerts = watched.serve(2, extra=lambda count: [1.0] * count)
    assert turns(alerts, "extra", "new_field") == ["firing"]
    attributes = {"field": "__unknown__", "reason": "new_field"}
    assert watched.exporter.value("mlmonitor.quality.alert", attributes) == 1
    assert turns(watched.serve(8), "extra", "new_field") == ["resolved"]


def test_random_names_sent_by_clients_do_not_count_as_new_fields(watched: Watched) -> None:
    """A hundred names in one row each are counted, and none fires an alert."""
    for at in range(100):
        batch = {name: column[:1] for name, column in rows(watched.rng, 1).items()}
        watched.monitor.record({**batch, f"name{at}": [1.0]}, [0.0])
    assert watched.serve(4) == []
    assert sum(watched.monitor.status().unknown_fields.values()) == 100


def test_random_variation_in_small_windows_fires_no_alert(rng: np.random.Generator) -> None:
    """Twice as many values as expected are missing in each of ten small windows."""
    watched = Watched(rng)
    with watched.monitor as monitor:
        for _ in range(10):
            age = rng.normal(45, 12, 100)
            age[:2] = np.nan
            monitor.record({**rows(rng, 100), "age": age}, np.zeros(100))
            assert monitor.flush(timeout_seconds=60)
    assert watched.found == []
    limit = watched.exporter.value(
        "mlmonitor.quality.threshold", {"field": "age", "reason": "missing"}
    )
    assert 0.015 < limit < 0.03  # of the thousand rows in the window


def test_an_improvement_of_quality_fires_no_alert(rng: np.random.Generator) -> None:
    """A third of the values was missing and none is now; only drift is reported."""
    age = rng.normal(size=3_000)
    age[rng.random(3_000) < 0.33] = np.nan
    reference = fit_reference({"age": age})
    alerts: list[Alert] = []
    with Monitor("m", reference=reference, exporters=[], on_alert=alerts.append) as monitor:
        for _ in range(4):
            monitor.record({"age": rng.normal(size=1_000).clip(-2, 2)}, np.zeros(1_000))
            monitor.flush()
    assert {f.measure for f in alerts} == {"psi"}


def test_min_rows_and_the_tolerance_suppress_alerts(rng: np.random.Generator) -> None:
    """The change has too few rows, or is too small to matter."""
    for config in (Config(min_rows=50_000), Config(quality_tolerance=0.2, drift_tolerance=1.0)):
        watched = Watched(rng, config=config)
        with watched.monitor:
            assert watched.serve(6, age=replaced(watched, 0.1, None)) == []


def test_each_value_counts_once_in_the_streams_of_defects(rng: np.random.Generator) -> None:
    """Unreadable values are neither in range nor out of range."""
    entries = fit_reference(rows(rng, 500)).entries([Role.FEATURE])
    streams = list_defects(entries)
    quality = np.array([[900, 50, 5, 5, 40, 0], [980, 10, 0, 0, 0, 10], [1_000, 0, 0, 0, 0, 0]])
    counts = DefectColumns.find(streams).count_values(quality)
    counts_by_stream = {
        (s.place, s.quality): tuple(c) for s, c in zip(streams, counts.tolist(), strict=True)
    }
    assert counts_by_stream[0, Quality.MISSING] == (50, 950)
    assert counts_by_stream[0, Quality.OUT_OF_RANGE] == (40, 900)
    assert counts_by_stream[1, Quality.NEW_CATEGORY] == (10, 980)
    assert (2, Quality.NEW_CATEGORY) not in counts_by_stream


def test_the_reference_counts_missing_wrong_and_infinite_values_separately() -> None:
    """Their shares in training are expected again."""
    values: list[object] = [1.0, 2.0, None, float("inf"), "text", "more"]
    entry = fit_reference({"x": values}, schema={"x": "numeric"}).content.fields[0]
    assert (entry.missing, entry.nonfinite, entry.wrong_type) == (4, 1, 2)
    beliefs = {stream.quality: stream.belief for stream in list_defects([entry])}
    assert beliefs[Quality.MISSING] == (1.5, 5.5)
    assert beliefs[Quality.WRONG_TYPE] == (2.5, 4.5)
    assert beliefs[Quality.OUT_OF_RANGE] == (2.0, 1.0)
