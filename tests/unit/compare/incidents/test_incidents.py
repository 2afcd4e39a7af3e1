"""Alerts of one cause are one incident, with a title that says what happened."""

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from mlmonitor import Alert, Config, Incident, Monitor, Reference

ROWS = 2_000
Columns = dict[str, np.ndarray]


def draw(seed: int, fields: int = 3) -> Columns:
    """Draw rows of numeric features and one category."""
    rng = np.random.default_rng(seed)
    columns: Columns = {f"x{place}": rng.gamma(4.0, 10.0, ROWS) for place in range(fields)}
    columns["line"] = rng.choice(["fire", "water", "theft"], ROWS, p=[0.5, 0.3, 0.2])
    return columns


def reference(fields: int = 3) -> Reference:
    """A reference of `draw` without a change; the prediction depends on the first feature."""
    columns = draw(0, fields)
    return Reference.fit(columns, predictions=2 * columns["x0"])


def observe(
    changed: Mapping[str, np.ndarray], fields: int = 3
) -> tuple[list[Alert], list[Incident], str]:
    """Return the alerts and incidents of rows with these columns, and the printed status."""
    alerts: list[Alert] = []
    incidents: list[Incident] = []
    with Monitor(
        "claims",
        reference=reference(fields),
        exporters=[],
        on_alert=alerts.append,
        on_incident=incidents.append,
        config=Config(export_interval_seconds=3_600),
    ) as monitor:
        columns = {**draw(1, fields), **changed}
        monitor.record(columns, 2 * draw(1, fields)["x0"])
        monitor.flush()
        status = monitor.status()
        assert status.incidents == tuple(incidents)
        text = str(status)
    return alerts, incidents, text


def test_forty_alerts_of_one_cause_are_one_incident() -> None:
    """All columns are in another unit, and `on_incident` is called once."""
    changed = {f"x{place}": 1_000 * draw(1, 40)[f"x{place}"] for place in range(40)}
    alerts, incidents, text = observe(changed, 40)
    assert len(alerts) >= 40
    (incident,) = incidents
    assert incident.state == "open"
    assert incident.cause == "scaled"
    assert set(incident.members) == set(alerts)
    assert "x0 and 39 more multiplied by about " in incident.title
    assert text.index("incident: all values of x0") < text.index("firing")


def test_a_feature_in_another_unit_is_named_with_its_factor() -> None:
    """Values are ten times as large, and the title has a factor of about ten."""
    _, (incident,), _ = observe({"x1": 10 * draw(1)["x1"]})
    assert incident.cause == "scaled"
    assert incident.title.startswith("all values of x1 multiplied by about ")
    assert float(incident.title.rsplit(" ", 1)[1]) == pytest.approx(10, rel=0.1)


def test_a_feature_with_an_offset_is_named_with_the_difference() -> None:
    """Degrees Celsius are sent as kelvin."""
    _, (incident,), _ = observe({"x1": draw(1)["x1"] + 273.15})
    assert incident.cause == "shifted"
    assert float(incident.title.rsplit(" ", 1)[1]) == pytest.approx(273.15, rel=0.1)


def test_a_renamed_category_is_detected_and_its_name_is_not_shown() -> None:
    """One known category is gone, and a new one has its share."""
    line = draw(1)["line"].astype(object)
    line[line == "water"] = "H2O"
    _, (incident,), _ = observe({"line": line})
    assert incident.cause == "renamed"
    assert incident.title.startswith("a category of line renamed: 3")
    assert "H2O" not in str(incident)


@pytest.mark.parametrize(
    ("value", "cause", "title"),
    [(np.nan, "lost", "x1 lost"), (40.0, "stuck", "x1 stuck at one value")],
)
def test_a_lost_or_stuck_field_is_recognised(value: float, cause: str, title: str) -> None:
    """It has no values at all, or always the same one."""
    _, (incident,), _ = observe({"x1": np.full(ROWS, value)})
    assert (incident.cause, incident.title) == (cause, title)


