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
"""Causes to repair in the data, because a model trained on such rows would learn the fault."""


@dataclass(frozen=True)
class Incident:
    """Alerts that fired together, with their common cause if it is known.

    cause: what has happened:
        `scaled`, `shifted`: the values of a field, or a part of them, were multiplied by one factor
            or moved by one amount.
        `swapped`: two features have each other's values.
        `filled`: part of the rows have one value, such as -999 for missing.
        `renamed`, `merged`, `exchanged`: a category has a new name, two have become one, or several
            have exchanged their names.
        `respelt`: names have another spelling (spaces, case, '.0', truncated).
        `unreadable`, `lost`, `stuck`: a field has values of the wrong type, no values, or a single
            one.
        `repeated`: rows are sent more than once.
        `service`: calls fail or are slow, or traffic is gone or has grown.
        `inputs`: features moved the prediction, or rows moved from one category to another.
        `misaligned_labels`, `scaled_labels`, `exchanged_classes`, `unrelated_labels`: labels are
            shifted by rows, in another unit, under the names of other classes, or as if shuffled.
        `inverted_scores`: scores or classes are inverted, or predictions have the opposite sign.
        `performance`, `objective`: only the performance is worse, or only an objective is broken.
        `unknown`: none of these.
    title, cause, advice: found at first in the window when the incident opened, later in the rows
        since. They may change while it is open.
    harm: whether labels of predictions made since then show that a drift is `harmful` or `benign`;
        `unknown` with too few of them. A data fault is never benign.
    harm_reason: the measure that shows it.
    members: all its alerts so far.
    started_at: when the first one fired, in seconds since 1970, by the time of the rows if they
        carry one.
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
