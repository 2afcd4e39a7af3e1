"""Alerts fire once, stay, resolve, and never fire on evidence alone."""

import numpy as np

from mlmonitor.compare.alerts.alert_states import AlertStates

THRESHOLD = 10.0


def evaluate(
    states: AlertStates,
    log_e: float,
    effect: float,
    *,
    rows: float = 1_000,
    has_recovered: bool = False,
) -> tuple[bool, bool]:
    """Return whether the alert of one stream fired and whether it resolved in one evaluation."""
    transitions = states.evaluate(
        np.array([log_e]),
        np.array([effect]),
        np.array([rows]),
        has_recovered=np.array([has_recovered]),
        now=5.0,
    )
    return bool(transitions.fired[0]), bool(transitions.resolved[0])


def test_an_alert_fires_once_stays_and_later_resolves() -> None:
    """It fires at the first sufficient evaluation and resolves once the stream has recovered."""
    states = AlertStates(1, threshold=THRESHOLD, tolerance=0.01)
    assert evaluate(states, 9.0, 0.5) == (False, False)
    assert evaluate(states, 11.0, 0.5) == (True, False)
    assert states.is_firing[0]
    assert states.started_at[0] == 5.0
    assert evaluate(states, 30.0, 0.5) == (False, False)
    assert evaluate(states, 0.0, 0.0) == (False, False)
    assert evaluate(states, 0.0, 0.0, has_recovered=True) == (False, True)
    assert not states.is_firing[0]
    assert np.isnan(states.started_at[0])


def test_evidence_of_a_harmless_change_fires_no_alert() -> None:
    """An effect within the tolerance, or too few rows, do not fire with any evidence."""
    states = AlertStates(1, threshold=THRESHOLD, tolerance=0.01, min_rows=500)
    assert evaluate(states, 99.0, 0.009) == (False, False)
    assert evaluate(states, 99.0, 0.5, rows=499) == (False, False)
    assert evaluate(states, 99.0, 0.5, rows=500) == (True, False)
