"""What is known of a champion and its challenger at one moment."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.formatting import amount, join_counts, short

Decision = Literal["champion", "challenger", "undecided"]
PairBasis = Literal["paired", "unpaired", "none"]


@dataclass(frozen=True)
class ChallengeStatus:
    """Whether the challenger is better, and how sure that is.

    decision: `challenger` once its loss is lower by more than the margin, `champion` once it is
    not, `undecided` before. difference: the challenger's mean loss minus the champion's, with a
    confidence sequence. basis: of the difference, `paired` if both models predicted the same rows.
    champion, challenger: their mean losses. score_difference: the challenger's mean prediction
    minus the champion's; for classes, the share of rows on which they disagree. score_psi: the
    distance of the predictions' distributions; None before 500 predictions of the champion.
    labels: by outcome, as `Status.labels`. invalid: calls that could not be read.
    """

    name: str
    decision: Decision
    difference: Estimate
    basis: PairBasis
    champion: Estimate
    challenger: Estimate
    score_difference: Estimate
    score_psi: float | None
    margin: float
    alpha: float
    labels: Mapping[str, int]
    invalid: int
    last_error: str | None

    def __str__(self) -> str:
        lines = [f"{self.name}: {_VERDICTS[self.decision]}"]
        if self.basis == "none":
            lines.append("  no labels yet: only predictions are compared")
        else:
            lines.append(
                f"  loss of the challenger minus that of the champion, {self.basis}: "
                f"{_show(self.difference)} over {amount(self.difference.count, 'label')}"
            )
            lines.append(
                f"  champion {short(self.champion.value)}, challenger "
                f"{short(self.challenger.value)}; margin {short(self.margin)}"
            )
        distance = "" if self.score_psi is None else f", PSI {self.score_psi:.3f}"
        lines.append(
            f"  predictions differ by {_show(self.score_difference)} over "
            f"{amount(self.score_difference.count, 'row')}{distance}"
        )
        counts = {name: count for name, count in self.labels.items() if count}
        lines += [f"  labels: {join_counts(counts, most=10)}"] if counts else []
        lines += [f"  last error: {self.last_error}"] if self.last_error else []
        return "\n".join(lines)

    def to_dict(self) -> dict[str, Any]:
        """The same as dicts, strings, numbers and None."""
        plain = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        return {name: _to_plain(value) for name, value in plain.items()}


_VERDICTS: Mapping[Decision, str] = {
    "challenger": "the challenger is better",
    "champion": "the champion stays",
    "undecided": "not decided yet",
}


def _show(estimate: Estimate) -> str:
    return f"{short(estimate.value)} ({short(estimate.low)} to {short(estimate.high)})"


def _to_plain(value: Any) -> Any:
    if isinstance(value, Estimate):
        return {name: _to_plain(part) for name, part in value._asdict().items()}
    if isinstance(value, Mapping):
        return dict(value)
    return None if isinstance(value, float) and not isfinite(value) else value
