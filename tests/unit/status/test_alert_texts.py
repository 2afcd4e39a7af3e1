"""What alerts say, and how many rows they need."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, Field, Monitor, Reference
from support.references import fit_reference

ROWS = 2_000


def columns(rng: np.random.Generator, count: int) -> dict[str, Any]:
    """Draw a number, a datetime and a category with many values."""
    return {
        "age": rng.normal(45, 12, count).tolist(),
        "day": (np.datetime64("2024-01-01") + rng.integers(0, 300, count)).astype("M8[s]").tolist(),
        "town": [f"t{at}" for at in np.minimum(rng.geometric(0.02, count), 300)],
    }


@pytest.fixture
def reference(rng: np.random.Generator) -> Reference:
    """Return a reference of valid rows."""
    town = Field("town", public=True)
    return fit_reference(columns(rng, ROWS), predictions=rng.normal(size=ROWS), fields=[town])


def found(
    reference: Reference,
    rows: dict[str, Any],
    *,
    fields: tuple[Field, ...] = (),
    config: Config | None = None,
) -> dict[tuple[str, str], Alert]:
    """Return the alerts of some rows by field and measure."""
    alerts: list[Alert] = []
    count = len(rows["age"])
    with Monitor(
        "m", reference=reference, fields=fields, on_alert=alerts.append, config=config
    ) as monitor:
        monitor.record(rows, np.random.default_rng(5).normal(size=count))
        assert monitor.flush(timeout_seconds=60)
    return {(f.field, f.measure): f for f in alerts}


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "missing"), (float("inf"), "not finite"), ("forty", "of a wrong type")],
)
def test_an_alert_on_drift_into_unreadable_values_names_their_kind(
    reference: Reference, rng: np.random.Generator, value: object, words: str
) -> None:
    """Half of the ages cannot be read; the alert names the reason instead of "missing"."""
    rows = columns(rng, 400)
    rows["age"][::2] = [value] * 200
    alert = found(reference, rows)["age", "psi"]
    assert alert.reason == f"{words}: 0% before, 50% now"


def test_the_shares_in_a_reason_are_those_of_the_kind_that_it_names(
    rng: np.random.Generator,
) -> None:
    """Half of the reference is missing or infinite; a quarter of the rows become texts."""
    ages: list[Any] = rng.normal(45, 12, ROWS).tolist()
    ages[1_000:] = [float("inf"), None] * 500
    reference = fit_reference({"age": ages}, predictions=rng.normal(size=ROWS))
    ages[250:] = [*["forty"] * 500, *[float("inf")] * 750, *[None] * 500]
    reason = found(reference, {"age": ages})["age", "psi"].reason
    assert reason == "of a wrong type: 0% before, 25% now"


def test_bins_have_readable_names(reference: Reference, rng: np.random.Generator) -> None:
    """Datetimes get dates, and unlisted categories a description in words."""
    rows = columns(rng, 400)
    rows["day"] = [np.datetime64("2025-06-01", "s").item()] * 400
    rows["town"] = [f"new {at % 50}" for at in range(400)]
    texts = found(reference, rows)
    assert texts["day", "psi"].reason.startswith("above 2024-")
    assert texts["town", "psi"].reason.startswith(
        "values that the reference does not know, such as 'new 0', "
    )


def test_runs_and_rules_are_printed_without_a_threshold(
    reference: Reference, rng: np.random.Generator
) -> None:
    """They have no share and no chance level: the text says what was seen and what it breaks."""
    rows = columns(rng, 400)
    rows["age"] = [40.0] * 400
    rows["town"][:12] = [None] * 12
    texts = found(reference, rows, fields=(Field("town", nullable=False),))
    assert str(texts["age", "constant"]) == (
        "feature age: constant; the last 400 values are equal; those of the reference vary"
    )
    assert str(texts["town", "nullable"]) == (
        "feature town: nullable; 12 of 400 values missing, which breaks nullable=False"
    )


def test_a_smoke_test_of_a_few_rows_fires_no_alert(reference: Reference) -> None:
    """Twenty equal requests with a missing value do not alert unless `min_rows` is 0."""
    rows = {"age": [40.0] * 20, "day": [None] * 20, "town": ["t1"] * 20}
    assert found(reference, rows) == {}
    eager = found(reference, rows, config=Config(min_rows=0))
    assert {("age", "constant"), ("day", "missing"), ("day", "vanished")} <= eager.keys()


def test_a_run_of_enough_rows_is_reported(reference: Reference) -> None:
    """The thirtieth equal request triggers the alert."""
    rows = {"age": [40.0] * 30, "day": [None] * 30, "town": ["t1"] * 30}
    assert {("age", "constant"), ("day", "vanished")} <= found(reference, rows).keys()
