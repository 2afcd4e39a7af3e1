"""One value is the same value in every precision, and a value between known ones is new."""

import io

import numpy as np
import pandas as pd
import pytest

from mlmonitor import Monitor, Reference
from mlmonitor.records import Floats
from mlmonitor.status.field_status import FieldStatus

ROWS = 6_000


def watched(reference: Floats, live: Floats) -> tuple[FieldStatus, list[str]]:
    """Return the status of a feature fitted and served, and the fields with an alert."""
    rng = np.random.default_rng(7)
    fitted = Reference.fit({"x": reference}, predictions=rng.normal(size=len(reference)))
    monitor = Monitor("m", reference=fitted, exporters=[])
    monitor.record({"x": live}, rng.normal(size=len(live)))
    status = monitor.status()
    monitor.close()
    field = next(field for field in status.fields if field.name == "x")
    return field, [alert.field for alert in status.alerts]


def through_csv(values: Floats) -> Floats:
    """Return the column as pandas reads it from a file that it wrote."""
    text = pd.DataFrame({"x": values}).to_csv(index=False)
    return pd.read_csv(io.StringIO(text))["x"].to_numpy()


TENTHS = np.random.default_rng(3).integers(0, 100, ROWS)
CONSTANT = np.full(ROWS, 7)
ZERO_INFLATED = np.where(TENTHS < 60, 0, TENTHS)

SERVED = {
    "float32": lambda k: (k / 10).astype(np.float32),
    "float64": lambda k: k / 10,
    "product": lambda k: k * 0.1,
    "float32 product": lambda k: k.astype(np.float32) * np.float32(0.1),
    "csv of float32": lambda k: through_csv((k / 10).astype(np.float32)),
    "csv of products": lambda k: through_csv(k * 0.1),
}


@pytest.mark.parametrize("counts", [TENTHS, CONSTANT, ZERO_INFLATED], ids=["even", "one", "zeros"])
@pytest.mark.parametrize("fitted", ["float32", "float64", "product"])
@pytest.mark.parametrize("served", SERVED)
def test_the_same_values_in_another_precision_do_not_count_as_drift(
    counts: np.ndarray, fitted: str, served: str
) -> None:
    """All distances of counts are 0, no value is out of range, and no alert fires."""
    field, alerts = watched(SERVED[fitted](counts), SERVED[served](counts))
    assert (field.psi, field.jensen_shannon) == (0.0, 0.0)
    assert field.quality["valid"] == ROWS  # type: ignore[index]  # a StrEnum's value
    assert alerts == []


@pytest.mark.parametrize(
    ("reference", "live"),
    [((0, 10), (0, 5)), ((0, 10), (0, 9.99)), ((3, 3), (3, 3.1)), ((1, 2, 3), (1, 2.5, 3))],
)
def test_a_value_between_two_known_point_masses_counts_as_drift(
    reference: tuple[float, ...], live: tuple[float, ...]
) -> None:
    """Between point masses or beside a constant, new values are counted in bins of their own."""
    repeat = ROWS // len(reference)
    field, alerts = watched(np.tile(reference, repeat) * 1.0, np.tile(live, repeat) * 1.0)
    assert field.psi is not None
    assert field.psi > 1.0
    assert "x" in alerts
