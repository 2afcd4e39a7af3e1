"""One thing that is not as it was: what, how much, how sure, and since when."""

import dataclasses
from dataclasses import dataclass
from typing import Literal

from mlmonitor.aggregate.segments import ALL
from mlmonitor.records import Role

AlertState = Literal["firing", "resolved"]

_TELLING = frozenset({"constant", "vanished", "minimum", "maximum", "allowed", "nullable"})
"""Measures whose reason says all there is: a share by chance means nothing beside them."""


@dataclass(frozen=True)
class Alert:
    """A change of one field that chance does not explain and that is large enough to matter.

    measure: what `value` is, over the rows since the change began as far as can be told: `psi`; the
    share of values that are `missing`, `nonfinite`, `wrong_type`, `out_of_range` or `new_category`,
    that
    are equal (`constant`) or gone (`vanished`); of rows with a `new_field`; or of values that break
    a declared rule (`minimum`, `maximum`, `allowed`, `nullable`). critical: what `value` may be by
    chance in so many rows; of equal and vanished ones, the chance itself. evidence: the logarithm
    to base 10 of the e-value when it was told; infinite for a broken rule. alert: `raised` or
    `cleared`. since: seconds since 1970 of the raising.
    """

    field: str
    role: Role
    segment: str
    measure: str
    value: float
    threshold: float
    log10_e_value: float
    state: AlertState
    rows: int
    started_at: float
    reason: str = dataclasses.field(repr=False)  # it may name a category

    def __str__(self) -> str:
        who = self.field if self.field == self.role.value else f"{self.role.value} {self.field}"
        where = "" if self.segment == ALL else f" in {self.segment}"
        if self.state == "resolved":
            return f"{who}{where}: {self.measure} recovered"
        if self.measure in _TELLING:
            return f"{who}{where}: {self.measure}; {self.reason}"
        return (
            f"{who}{where}: {self.measure} {self.value:.3f} over {self.rows:,} rows, "
            f"{self.threshold:.3f} without drift; {self.reason}"
        )
