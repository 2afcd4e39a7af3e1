"""The part of a monitor's status that the service returns as JSON and the demo reads."""

from typing import Self

from pydantic import BaseModel

from mlmonitor import Status


class FieldSnapshot(BaseModel):
    """One field over the window; None for a number that cannot be computed."""

    name: str
    role: str
    count: int
    mean: float | None
    psi: float | None
    psi_threshold: float | None
    has_alert: bool


class ErrorSnapshot(BaseModel):
    """Errors of all labelled predictions since the start; bias is predicted minus actual."""

    count: int
    mae: float
    bias: float


class Snapshot(BaseModel):
    """A monitor's status at one moment: totals since the start, fields over the window."""

    predictions: int
    failed: int
    dropped: int
    faults: int
    window_rows: int
    labels: dict[str, int]
    errors: ErrorSnapshot | None
    fields: list[FieldSnapshot]
    alerts: list[str]
    mix: dict[str, float]

    @classmethod
    def from_status(cls, status: Status) -> Self:
        """Return the part of `status` that the demo shows."""
        performance = status.performance
        return cls(
            predictions=status.predictions,
            failed=sum(status.errors.values()),
            dropped=status.dropped,
            faults=status.internal_errors,
            window_rows=status.window_rows,
            labels=dict(status.labels),
            errors=performance
            and ErrorSnapshot(count=performance.count, mae=performance.mae, bias=performance.bias),
            fields=[
                FieldSnapshot.model_validate(field, from_attributes=True) for field in status.fields
            ],
            alerts=[str(alert) for alert in status.alerts],
            mix=_mix(status),
        )

    def errors_since(self, earlier: Self) -> ErrorSnapshot | None:
        """Return the errors of predictions labelled since an earlier snapshot; None if none were.

        Means are converted to sums, which can be subtracted. A backend does the same with the
        exported counters.
        """
        now, then = self.errors, earlier.errors or ErrorSnapshot(count=0, mae=0.0, bias=0.0)
        if now is None or now.count <= then.count:
            return None
        count = now.count - then.count
        return ErrorSnapshot(
            count=count,
            mae=(now.mae * now.count - then.mae * then.count) / count,
            bias=(now.bias * now.count - then.bias * then.count) / count,
        )


def _mix(status: Status) -> dict[str, float]:
    """Return the significant effects of changed feature mixes on the mean prediction."""
    parts = () if status.why is None else status.why.contributions
    return {part.field: part.mix for part in parts if part.is_beyond_chance}
