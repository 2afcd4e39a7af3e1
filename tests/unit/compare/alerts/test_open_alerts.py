"""Alerts open, change and resolve in one place."""

from dataclasses import replace

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.open_alerts import OpenAlerts, Transitions
from mlmonitor.records import Role


def alert(place: int) -> Alert:
    """Return the alert of the field at this index."""
    return Alert(
        field=f"f{place}",
        role=Role.FEATURE,
        segment="all",
        measure="psi",
        value=0.5,
        current=0.5,
        threshold=0.1,
        log10_e_value=9.0,
        state="firing",
        rows=100,
        started_at=1.0,
        reason="",
    )


def transitions(fired: list[int], resolved: list[int]) -> Transitions:
    """Return masks over three fields."""
    masks = np.zeros((2, 3), np.bool_)
    masks[0, fired] = masks[1, resolved] = True
    return Transitions(*masks)


def test_alerts_that_fire_stay_open_until_they_resolve() -> None:
    """Each transition is returned once; a resolved alert differs only in its state."""
    alerts = OpenAlerts()
    assert alerts.apply(transitions([0, 2], []), alert) == [alert(0), alert(2)]
    assert alerts.apply(transitions([], []), alert) == []
    changed = alerts.apply(transitions([1], [0]), alert)
    assert changed == [alert(1), replace(alert(0), state="resolved")]
    assert list(alerts) == [alert(2), alert(1)]
    assert len(alerts) == 2


def test_only_alerts_that_fire_are_built() -> None:
    """Building one may cost a simulation."""
    built: list[int] = []

    def build(place: int) -> Alert:
        built.append(place)
        return alert(place)

    alerts = OpenAlerts()
    alerts.apply(transitions([1], []), build)
    alerts.apply(transitions([], [1]), build)
    assert built == [1]


def test_the_current_value_of_an_alert_is_updated_and_its_first_value_stays() -> None:
    """If it is unknown now, the last known one stays, also in a resolved alert."""
    alerts = OpenAlerts()
    alerts.apply(transitions([0, 1], []), alert)
    alerts.refresh(np.array([0.3, np.nan, 9.0]))
    assert [(one.value, one.current) for one in alerts] == [(0.5, 0.3), (0.5, 0.5)]
    (resolved,) = alerts.apply(transitions([], [0]), alert)
    assert (resolved.value, resolved.current) == (0.5, 0.3)