@pytest.mark.parametrize(
    ("respelt", "title"),
    [
        (lambda name: name.upper(), "names of line in another case, upper or lower: 100% of rows"),
        (lambda name: name + " ", "names of line with spaces added: 100% of rows"),
    ],
)
def test_names_in_another_spelling_are_detected(respelt: Callable[[str], str], title: str) -> None:
    """All names are new until they are simplified, and the title shows none."""
    line = np.array([respelt(name) for name in draw(1)["line"]], object)
    _, (incident,), _ = observe({"line": line})
    assert (incident.cause, incident.title) == ("respelt", title)


def test_respelt_names_are_detected_beside_a_field_with_more_categories() -> None:
    """The counts of all fields are as wide as those of the widest one."""
    rng = np.random.default_rng(3)
    trained = {
        "code": rng.choice(["1234", "2045"], ROWS),
        "city": rng.choice([f"city {letter}" for letter in "abcdefgh"], ROWS),
    }
    live = {**trained, "code": np.array([name + ".0" for name in trained["code"]], object)}
    with Monitor(
        "claims", reference=Reference.fit(trained, predictions=np.ones(ROWS)), exporters=[]
    ) as monitor:
        monitor.record(live, np.ones(ROWS))
        monitor.flush()
        (incident,) = monitor.status().incidents
    assert incident.title == "names of code with '.0' added: 100% of rows"


def test_numbers_with_a_decimal_comma_are_reported_as_unreadable() -> None:
    """Texts that are not numbers have a wrong type."""
    texts = np.array([f"{number:.2f}".replace(".", ",") for number in draw(1)["x1"]], object)
    _, (incident,), _ = observe({"x1": texts})
    assert incident.cause == "unreadable"
    assert incident.title == "x1 unreadable: 100% of values of the wrong type"


def fit_and_observe(trained: Columns, live: Columns) -> Incident:
    """Return the single incident of live rows against a reference of training rows."""
    reference = Reference.fit(trained, predictions=np.ones(ROWS), thresholds="asymptotic")
    with Monitor("claims", reference=reference, exporters=[]) as monitor:
        monitor.record(live, np.ones(ROWS))
        monitor.flush()
        (incident,) = monitor.status().incidents
    return incident


@pytest.mark.parametrize("share", [0.3, 0.5])
def test_a_unit_change_in_some_rows_is_not_described_as_one_of_all_values(share: float) -> None:
    """One of two sources switches to inches; if the units overlap, no factor is named."""
    rng = np.random.default_rng(7)
    length, price = np.exp(rng.normal(3, 0.3, ROWS)), np.exp(rng.normal(7, 0.8, ROWS))
    is_other = rng.random(ROWS) < share
    scale = np.where(is_other, 2.54, 1.0)
    incident = fit_and_observe({"length": length}, {"length": scale * rng.permutation(length)})
    assert incident.title.startswith("about ")
    assert "% of values of length multiplied by about " in incident.title
    assert float(incident.title.rsplit(" ", 1)[1]) == pytest.approx(2.54, rel=0.1)
    incident = fit_and_observe({"price": price}, {"price": scale * rng.permutation(price)})
    assert not incident.title.startswith("all values")


def test_swapped_columns_are_one_incident_that_names_both() -> None:
    """Each has the values of the other."""
    rng = np.random.default_rng(5)
    age, mileage = rng.normal(45, 10, ROWS), rng.normal(9_000, 900, ROWS)
    incident = fit_and_observe({"age": age, "mileage": mileage}, {"age": mileage, "mileage": age})
    assert (incident.cause, incident.title) == ("swapped", "age and mileage swapped")


def test_a_constant_in_place_of_missing_values_is_recognised() -> None:
    """Missing values became -999; without any in training, they are part of the values."""
    income = np.random.default_rng(5).normal(40, 9, ROWS)
    is_missing = np.arange(ROWS) % 10 == 0
    gaps, filled = np.where(is_missing, np.nan, income), np.where(is_missing, -999.0, income)
    incident = fit_and_observe({"income": gaps}, {"income": filled})
    assert (incident.cause, incident.title) == ("filled", "income: missing values coded as -999")
    incident = fit_and_observe({"income": income}, {"income": filled})
    assert incident.title == "income: part of the values filled with -999"
