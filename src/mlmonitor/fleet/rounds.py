"""Evaluate profiles of many processes in the order of their rows, as one service would."""

from collections.abc import Sequence

from mlmonitor.compare.model_state import ModelState
from mlmonitor.config import Config
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.records import Declared
from mlmonitor.reference.reference import Reference

ROUND_SECONDS = {"hour": 3_600.0, "day": 86_400.0}
"""The lengths of rounds, by name."""


def evaluate_rounds(
    rounds: Sequence[ProfileContent],
    reference: Reference,
    *,
    config: Config,
    ignore: frozenset[str] = frozenset(),
    now: float,
) -> ModelState:
    """Compare the rounds with the reference one after the other, and evaluate after each round.

    The evidence covers all rounds, and may restart after each round, as in a service. A change
    that began in a late round is therefore not diluted by earlier rows. The window holds the
    rows of the last round. An alert of the last round starts at `now`, an alert of an earlier round
    at the time of that round's newest rows.

    Promise: that of `EProcess`, over all rows of all processes as one stream.

    Raises:
        FormatError: an array does not fit the reference.
        IncompatibleSketch: rows were counted with another reference.
    """
    names = reference.segments if rounds and rounds[-1].segments else ()
    declared = Declared(ignore, segments=names)
    state = ModelState(config, reference, declared=declared, started_at=now)
    state.begin_comparing(now=now)
    comparing = state.traffic.comparing
    assert comparing is not None  # noqa: S101 - there is a reference
    for place, content in enumerate(rounds, start=1):
        is_last = place == len(rounds)
        ended_at = now if is_last or content.last_at is None else min(content.last_at, now)
        content.apply_to(comparing, is_recent=is_last)
        changed = [alert for part in state.populations for alert in part.evaluate(now=ended_at)]
        state.group_alerts(changed)
    return state
