"""Points about challenges: losses, their difference, the decision, predictions and labels."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mlmonitor import catalog
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.series.call_points import finite_point

if TYPE_CHECKING:
    from mlmonitor.challenge.challenge_status import ChallengeStatus

_DECISIONS = ("undecided", "champion", "challenger")


def challenge_points(
    challenges: "Mapping[str, ChallengeStatus]", identity: Attributes
) -> Iterator[Point]:
    """Yield the points of each challenge; the keys are the versions of the challengers."""
    for version, challenge in challenges.items():
        own = (*identity, ("challenger", version))
        yield from _build_loss_points(challenge, own)
        for decision in _DECISIONS:
            labels = (*own, ("decision", decision))
            is_current = challenge.decision == decision
            yield Point(catalog.CHALLENGE_DECISION, labels, float(is_current))
        scores = _list_ends(challenge.score_difference)
        if challenge.score_psi is not None:
            scores["psi"] = challenge.score_psi
        for name, value in scores.items():
            labels = (*own, ("statistic", name))
            yield from finite_point(catalog.CHALLENGE_SCORES, labels, value)
        for side, count in challenge.rows.items():
            yield Point(catalog.CHALLENGE_PREDICTIONS, (*own, ("side", side)), count)
        for status, count in challenge.labels.items():
            if status != "waiting":
                yield Point(catalog.CHALLENGE_LABELS, (*own, ("status", status)), count)


def _build_loss_points(challenge: "ChallengeStatus", own: Attributes) -> Iterator[Point]:
    """Yield the mean loss of each side, and their difference once both have labels."""
    for side, estimate in (("champion", challenge.champion), ("challenger", challenge.challenger)):
        yield from finite_point(catalog.CHALLENGE_LOSS, (*own, ("side", side)), estimate.value)
    if challenge.basis == "none":
        return
    for name, value in (_list_ends(challenge.difference) | {"limit": -challenge.margin}).items():
        labels = (*own, ("statistic", name))
        yield from finite_point(catalog.CHALLENGE_DIFFERENCE, labels, value)
    yield from finite_point(catalog.CHALLENGE_EVIDENCE, own, challenge.log10_e_value)


def _list_ends(estimate: Estimate) -> dict[str, float]:
    return {"current": estimate.value, "low": estimate.low, "high": estimate.high}
