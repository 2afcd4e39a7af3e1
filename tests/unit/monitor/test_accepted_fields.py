"""`monitor.accept(field)` makes the live window of a field its baseline."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Config, ConfigError, Monitor, Reference, Status
from mlmonitor.testing import ManualClock
from support.references import fit_reference

ROWS = 3_000


class Watched:
    """A monitor of two numbers and a category."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.alerts: list[Alert] = []
        self.clock = ManualClock(1_700_000_000.0)
        config = Config(poll_interval_seconds=3_600, export_interval_seconds=3_600)
        self.monitor = Monitor(
            "m",
            reference=fit_reference(self.rows(), predictions=np.zeros(ROWS)),
            exporters=[],
            config=config,
            clock=self.clock,
            on_alert=self.alerts.append,
        )

    def rows(self, *, shift: float = 0.0, names: tuple[str, ...] = ("a", "b")) -> dict[str, Any]:
        """Draw rows whose numbers may be shifted and whose categories may be others."""
        return {
            "x": self.rng.normal(shift, 1, ROWS),
            "y": self.rng.normal(shift / 2, 1, ROWS),
            "line": self.rng.choice(names, ROWS),
        }

    def serve(self, **change: Any) -> Status:
        """Record rows after the previous window has passed."""
        self.clock.advance(7_200.0)
        for _ in range(2):
            self.monitor.record(self.rows(**change), np.zeros(ROWS))
            self.clock.advance(60.0)
            status = self.monitor.status()
        assert (status.internal_errors, status.last_error) == (0, None)
        return status


@pytest.fixture
def watched() -> Watched:
    """A monitor of fields without drift."""
    return Watched(np.random.default_rng(3))


def firing(status: Status) -> set[str]:
    """Return the fields whose alerts are firing."""
    return {alert.field for alert in status.alerts}


def test_after_a_numeric_field_is_accepted_its_live_window_is_the_baseline(
    watched: Watched,
) -> None:
    """The alert of the other field keeps firing."""
    with watched.monitor as monitor:
        assert firing(watched.serve(shift=1.0)) == {"x", "y"}
        monitor.accept("x")
        assert firing(monitor.status()) == {"y"}
        assert firing(watched.serve(shift=1.0)) == {"y"}
        training = monitor.status().field("x").training
        assert training is not None
        assert training.mean == pytest.approx(1.0, abs=0.1)
        assert training.accepted_at is not None
        note = "compared with an accepted live window, not with training: x"
        assert note in str(monitor.status()).splitlines()
        other = monitor.status().field("y").training
        assert other is not None
        assert other.accepted_at is None
        monitor.flush()
    states = [alert.state for alert in watched.alerts if alert.field == "x"]
    assert states[:2] == ["firing", "resolved"]
    assert "firing" not in states[2:]


def test_a_return_to_the_training_values_after_acceptance_is_drift(watched: Watched) -> None:
    """The accepted window is the baseline."""
    with watched.monitor as monitor:
        watched.serve(shift=1.0)
        monitor.accept("x")
        assert "x" in firing(watched.serve(shift=0.0))


def test_an_accepted_new_category_fires_no_further_alert(watched: Watched) -> None:
    """It keeps its share as a new one."""
    with watched.monitor as monitor:
        assert "line" in firing(watched.serve(names=("a", "c")))
        monitor.accept("line")
        assert "line" not in firing(monitor.status())
        assert "line" not in firing(watched.serve(names=("a", "c")))


def test_an_accepted_prediction_is_found_by_its_role(watched: Watched) -> None:
    """Features and predictions may have the same name."""
    with watched.monitor as monitor:
        watched.clock.advance(7_200.0)
        monitor.record(watched.rows(), watched.rng.normal(5, 1, ROWS))
        assert "prediction" in firing(monitor.status())
        monitor.accept("prediction", role="prediction")
        assert "prediction" not in firing(monitor.status())


def test_accepted_fields_are_recorded_in_the_reference_and_saved(
    watched: Watched, tmp_path: Path
) -> None:
    """A later process can start from it."""
    with watched.monitor as monitor:
        watched.serve(shift=1.0, names=("a", "c"))
        monitor.accept("x")
        monitor.accept("line")
        assert monitor.reference is not None
        monitor.reference.save(tmp_path / "accepted.json")
    loaded = Reference.load(tmp_path / "accepted.json")
    accepted = {entry.name for entry in loaded.content.fields if entry.accepted_at is not None}
    assert accepted == {"x", "line"}
    with Monitor("again", reference=loaded, exporters=[]) as monitor:
        monitor.record(watched.rows(shift=1.0, names=("a", "c")), np.zeros(ROWS))
        assert firing(monitor.status()) == {"y"}


def test_fields_with_too_few_values_or_unknown_names_cannot_be_accepted(watched: Watched) -> None:
    """The error says what was expected."""
    with watched.monitor as monitor:
        monitor.status()
        with pytest.raises(ConfigError, match="at least 200 values of x"):
            monitor.accept("x")
        with pytest.raises(ConfigError, match="expected a feature that is compared"):
            monitor.accept("z")
