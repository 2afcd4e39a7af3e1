"""Alerts: raised once, held, cleared, and never by evidence alone."""

import numpy as np

from mlmonitor.compare.alerts.alert_states import AlertStates

LEVEL = 10.0


def look(
    alerts: AlertStates, log_e: float, effect: float, *, rows: float = 1_000, calm: bool = False
) -> tuple[bool, bool]:
    """Whether one field's alert was raised, and cleared, by one look."""
    turn = alerts.look(
        np.array([log_e]),
        np.array([effect]),
        np.array([rows]),
        is_calm=np.array([calm]),
        now=5.0,
    )
    return bool(turn.raised[0]), bool(turn.cleared[0])


def test_an_alert_is_raised_once_stays_and_is_cleared() -> None:
    """Raised at the first look that suffices, silent while it holds, cleared when all is calm."""
    alerts = AlertStates(1, threshold=LEVEL, tolerance=0.01)
    assert look(alerts, 9.0, 0.5) == (False, False)
    assert look(alerts, 11.0, 0.5) == (True, False)
    assert alerts.raised[0]
    assert alerts.since[0] == 5.0
    assert look(alerts, 30.0, 0.5) == (False, False)
    assert look(alerts, 0.0, 0.0) == (False, False)
    assert look(alerts, 0.0, 0.0, calm=True) == (False, True)
    assert not alerts.raised[0]
    assert np.isnan(alerts.since[0])


def test_evidence_of_a_harmless_change_is_no_alert() -> None:
    """However sure, an effect within the tolerance does not alert; nor do too few rows."""
    alerts = AlertStates(1, threshold=LEVEL, tolerance=0.01, min_rows=500)
    assert look(alerts, 99.0, 0.009) == (False, False)
    assert look(alerts, 99.0, 0.5, rows=499) == (False, False)
    assert look(alerts, 99.0, 0.5, rows=500) == (True, False)
