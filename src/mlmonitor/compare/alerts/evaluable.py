"""Parts of a model whose evidence is weighed from time to time."""

from typing import Protocol

from mlmonitor.compare.alerts.alert import Alert


class Evaluable(Protocol):
    """Populations, the service, the risk and the objectives."""

    @property
    def unevaluated_rows(self) -> int:
        """Rows since the last evaluation."""

    @property
    def evaluated_at(self) -> float:
        """When it was last evaluated."""

    def evaluate(self, *, now: float) -> list[Alert]:
        """Return the alerts that fired or resolved."""
