"""Protocol of the parts of a model whose evidence is evaluated periodically."""

from typing import Protocol

from mlmonitor.compare.alerts.alert import Alert


class Evaluable(Protocol):
    """A part of a model that fires alerts: a population, the service, risks or objectives."""

    @property
    def unevaluated_rows(self) -> int:
        """Rows since the last evaluation."""

    @property
    def evaluated_at(self) -> float:
        """Time of the last evaluation, in seconds since 1970."""

    def evaluate(self, *, now: float) -> list[Alert]:
        """Return the alerts that fired or resolved at `now`, in seconds since 1970."""
