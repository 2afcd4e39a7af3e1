"""Alarms: raised once, held, cleared, and never by evidence alone."""

import numpy as np

from mlmonitor.compare.alarms import Alarms

LEVEL = 10.0


def look(
    alarms: Alarms, log_e: float, effect: float, *, rows: float = 1_000, calm: bool = False
) -> tuple[bool, bool]:
    """Whether one field's alarm was raised, and cleared, by one look."""
    turn = alarms.look(
        np.array([log_e]),
        np.array([effect]),
        np.array([rows]),
        is_calm=np.array([calm]),
        now=5.0,
    )
    return bool(turn.raised[0]), bool(turn.cleared[0])


def test_an_alarm_is_raised_once_stays_and_is_cleared() -> None:
    """Raised at the first look that suffices, silent while it holds, cleared when all is calm."""
    alarms = Alarms(1, threshold=LEVEL, tolerance=0.01)
    assert look(alarms, 9.0, 0.5) == (False, False)
    assert look(alarms, 11.0, 0.5) == (True, False)
    assert alarms.raised[0]
    assert alarms.since[0] == 5.0
    assert look(alarms, 30.0, 0.5) == (False, False)
    assert look(alarms, 0.0, 0.0) == (False, False)
    assert look(alarms, 0.0, 0.0, calm=True) == (False, True)
    assert not alarms.raised[0]
    assert np.isnan(alarms.since[0])


def test_evidence_of_a_harmless_change_is_no_alarm() -> None:
    """However sure, an effect within the tolerance does not alarm; nor do too few rows."""
    alarms = Alarms(1, threshold=LEVEL, tolerance=0.01, min_rows=500)
    assert look(alarms, 99.0, 0.009) == (False, False)
    assert look(alarms, 99.0, 0.5, rows=499) == (False, False)
    assert look(alarms, 99.0, 0.5, rows=500) == (True, False)
