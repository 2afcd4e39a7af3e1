"""Why the mean prediction shifted."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonitor import Config, Monitor, Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.compare.drift.decomposition import Contribution, Shift, ShiftDecomposition
from mlmonitor.records import Block
from mlmonitor.testing import InMemoryExporter
from support.references import fit_reference

ROLES = (Role.FEATURE, Role.PREDICTION)
ROWS = 4_000


def rows(rng: np.random.Generator, count: int, *, motor: float = 0.5) -> dict[str, Any]:
    """Draw two features, of which the first nearly determines the prediction."""
    return {
        "line": np.where(rng.random(count) < motor, "motor", "home").tolist(),
        "noise": rng.normal(size=count),
    }


def predicted(columns: dict[str, Any]) -> Any:
    """Predict 300 for motor and 100 for home."""
    return np.where(np.array(columns["line"]) == "motor", 300.0, 100.0) + columns["noise"]


class Service:
    """A reference, and profiles of served rows."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        columns = rows(rng, ROWS)
        self.reference = fit_reference(columns, predictions=predicted(columns))
        self.plan = self.reference.plan(ROLES, deviations=3.0)
        entries = self.reference.entries(ROLES)
        self.decomposition = ShiftDecomposition.from_entries(
            self.plan, entries, self.reference.content.explained
        )

    def served(self, count: int, *, motor: float = 0.5) -> FieldProfile:
        """Return the profile of new rows."""
        columns = rows(self.rng, count, motor=motor)
        numeric = np.array([columns["noise"], predicted(columns)])
        block = Block(count, numeric, np.zeros((2, 3), np.int64), [columns["line"]])
        profile = FieldProfile(self.plan)
        profile.update(block)
        return profile

    def explained(self, profile: FieldProfile) -> Shift:
        """Explain the mean prediction of that profile."""
        assert self.decomposition is not None
        shift = self.decomposition.explain(profile)
        assert shift is not None
        return shift


def part(shift: Shift, field: str) -> Contribution:
    """Return the contribution of one field."""
    return next(contribution for contribution in shift.contributions if contribution.field == field)


@pytest.fixture
def service(rng: np.random.Generator) -> Service:
    """A service before its first row."""
    return Service(rng)


def test_the_mix_of_the_changed_field_explains_the_shift(service: Service) -> None:
    """Motor rises from 50 to 80%, which adds 60; the other field adds nothing."""
    shift = service.explained(service.served(5_000, motor=0.8))
    assert shift.prediction == "prediction"
    assert shift.shift == pytest.approx(60, abs=5)
    assert [contribution.field for contribution in shift.contributions] == ["line", "noise"]
    line, noise = shift.contributions
    assert line.mix == pytest.approx(60, abs=5)
    assert line.is_beyond_chance
    assert not noise.is_beyond_chance
    for contribution in shift.contributions:
        assert contribution.mix + contribution.rest == pytest.approx(shift.shift)


def test_a_shift_without_a_changed_mix_is_entirely_unexplained(service: Service) -> None:
    """If the model predicts 50 more for all rows, no feature's mix explains it."""
    profile = service.served(5_000)
    profile.moments.mean += np.array([0.0, 50.0])
    shift = service.explained(profile)
    assert shift.shift == pytest.approx(50, abs=8)
    assert all(abs(contribution.mix) < 8 for contribution in shift.contributions)


@pytest.mark.slow
@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(1, 500), st.floats(0, 1)), min_size=1, max_size=8))
def test_contributions_of_a_fleet_are_means_weighted_by_rows(
    parts: list[tuple[int, float]],
) -> None:
    """Pooled rows have the weighted mean of the workers' contributions."""
    service = Service(np.random.default_rng(1))
    workers = [service.served(count, motor=motor) for count, motor in parts]
    pooled = FieldProfile(service.plan)
    for worker in workers:
        pooled.merge(worker)
    whole = sum(count for count, _ in parts)
    for field in ("line", "noise"):
        mixes = [part(service.explained(worker), field).mix for worker in workers]
        weighted = sum(mix * n for mix, (n, _) in zip(mixes, parts, strict=True)) / whole
        assert part(service.explained(pooled), field).mix == pytest.approx(weighted, abs=1e-9)


