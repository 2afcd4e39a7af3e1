"""Incident: alerts whose changes began in the same rows, as one event to investigate."""

from dataclasses import dataclass
from typing import Final, Literal

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.display.markup import add_items, new_fragment, to_text

Cause = Literal[
    "scaled",
    "shifted",
    "renamed",
    "respelt",
    "merged",
    "exchanged",
    "swapped",
    "filled",
    "unreadable",
    "lost",
    "stuck",
    "repeated",
    "service",
    "inputs",
    "misaligned_labels",
    "inverted_scores",
    "exchanged_classes",
    "scaled_labels",
    "unrelated_labels",
    "performance",
    "objective",
    "unknown",
]

DATA_FAULTS: Final[frozenset[Cause]] = frozenset(
    (
        *("renamed", "respelt", "merged", "exchanged", "unreadable", "swapped", "filled"),
        *("lost", "stuck", "repeated"),
    )
)
"""Causes that are repaired in the data; a model trained on such rows would learn the fault."""


@dataclass(frozen=True)
class Incident:
    """Alerts that fired together, with their common cause if it is known.

    cause: the values of a field, or a part of them, multiplied by one factor (`scaled`) or moved by
    one amount (`shifted`), two features `swapped`, one value for part of the rows (`filled`), such
    as -999 for missing, a category `renamed`, two that are `merged`, categories `exchanged`, names
    that are `respelt` (spaces, case, '.0', truncated), values of the wrong type (`unreadable`), a
    field without values (`lost`) or with a single one (`stuck`), rows that are `repeated`, the
    `service` failing or slow, `inputs` that moved the prediction or moved from one category to
    another, labels shifted by rows (`misaligned_labels`), in another unit (`scaled_labels`), with
    the names of other classes (`exchanged_classes`) or as if shuffled (`unrelated_labels`),
    `inverted_scores`, only the model's `performance` worse, only an `objective` broken, or
    `unknown`.
    title, cause, advice: at first from the window when the incident opened, later from the rows
    since. They may change while it is open.
    harm: whether labels of predictions made since show that a drift is `harmful` or `benign`;
    `unknown` with too few of them. A data fault is never benign. harm_reason: the measure that
    shows it.
    members: all its alerts so far. started_at: when the first one fired, in seconds since 1970, by
    the time of the rows if they carry one.
    """

    title: str
    cause: Cause
    advice: str
    members: tuple[Alert, ...]
    started_at: float
    state: Literal["open", "closed"] = "open"
    harm: Literal["harmful", "benign", "unknown"] = "unknown"
    harm_reason: str = ""

    def __str__(self) -> str:
        if self.state == "closed":
            return f"{self.title}: over"
        alerts = "1 alert" if len(self.members) == 1 else f"{len(self.members)} alerts"
        harm = "" if self.harm == "unknown" else f", {self.harm} ({self.harm_reason})"
        return f"{self.title} ({alerts}){harm}; {self.advice}"

    def _repr_html_(self) -> str:
        state = "over" if self.state == "closed" else self.advice
        root = new_fragment(self.title, state)
        add_items(
            root, ((alert.field, f"{alert.measure}: {alert.reason}") for alert in self.members)
        )
        return to_text(root)
