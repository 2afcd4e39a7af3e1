"""The firing alerts: the only place where alerts open, change and resolve."""

from collections.abc import Callable, ItemsView, Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.records import Floats, Mask


class Transitions(NamedTuple):
    """Masks of the alerts that one evaluation fired and resolved, by their index in the owner."""

    fired: Mask
    resolved: Mask


_AGAIN = "changed again; "


def _keep_reason(_place: int) -> None:
    """Leave the reason of an alert as it is."""


class OpenAlerts:
    """Firing alerts by the index of their field, stream or rule in the owner."""

    __slots__ = ("_by_place",)

    def __init__(self) -> None:
        self._by_place: dict[int, Alert] = {}

    def apply(self, transitions: Transitions, build: Callable[[int], Alert]) -> list[Alert]:
        """Open the alerts that fired and close those that resolved; return both, fired ones first.

        build: builds the alert at an index; called only for alerts that fired.
        """
        fired = {place: build(place) for place in places(transitions.fired)}
        self._by_place |= fired
        resolved = [self._by_place.pop(place) for place in places(transitions.resolved)]
        return [*fired.values(), *(replace(alert, state="resolved") for alert in resolved)]

    def update(self, place: int, alert: Alert) -> Alert:
        """Replace the alert at an index after a further change, but keep the time when it fired."""
        fired = self._by_place[place]
        reason = f"{_AGAIN}{alert.reason}"
        self._by_place[place] = replace(alert, started_at=fired.started_at, reason=reason)
        return self._by_place[place]

    def continue_from(self, other: "OpenAlerts", kept: Mask) -> list[Alert]:
        """Take over the alerts of `other` at the indices in `kept`; return the rest as resolved."""
        resolved = []
        for place, alert in other.items():
            if kept[place]:
                self._by_place[place] = alert
            else:
                resolved.append(replace(alert, state="resolved"))
        return resolved

    def refresh(self, current: Floats, explain: Callable[[int], str | None] = _keep_reason) -> None:
        """Set `current` of each alert to the measure at its index; ignore NaN.

        explain: returns the new reason of the alert at an index, or None to keep the present one.
        """
        for place, alert in self._by_place.items():
            value = float(current[place])
            if not np.isnan(value):
                reason = explain(place)
                again = _AGAIN if alert.reason.startswith(_AGAIN) else ""
                text = alert.reason if reason is None else f"{again}{reason}"
                self._by_place[place] = replace(alert, current=value, reason=text)

    def items(self) -> ItemsView[int, Alert]:
        """Return the alerts with their indices."""
        return self._by_place.items()

    def __len__(self) -> int:
        return len(self._by_place)

    def __iter__(self) -> Iterator[Alert]:
        return iter(self._by_place.values())


def places(mask: Mask) -> list[int]:
    """Return the indices at which a mask is true."""
    indices: list[int] = np.flatnonzero(mask).tolist()
    return indices
