"""The verdict on a model: an action, the reasons for it, and the time it was first advised."""

from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Any, Literal

from mlmonitor.formatting import amount

Action = Literal["keep", "recalibrate", "retrain"]
ReasonCode = Literal[
    "risk", "bounds", "estimate", "calibration", "age", "stable", "drift", "input", "few_labels",
    "no_baseline",
]  # fmt: skip

CODES: dict[Action, tuple[ReasonCode, ...]] = {
    "keep": ("stable", "drift", "input", "few_labels", "no_baseline", "estimate"),
    "recalibrate": ("calibration", "risk", "bounds"),
    "retrain": ("risk", "bounds", "age", "calibration"),
}
"""The reasons that each action may have."""


@dataclass(frozen=True)
class VerdictReason:
    """One reason for a verdict, in words and as attributes.

    code: `risk` (the loss rose beyond the tolerance), `bounds` (a declared limit is exceeded),
        `estimate` (the performance estimated while labels are missing), `calibration` (predictions
        are off on average, or too extreme), `age` (the model is older than declared), `stable` (the
        loss has not risen), `drift` (drift without known harm), `input` (a data fault that
        retraining would learn), `few_labels` or `no_baseline`.
    measure, value, limit: the measure now, and the value that it must not pass.
    baseline: the measure at training, or in the oldest cohorts.
    count: the labelled predictions behind `value`.
    maturity: the share of their labels that have arrived.
    log10_e_value: the evidence.
    predictions_since: the start of the oldest cohort behind `value`, only given while its labels
        are still to arrive.
    """

    code: ReasonCode
    text: str
    measure: str | None = None
    value: float | None = None
    baseline: float | None = None
    limit: float | None = None
    count: int | None = None
    maturity: float | None = None
    log10_e_value: float | None = None
    fields: tuple[str, ...] = field(default=())
    predictions_since: datetime | None = None

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Verdict:
    """Keep, recalibrate or retrain the model.

    keep: nothing calls for a change, or there is too little evidence; the reasons say which.
    recalibrate: predictions are systematically off, and correcting them by a line would bring the
    loss back. retrain: a correction would not be enough, or the model is older than declared.
    since: when this action was first advised, by the time of the rows if they carry one.
    """

    action: Action
    reasons: tuple[VerdictReason, ...]
    since: datetime

    def __str__(self) -> str:
        return f"{self.action}: {'; '.join(map(str, self.reasons))}"

    def to_dict(self) -> dict[str, Any]:
        """Return the verdict as dicts, lists, strings and numbers that JSON can hold."""
        return {
            "action": self.action,
            "since": self.since.isoformat(),
            "reasons": [_write_reason(reason) for reason in self.reasons],
        }


def _write_reason(reason: VerdictReason) -> dict[str, Any]:
    """Return the attributes that have a value; infinite numbers are left out, as JSON has none."""
    numbers = {
        name: value
        for name, value in vars(reason).items()
        if isinstance(value, int | float) and isfinite(value)
    }
    names: dict[str, Any] = {"measure": reason.measure, "fields": list(reason.fields)}
    named = {name: value for name, value in names.items() if value}
    if reason.predictions_since is not None:
        named["predictions_since"] = reason.predictions_since.isoformat()
    return {"code": reason.code, "text": reason.text, **named, **numbers}


def describe_labels(count: int, maturity: float | None) -> str:
    """Name the labels behind a number, such as `1,200 labels, 97% mature`."""
    text = amount(count, "label")
    return text if maturity is None else f"{text}, {100 * maturity:.0f}% mature"
