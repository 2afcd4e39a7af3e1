"""Business figures computed from rows, and attributions, in a running monitor."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from mlmonitor import ConfigError, Kpi, Monitor, Reference, SchemaError
from mlmonitor.compare.figures.attributions import compute_ndcg
from mlmonitor.testing import InMemoryExporter

Floats = NDArray[np.float64]
SAVINGS = Kpi("total_savings", lambda rows: rows["claimed_amount"] - rows["prediction"], unit="EUR")


def claims(rows: int, seed: int = 1, *, scale: float = 1_000.0) -> dict[str, Any]:
    """Draw claims with an amount and a line."""
    rng = np.random.default_rng(seed)
    return {"claimed_amount": rng.gamma(2, scale, rows), "line": rng.choice(["a", "b"], rows)}


@pytest.fixture(scope="module")
def reference() -> Reference:
    """A reference with the figure and attributions."""
    rows = claims(2_000, 0)
    rng = np.random.default_rng(0)
    return Reference.fit(
        rows,
        predictions=0.8 * rows["claimed_amount"],
        kpis=[SAVINGS],
        attributions={
            "claimed_amount": rng.normal(0, 10, 2_000),
            "line": rng.normal(0, 1, 2_000),
        },
        importances={"claimed_amount": 0.9, "line": 0.1},
        thresholds="asymptotic",
    )


@pytest.fixture
def exporter() -> InMemoryExporter:
    """An exporter that keeps what it receives."""
    return InMemoryExporter()


@pytest.fixture
def monitor(reference: Reference, exporter: InMemoryExporter) -> Iterator[Monitor]:
    """A monitor with one declared figure."""
    with Monitor("m", reference=reference, exporters=[exporter], kpis=[SAVINGS]) as running:
        yield running


def test_a_declared_figure_is_summed_over_all_rows(monitor: Monitor) -> None:
    """Rows arrive in batches, frames and one by one."""
    rows = claims(500)
    predicted = 0.8 * rows["claimed_amount"]
    monitor.record(rows, predicted)
    monitor.record(pd.DataFrame(rows), predicted)
    for place in range(3):
        row = {name: column[place] for name, column in rows.items()}
        with monitor.observe(row) as prediction:
            prediction.value = float(predicted[place])
    expected = rows["claimed_amount"] - predicted
    kpi = monitor.status().kpis["total_savings"]
    assert kpi.total == pytest.approx(2 * expected.sum() + expected[:3].sum())
    assert (kpi.count, kpi.total_count, kpi.unit, kpi.failures) == (1_003, 1_003, "EUR", 0)
    assert kpi.mean == pytest.approx(kpi.sum / 1_003)


def test_a_declared_figure_drifts_and_alerts_like_any_field(monitor: Monitor) -> None:
    """Its band and bins are those of the training rows."""
    rows = claims(2_000)
    monitor.record(rows, 0.3 * rows["claimed_amount"])
    status = monitor.status()
    field = status.kpis["total_savings"].field
    assert field.has_alert
    assert field.training is not None
    assert field.training.mean == pytest.approx(400, rel=0.1)
    assert {alert.role for alert in status.alerts if alert.field == "total_savings"} == {"kpi"}


def test_declared_figures_and_their_units_are_exported(
    monitor: Monitor, exporter: InMemoryExporter
) -> None:
    """A figure has the series of any field, and one more with its unit."""
    rows = claims(200)
    monitor.record(rows, 0.8 * rows["claimed_amount"])
    assert monitor.flush(timeout_seconds=60)
    labels = {"field": "total_savings"}
    assert exporter.value("mlmonitor.kpi.unit", labels | {"unit": "EUR"}) == 1
    own = labels | {"role": "kpi"}
    total = exporter.value("mlmonitor.field.distribution", own)
    assert total.sum == pytest.approx(0.2 * rows["claimed_amount"].sum())  # type: ignore[union-attr]
    assert exporter.value("mlmonitor.drift.score", own | {"measure": "psi"}) >= 0


FAULTY = [
    Kpi("missing", lambda rows: rows["nothing"]),
    Kpi("raises", lambda _: {}["secret value"]),
    Kpi("one", lambda _: 1.0),
    Kpi("text", lambda rows: rows["line"]),
    Kpi("wide", lambda rows: np.zeros((len(rows["prediction"]), 2))),
]


@pytest.mark.parametrize("kpi", FAULTY, ids=lambda kpi: kpi.name)
@pytest.mark.parametrize("form", ["columns", "rows"])
def test_a_figure_whose_function_raises_is_counted_and_named(
    reference: Reference, kpi: Kpi, form: str
) -> None:
    """Rows and other figures are still counted."""
    with Monitor("m", reference=reference, exporters=[], kpis=[kpi, SAVINGS]) as monitor:
        rows = claims(50)
        if form == "columns":
            monitor.record(rows, 0.8 * rows["claimed_amount"])
        else:
            frame = pd.DataFrame(rows).to_dict("records")
            monitor.record(frame, 0.8 * rows["claimed_amount"])
        status = monitor.status()
    assert status.predictions == 50
    assert status.kpis["total_savings"].count == 50
    failed = status.kpis[kpi.name]
    assert (failed.failures, failed.count, failed.mean) == (1, 0, None)
    assert f"{kpi.name}: sum 0, mean - over 0 rows in the window; failed for 1 block" in str(status)
    assert status.internal_errors == 1
    assert status.last_error is not None
    assert f"kpi {kpi.name}" in status.last_error
    assert "secret value" not in status.last_error


def test_a_figure_that_cannot_be_computed_for_a_row_is_missing(reference: Reference) -> None:
    """Its inputs are infinite or missing; failed calls are left out."""
    kpi = Kpi("ratio", lambda rows: rows["prediction"] / rows["claimed_amount"])
    with Monitor("m", reference=reference, exporters=[], kpis=[kpi]) as monitor:
        monitor.record({"claimed_amount": [2.0, 0.0, None], "line": ["a"] * 3}, [1.0, 1.0, 1.0])
        with (
            pytest.raises(ValueError, match="model"),
            monitor.observe({"claimed_amount": 1.0, "line": "a"}),
        ):
            raise ValueError("model")
        status = monitor.status().kpis["ratio"]
    assert (status.count, status.sum) == (1, 0.5)
    assert status.field.missing == 2


def test_the_function_of_a_figure_gets_outputs_by_their_full_name(reference: Reference) -> None:
    """They are `prediction.<output>`; categories are arrays of objects."""
    kpi = Kpi(
        "spread",
        lambda rows: np.where(
            rows["line"] == "a", rows["prediction.high"] - rows["prediction.low"], np.nan
        ),
    )
    with Monitor("m", reference=reference, exporters=[], kpis=[kpi]) as monitor:
        monitor.record(
            {"claimed_amount": [1.0, 2.0], "line": ["a", "b"]},
            {"low": [1.0, 2.0], "high": [4.0, 9.0]},
        )
        kpis = monitor.status().kpis
    assert kpis["spread"].sum == 3.0


def test_reported_figures_do_not_replace_declared_ones(monitor: Monitor) -> None:
    """A value reported under the name of a declared figure is added to that figure."""
    monitor.kpi("market_value", 7.0)
    monitor.kpi("total_savings", 3.0)
    monitor.record({"claimed_amount": [5.0], "line": ["a"]}, [4.0])
    kpis = monitor.status().kpis
    assert kpis["market_value"].sum == 7.0
    assert kpis["total_savings"].sum == 4.0
    assert "total_savings: sum 4 EUR" in str(monitor.status())


@pytest.mark.parametrize(
    "kpis",
    [
        SAVINGS,
        [SAVINGS, SAVINGS],
        ["total_savings"],
        [Kpi("", abs)],
        [Kpi("x", 3)],  # type: ignore[arg-type]
        [Kpi("x", abs, unit=3)],  # type: ignore[arg-type]
        {"x": [1.0]},
    ],
)
def test_wrong_declarations_of_figures_are_refused(kpis: Any) -> None:
    """The error is raised at construction and has an example."""
    with pytest.raises(ConfigError, match=r"kpis: .*expected"):
        Monitor("m", exporters=[], kpis=kpis)


def test_figures_of_a_reference_may_be_columns_of_its_length() -> None:
    """Columns of another length are refused, as for predictions."""
    fitted = Reference.fit({"x": [1.0, 2.0, 4.0]}, kpis={"value": [3.0, 4.0, 5.0]}, bins=2)
    assert [field.name for field in fitted.fields if field.role == "kpi"] == ["value"]
    with pytest.raises(SchemaError, match="kpis: 'value': expected one for each of the 3 rows"):
        Reference.fit({"x": [1.0, 2.0, 4.0]}, kpis={"value": [3.0]})
    with pytest.raises(SchemaError, match="kpis: kpi total_savings: there is no column"):
        Reference.fit({"x": [1.0, 2.0, 4.0]}, kpis=[SAVINGS])


def test_chunks_of_rows_get_figures_and_attributions_by_functions() -> None:
    """The result is the same as for all rows at once."""
    whole = claims(300)
    chunks = (
        {n: column[start : start + 100] for n, column in whole.items()} for start in (0, 100, 200)
    )
    fitted = Reference.fit(
        chunks,
        predictions=lambda chunk: 0.8 * chunk["claimed_amount"],
        kpis=[SAVINGS],
        attributions=lambda rows: {"claimed_amount": rows["claimed_amount"] - 5.0},
    )
    expected = np.abs(whole["claimed_amount"] - 5.0).mean()
    assert fitted.content.attributions["claimed_amount"] == pytest.approx(expected)
    assert {field.role.value for field in fitted.fields} == {
        *("feature", "prediction", "kpi", "attribution")
    }


def test_a_reference_with_figures_and_training_facts_is_saved_completely(
    reference: Reference, tmp_path: Any
) -> None:
    """What is loaded equals what was saved."""
    reference.save(tmp_path / "r.json")
    assert Reference.load(tmp_path / "r.json").content == reference.content


class Explanation:
    """Looks like an explanation of SHAP: an array and its column names."""

    def __init__(self, values: Floats) -> None:
        self.values = values
        self.feature_names = ["line", "claimed_amount"]


FORMS = {
    "columns": lambda a: {"claimed_amount": a[:, 0], "line": a[:, 1]},
    "lists": lambda a: {"claimed_amount": a[:, 0].tolist(), "line": a[:, 1].tolist()},
    "frame": lambda a: pd.DataFrame(a, columns=["claimed_amount", "line"]),
    "array": lambda a: a,
    "rows": lambda a: [{"claimed_amount": x, "line": y} for x, y in a.tolist()],
    "explanation": lambda a: Explanation(a[:, ::-1]),
}


@pytest.mark.parametrize("form", FORMS)
def test_attributions_are_read_in_every_form(monitor: Monitor, form: str) -> None:
    """They are mean absolute values over the window, the largest first."""
    rows = claims(400)
    rng = np.random.default_rng(3)
    parts = np.column_stack([rng.normal(0, 1, 400), rng.normal(0, 5, 400)])
    given = FORMS[form](parts)
    monitor.record(rows, 0.8 * rows["claimed_amount"], attributions=given)
    parts[:] = 0.0  # the caller may change its array
    status = monitor.status()
    assert status.last_error is None
    assert status.attributions is not None
    sizes = status.attributions.mean_absolute
    assert list(sizes) == ["line", "claimed_amount"]
    again = np.random.default_rng(3)
    assert sizes["claimed_amount"] == pytest.approx(np.abs(again.normal(0, 1, 400)).mean())
    assert sizes["line"] == pytest.approx(np.abs(again.normal(0, 5, 400)).mean())


def test_the_attributions_of_one_observation_are_recorded(monitor: Monitor) -> None:
    """They may be set before or after the value, and features may lack one."""
    for value in (1.0, -3.0):
        with monitor.observe({"claimed_amount": 1.0, "line": "a"}) as prediction:
            prediction.attributions = {"claimed_amount": value}
            prediction.value = 2.0
            assert prediction.attributions == {"claimed_amount": value}
    status = monitor.status()
    assert status.attributions is not None
    assert status.attributions.mean_absolute == {"claimed_amount": 2.0}
    assert status.field("claimed_amount", role="attribution").mean == -1.0
    assert status.last_error is None


def test_a_reversed_ranking_of_attributions_is_detected_and_exported(
    monitor: Monitor, exporter: InMemoryExporter
) -> None:
    """The distribution of each attribution is compared as well."""
    rows = claims(1_000)
    rng = np.random.default_rng(4)
    monitor.record(
        rows,
        0.8 * rows["claimed_amount"],
        attributions=np.column_stack([rng.normal(0, 1, 1_000), rng.normal(0, 10, 1_000)]),
    )
    assert monitor.flush(timeout_seconds=60)
    status = monitor.status()
    assert status.attributions is not None
    assert status.attributions.ndcg is not None
    assert status.attributions.ndcg < 0.75
    assert exporter.value("mlmonitor.attribution.ndcg") == pytest.approx(status.attributions.ndcg)
    labels = {"field": "line", "basis": "live"}
    assert exporter.value("mlmonitor.attribution", labels) == pytest.approx(8, rel=0.1)
    assert status.field("line", role="attribution").has_alert
    assert "nDCG 0." in str(status)
    assert json.loads(status.to_json())["attributions"]["ndcg"] < 0.75


@pytest.mark.parametrize(
    "given",
    [np.zeros((3, 2)), np.zeros((2, 5)), "text", 5, {"claimed_amount": [1.0]}, [{}, {}, {}]],
    ids=str,
)
def test_invalid_attributions_are_counted_and_the_rows_are_kept(
    monitor: Monitor, given: Any
) -> None:
    """No exception reaches the host."""
    monitor.record(
        {"claimed_amount": [1.0, 2.0], "line": ["a", "b"]}, [1.0, 2.0], attributions=given
    )
    status = monitor.status()
    assert (status.predictions, status.internal_errors) == (2, 1)
    assert status.last_error is not None
    assert "attributions: expected" in status.last_error


def test_an_attribution_of_an_unknown_feature_is_reported(monitor: Monitor) -> None:
    """The other attributions count."""
    with monitor.observe({"claimed_amount": 1.0, "line": "a"}) as prediction:
        prediction.value = 2.0
        prediction.attributions = {"line": 1.0, "lien": 2.0}
    status = monitor.status()
    assert status.attributions is not None
    assert status.attributions.mean_absolute == {"line": 1.0}
    assert status.last_error is not None
    assert "there is no feature 'lien'" in status.last_error


def test_without_training_attributions_the_importances_give_the_ranking() -> None:
    """Without importances there is no ranking."""
    rows = claims(100)
    for importances, ndcg in (({"claimed_amount": 3.0, "line": 1.0}, 1.0), (None, None)):
        fitted = Reference.fit(rows, importances=importances, thresholds="asymptotic")
        with Monitor("m", reference=fitted, exporters=[]) as monitor:
            monitor.record(rows, rows["claimed_amount"], attributions=[[2.0, 1.0]] * 100)
            status = monitor.status()
        assert status.attributions is not None
        assert status.attributions.ndcg == ndcg


def test_alerts_of_important_features_are_shown_first() -> None:
    """The reference has the importances."""
    rng = np.random.default_rng(0)
    rows = {name: rng.normal(size=1_000) for name in ("minor", "major")}
    fitted = Reference.fit(rows, importances={"minor": 0.1, "major": 5.0}, thresholds="asymptotic")
    with Monitor("m", reference=fitted, exporters=[]) as monitor:
        monitor.record({name: column + 3 for name, column in rows.items()}, [0.0] * 1_000)
        alerts = monitor.status().alerts
    features = [alert.field for alert in alerts if alert.role == "feature"]
    assert features == sorted(features, key=lambda name: name != "major")
    assert features[0] == "major"


@pytest.mark.parametrize("seed", range(3))
def test_the_ndcg_of_rankings_equals_that_of_scikit_learn(seed: int) -> None:
    """Sizes at training are the relevances."""
    from sklearn.metrics import ndcg_score

    rng = np.random.default_rng(seed)
    gains = {f"f{place}": float(gain) for place, gain in enumerate(rng.gamma(1, 1, 12))}
    live = {name: float(size) for name, size in zip(gains, rng.gamma(1, 1, 12), strict=True)}
    ranked = sorted(live, key=lambda name: -live[name])
    expected = ndcg_score([list(gains.values())], [list(live.values())])
    assert compute_ndcg(ranked, gains) == pytest.approx(expected)


def test_equal_rankings_have_an_ndcg_of_one() -> None:
    """Features without relevance do not matter."""
    assert compute_ndcg(["a", "b"], {"a": 2.0, "b": 1.0}) == 1.0
    assert compute_ndcg(["a", "b"], {"a": 0.0, "b": 0.0}) == 1.0
    assert compute_ndcg([], {"a": 1.0}) == 0.0


def test_facts_about_the_training_are_stored_shown_and_exported(exporter: InMemoryExporter) -> None:
    """They are its duration, its rows and the version that the model replaced."""
    fitted = Reference.fit(
        claims(100),
        training_seconds=12.5,
        training_rows=1_000_000,
        parent_version="6",
        training_metrics={"mae": 3.0},
        thresholds="asymptotic",
    )
    with Monitor("m", version="7", reference=fitted, exporters=[exporter]) as monitor:
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
    assert "\ntrained on 1,000,000 rows, in 12.5 s, replacing version 6\n" in str(status)
    assert status.to_dict()["training"]["parent_version"] == "6"
    assert exporter.value("mlmonitor.training.duration") == 12.5
    assert exporter.value("mlmonitor.training.rows") == 1_000_000
    assert exporter.value("mlmonitor.training.parent", {"parent.version": "6"}) == 1
    assert exporter.value("mlmonitor.performance", {"basis": "reference"}) == 3.0


@pytest.mark.parametrize(
    "facts",
    [
        {"training_seconds": -1},
        {"training_seconds": float("nan")},
        {"training_seconds": "long"},
        {"training_rows": 2.5},
        {"training_rows": -1},
        {"training_rows": True},
        {"parent_version": ""},
        {"parent_version": 1.5},
        {"parent_version": "v" * 201},
    ],
    ids=str,
)
def test_an_invalid_fact_about_the_training_is_refused_by_name(facts: dict[str, Any]) -> None:
    """The error is raised before any work."""
    (name,) = facts
    with pytest.raises(ConfigError, match=f"{name}: expected"):
        Reference.fit({"x": [1.0, 2.0]}, **facts)
