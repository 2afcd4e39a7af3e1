"""Alert: a change that deserves attention, with its size, its evidence and its start."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from mlmonitor.aggregate.segments import ALL
from mlmonitor.display.markup import new_fragment, to_text
from mlmonitor.formatting import short
from mlmonitor.records import Role
from mlmonitor.stats.dependence.overdispersion import FEWEST_DAYS

AlertState = Literal["firing", "resolved"]

OBJECTIVE_FIELD: Final = "objective"
"""The field of an alert on a declared objective."""

PERFORMANCE_FIELD: Final = "performance"
"""The field of an alert on a measure that is worse than at training."""

ESTIMATED_FIELD: Final = "estimated performance"
"""The field of an alert on a measure that is estimated without labels."""

PROJECTED_FIELD: Final = "projected performance"
"""The field of an alert on a measure that is projected to the labels still to arrive."""

SELF_EXPLANATORY = frozenset({"constant", "vanished", "minimum", "maximum", "allowed", "nullable"})
"""Measures that are fully described by their reason, without a threshold."""


DEPENDENCE_ADVICE: Final = (
    f"if rows depend on each other, fit with groups= or at least {FEWEST_DAYS} days of times="
)
"""What to do about an alert whose reference cannot show whether its rows depend on each other."""

_BASES: Final[Mapping[str, Literal["estimated", "projected"]]] = {
    ESTIMATED_FIELD: "estimated",
    PROJECTED_FIELD: "projected",
}
OWN_NAMES: Final = (OBJECTIVE_FIELD, ESTIMATED_FIELD, PROJECTED_FIELD)
"""Fields whose name says what they are, without their role."""

_NEARLY_ALL = 0.95  # dependence is not mentioned if this share of the rows is independent


@dataclass(frozen=True)
class Alert:
    """A change of one field that is statistically significant and large enough to matter.

    measure: the name of what `value` measures. `psi`; the share of values that are `missing`,
        `nonfinite`, `wrong_type`, `out_of_range` or `new_category`, that are equal (`constant`) or
        gone (`vanished`); the share of rows with a `new_field`; or the share of values that break a
        declared rule (`minimum`, `maximum`, `allowed`, `nullable`). For the role `performance` it
        is a measure of performance, such as `mae` or `accuracy`.
    value: the measure when the alert fired, over the rows since the change began.
    current: the measure now, updated each tick while the alert is firing. It covers the rows since
        the change began, or the window once the change is older than the window. For performance it
        covers the newest labels, for the service the newest calls, and for new fields and broken
        rules the rows of the last evaluation.
    reason: what changed most, over the rows of `current`. Alerts that differ only in `current` and
        `reason` are equal.
    threshold: the critical value of the measure at this many rows; for `constant` and `vanished`,
        the probability of such a run; for performance, the value that the tolerance allows.
    log10_e_value: the evidence when the alert fired; infinite for a broken rule.
    effective_rows: how many independent rows the `rows` are worth as evidence; None if that is not
        computed for the measure.
    is_dependence_known: False if the reference has neither groups nor times and shows no
        dependence, so that rows count as independent.
    rows: the number of rows behind `value`.
    started_at: when the alert fired, in seconds since 1970: the time of the newest rows, if they
        were recorded with one (`at=`).
    """

    field: str
    role: Role
    segment: str
    measure: str
    value: float
    current: float = dataclasses.field(compare=False)
    threshold: float
    log10_e_value: float
    state: AlertState
    rows: int
    started_at: float
    reason: str = dataclasses.field(repr=False, compare=False)  # it may name a category
    effective_rows: float | None = None
    is_dependence_known: bool = True

    @property
    def basis(self) -> Literal["realised", "estimated", "projected"]:
        """The source of the value: `realised` with labels, `estimated`, or `projected`.

        An estimated value uses no labels, a projected value only those that have arrived.
        """
        if self.role is not Role.PERFORMANCE:
            return "realised"
        return _BASES.get(self.field, "realised")

    @property
    def has_limit(self) -> bool:
        """Whether `threshold` is a declared or tolerated limit, not a critical value."""
        is_limit = self.role is Role.PERFORMANCE or self.measure == "traffic"
        return is_limit or self.field == OBJECTIVE_FIELD

    def __str__(self) -> str:
        is_named = self.field in (self.role.value, *OWN_NAMES)
        who = self.field if is_named else f"{self.role.value} {self.field}"
        where = "" if self.segment == ALL else f" in {self.segment}"
        if self.state == "resolved":
            return f"{who}{where}: {self.measure} recovered"
        if self.measure in SELF_EXPLANATORY:
            return f"{who}{where}: {self.measure}; {self.reason}"
        if self.has_limit:
            return (
                f"{who}{where}: {self.measure} {short(self.value)} over {self.rows:,} rows, "
                f"limit {short(self.threshold)}; {self.reason}"
            )
        advice = "" if self.is_dependence_known else f"; {DEPENDENCE_ADVICE}"
        return (
            f"{who}{where}: {self.measure} {self.value:.3f} over {self.rows:,} rows"
            f"{self.worth}, threshold {self.threshold:.3f}; {self.reason}{advice}"
        )

    def _repr_html_(self) -> str:
        title, _, details = str(self).partition(": ")
        return to_text(new_fragment(title, details))

    @property
    def worth(self) -> str:
        """The effective number of rows as text: ` that count as 180`; empty if close to all."""
        if not self.is_dependence_known:
            return " (dependence unknown)"
        if self.effective_rows is None or self.effective_rows > _NEARLY_ALL * self.rows:
            return ""
        return f" that count as {max(round(self.effective_rows), 1):,}"
