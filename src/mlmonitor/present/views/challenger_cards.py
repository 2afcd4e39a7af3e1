"""Cards that compare each challenger with the version in use: decision, losses, predictions."""

import math
from dataclasses import dataclass

from mlmonitor.challenge.challenge_status import ChallengeStatus
from mlmonitor.formatting import amount, counted, join_counts, short, write_sentence
from mlmonitor.present.charts.axes import value_axis
from mlmonitor.present.names import show_name
from mlmonitor.present.views.performance_charts import (
    IntervalMark,
    mark_estimate,
    place_value,
    write_interval,
)
from mlmonitor.present.views.view_options import ModelReading

_MOST = 12


@dataclass(frozen=True, slots=True)
class ChallengerTile:
    """One number, with its interval or the value it is compared with."""

    name: str
    value: str
    interval: str


@dataclass(frozen=True, slots=True)
class ChallengerCard:
    """The comparison of one challenger with the version in use.

    difference: the difference of the mean losses; None before both models have labels. limit: the
    difference below which the challenger wins, in thousandths of the chart's width. labels: the
    labels of the axis.
    """

    name: str
    is_decided: bool
    sentence: str
    title: str
    difference: IntervalMark | None
    limit: int
    labels: tuple[str, ...]
    tiles: tuple[ChallengerTile, ...]
    counts: str


def list_challengers(reading: ModelReading) -> tuple[ChallengerCard, ...]:
    """Return cards of the first 12 challengers, in the order of their declaration."""
    return tuple(map(_build_card, list(reading.status.challenges.values())[:_MOST]))


def _build_card(challenge: ChallengeStatus) -> ChallengerCard:
    loss = show_name(challenge.loss or "")
    is_compared = challenge.basis != "none"
    ends = [x for x in challenge.difference[:3] if math.isfinite(x)]
    axis = value_axis(min([*ends, -challenge.margin]), max([*ends, -challenge.margin]))
    return ChallengerCard(
        name=show_name(challenge.name),
        is_decided=challenge.decided_after is not None,
        sentence=write_sentence(challenge.summary),
        title=f"Mean {loss} loss of the challenger minus that of the champion, {challenge.basis}, "
        f"over {amount(challenge.difference.count, 'label')}",
        difference=mark_estimate(challenge.difference, axis) if is_compared else None,
        limit=place_value(-challenge.margin, axis),
        labels=axis.labels,
        tiles=tuple(_list_tiles(challenge)),
        counts=_describe_counts(challenge),
    )


def _list_tiles(challenge: ChallengeStatus) -> list[ChallengerTile]:
    sides = ("champion", challenge.champion), ("challenger", challenge.challenger)
    tiles = [
        ChallengerTile(f"mean loss of the {side}", short(estimate.value), write_interval(estimate))
        for side, estimate in sides
        if estimate.count
    ]
    if challenge.basis != "none":
        needed = f"decides at {math.log10(1 / challenge.alpha):.2f}"
        value = f"{challenge.log10_e_value:.2f}"
        tiles.append(ChallengerTile("evidence (log10 of the e-value)", value, needed))
    scores = challenge.score_difference
    if scores.count:
        what = (
            "share of rows with another class" if challenge.has_classes else "predictions differ by"
        )
        tiles.append(ChallengerTile(what, short(scores.value), write_interval(scores)))
    if challenge.score_psi is not None:
        rows = f"over {amount(challenge.rows['challenger'], 'row')}"
        tiles.append(ChallengerTile("PSI of the predictions", f"{challenge.score_psi:.3f}", rows))
    return tiles


def _describe_counts(challenge: ChallengeStatus) -> str:
    rows = ", ".join(f"{counted(count)} {name}" for name, count in challenge.rows.items())
    labels = {name: count for name, count in challenge.labels.items() if count}
    text = f"Predictions: {rows}. Labels: {join_counts(labels, most=10) or 'none'}."
    if challenge.last_error is None:
        return text
    return f"{text} Last error: {show_name(challenge.last_error)}."
