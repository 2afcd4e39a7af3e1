"""The comparison of a champion with its challenger at one moment."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from mlmonitor.by_name import name_entries
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.formatting import amount, join_counts, short

Decision = Literal["champion", "challenger", "undecided"]
PairBasis = Literal["paired", "unpaired", "none"]


@dataclass(frozen=True)
class ChallengeStatus:
    """Whether the challenger is better, and how sure that is.

    decision: `challenger` once its loss is lower by more than the margin, `champion` once that is
        refuted, `undecided` before; a decision is never revised.
    decided_after: the number of labels at the decision.
    loss: the name of the loss; None before the first prediction.
    difference: the challenger's mean loss minus the champion's, with a confidence sequence.
    effective_labels: how many independent labels the difference is worth, if rows have groups.
    log10_e_value: the evidence, from all labels so far, against the hypothesis that the
        challenger's loss is lower by exactly the margin.
    basis: `paired` if the difference is over rows that both models predicted.
    champion, challenger: their mean losses.
    score_difference: the challenger's mean prediction minus the champion's; with `has_classes`, the
        share of rows for which they name different classes.
    score_psi: the PSI between the predictions of both; None before 500 predictions of the champion,
        unless they are classes.
    rows: predictions of the `champion`, of the `challenger`, and rows with `both`.
    labels: their numbers by outcome, as in `Status.labels`; `waiting` labels have no prediction
        yet, and `evicted` predictions were dropped without a label.
    unusable: predictions of each model that have no loss: missing and unreadable ones, and labelled
        ones such as an impossible probability.
    invalid: calls that could not be read.
    last_error: the error of the last such call. If there was none, it says whether a model has
        had no usable prediction so far.
    """

    name: str
    decision: Decision
    decided_after: int | None
    loss: str | None
    difference: Estimate
    effective_labels: float
    log10_e_value: float
    basis: PairBasis
    champion: Estimate
    challenger: Estimate
    score_difference: Estimate
    score_psi: float | None
    has_classes: bool
    margin: float
    alpha: float
    rows: Mapping[str, int]
    labels: Mapping[str, int]
    unusable: Mapping[str, int]
    invalid: int
    last_error: str | None

    def __post_init__(self) -> None:
        name_entries(self, {"rows": "model", "labels": "outcome", "unusable": "model"})

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def lines(self) -> list[str]:
        """Return the comparison as lines of text, the decision first."""
        lines = [f"{self.name}: {self.summary}"]
        if self.basis == "none":
            lines.append(f"  {self._describe_labels()}: only predictions are compared")
        else:
            lines.append(
                f"  {self.loss} loss of the challenger minus that of the champion, {self.basis}: "
                f"{show_interval(self.difference)} over {amount(self.difference.count, 'label')}"
                f"{self._describe_worth()}"
            )
            lines.append(
                f"  champion {short(self.champion.value)}, challenger "
                f"{short(self.challenger.value)}; margin {short(self.margin)}"
            )
        distance = "" if self.score_psi is None else f", PSI {self.score_psi:.3f}"
        what = "name another class in a share of" if self.has_classes else "differ by"
        lines.append(
            f"  predictions {what} {show_interval(self.score_difference)} over "
            f"{amount(self.score_difference.count, 'row')}{distance}"
        )
        counts = {name: count for name, count in self.labels.items() if count}
        lines += [f"  labels: {join_counts(counts, most=10)}"] if counts else []
        unusable = {name: count for name, count in self.unusable.items() if count}
        lines += (
            [f"  predictions without a loss: {join_counts(unusable, most=2)}"] if unusable else []
        )
        return [*lines, f"  last error: {self.last_error}"] if self.last_error else lines

    def _describe_labels(self) -> str:
        """Return why the losses cannot be compared yet."""
        if self.champion.count or self.challenger.count:
            return "labels of one model"
        has_labels = any(self.labels.get(outcome) for outcome in _PAIRED_OUTCOMES)
        return "no label gave a usable loss" if has_labels else "no labels yet"

    def _describe_worth(self) -> str:
        if not self.effective_labels < 0.995 * self.difference.count:
            return ""
        return f" that count as {self.effective_labels:,.0f}"

    @property
    def summary(self) -> str:
        """The decision in a few words."""
        if self.decided_after is None:
            return _VERDICTS[self.decision]
        return f"{_VERDICTS[self.decision]}, decided after {amount(self.decided_after, 'label')}"

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison as dicts, strings, numbers and None (also for infinite numbers)."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: _to_plain(value) for name, value in plain.items()}


_PAIRED_OUTCOMES = "matched", "missing", "unreadable"
"""Outcomes of labels that have a prediction."""

_VERDICTS: Mapping[Decision, str] = {
    "challenger": "the challenger is better",
    "champion": "the champion stays",
    "undecided": "not decided yet",
}


def show_interval(estimate: Estimate) -> str:
    """Return an estimate with its interval, as text."""
    return f"{short(estimate.value)} ({short(estimate.low)} to {short(estimate.high)})"


def _to_plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return {name: _to_plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return dict(value)
    return None if isinstance(value, float) and not isfinite(value) else value