def test_values_outside_the_reference_contribute_nothing_to_the_shift(service: Service) -> None:
    """The reference has no mean prediction for new categories."""
    numeric = np.array([np.zeros(100), np.full(100, 200.0)])
    profile = FieldProfile(service.plan)
    profile.update(Block(100, numeric, np.zeros((2, 3), np.int64), [["boat"] * 100]))
    assert part(service.explained(profile), "line").mix == pytest.approx(0, abs=1e-9)


def bent(x: Any) -> Any:
    """A model that decreases beyond its training data."""
    return np.where(x < 4, x, 100.0 - 25.0 * x)


def test_a_feature_beyond_its_range_does_not_explain_a_shift_of_opposite_sign(
    rng: np.random.Generator,
) -> None:
    """Its outer bin predicts more than the mean, and the model extrapolates to much less."""
    trained = rng.normal(size=ROWS)
    reference = fit_reference({"x": trained}, predictions=bent(trained))
    shifts = {}
    for mean in (1.0, 8.0):
        with Monitor("m", reference=reference, exporters=[]) as monitor:
            x = rng.normal(size=ROWS) / 4 + mean
            monitor.record({"x": x}, bent(x))
            shift = monitor.status().why
        assert shift is not None
        shifts[mean] = shift.shift, part(shift, "x")
    within, beyond = shifts[1.0], shifts[8.0]
    assert within[0] > 0.8
    assert within[1].is_beyond_chance
    assert not within[1].is_extrapolated
    assert beyond[0] < -50
    assert beyond[1].mix > 0
    assert beyond[1].is_extrapolated
    assert not beyond[1].is_beyond_chance


def test_missing_values_contribute_to_the_shift_as_a_bin_of_their_own(
    rng: np.random.Generator,
) -> None:
    """If rows without an age have high predictions, more of them raise the mean."""
    age = np.where(rng.random(ROWS) < 0.2, np.nan, 1.0)
    reference = fit_reference({"age": age}, predictions=np.where(np.isnan(age), 100.0, 0.0))
    plan, entries = reference.plan(ROLES, deviations=3.0), reference.entries(ROLES)
    why = ShiftDecomposition.from_entries(plan, entries, reference.content.explained)
    assert why is not None
    profile = FieldProfile(plan)
    profile.update(
        Block(
            1_000,
            np.array([np.full(1_000, np.nan), np.full(1_000, 100.0)]),
            np.array([[1_000, 0, 0], [0, 0, 0]]),
            [],
        )
    )
    shift = why.explain(profile)
    assert shift is not None
    before = np.isnan(age).mean()
    assert shift.contributions[0].mix == pytest.approx(100 * (1 - before))


def test_without_rows_or_without_a_numeric_prediction_nothing_is_explained(
    service: Service,
) -> None:
    """The result is None, without a warning."""
    assert service.decomposition is not None
    assert service.decomposition.explain(FieldProfile(service.plan)) is None
    for predictions in (None, ["a", "b", "a"]):
        reference = fit_reference({"x": [1.0, 2.0, 3.0]}, predictions=predictions)
        plan, entries = reference.plan(ROLES, deviations=3.0), reference.entries(ROLES)
        assert ShiftDecomposition.from_entries(plan, entries, reference.content.explained) is None


@pytest.mark.parametrize("learn", [False, True])
def test_the_status_and_the_export_explain_the_shift(
    learn: bool,  # noqa: FBT001 - a parameter of the test
    rng: np.random.Generator,
    exporter: InMemoryExporter,
) -> None:
    """The reference comes from training, or was learned by the service."""
    columns = rows(rng, ROWS)
    reference = None if learn else fit_reference(columns, predictions=predicted(columns))
    config = Config(baseline_rows=ROWS)
    with Monitor("m", reference=reference, exporters=[exporter], config=config) as monitor:
        if learn:
            monitor.record(columns, predicted(columns))
        now = rows(rng, 2_000, motor=0.8)
        monitor.record(now, predicted(now))
        assert monitor.flush(timeout_seconds=60)
        status = monitor.status()
    assert status.why is not None
    assert status.why.contributions[0].field == "line"
    assert "why: prediction +" in str(status)
    assert "mix of line +" in str(status)
    exported = exporter.value(
        "mlmonitor.drift.contribution", {"field": "line", "prediction": "prediction"}
    )
    assert exported == pytest.approx(status.why.contributions[0].mix)
    limit = exporter.value("mlmonitor.drift.contribution.threshold", {"field": "line"})
    assert isinstance(limit, float)
    assert 0 < limit < abs(status.why.contributions[0].mix)
