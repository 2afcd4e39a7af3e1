"""The status of business figures and of attributions, as data and as lines of text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlmonitor.by_name import name_entries
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.formatting import amount, short, truncate
from mlmonitor.records import Role
from mlmonitor.status.field_status import FieldStatus, field_statuses

_NAMED = 5


@dataclass(frozen=True)
class KpiStatus:
    """The status of one business figure.

    sum, count, mean: over the window. total, total_count: sum and count since the start of
    the process. unit: as declared. failures: blocks of rows for which its function failed. field:
    its distribution, and its drift if it is in the reference.
    """

    name: str
    unit: str
    sum: float
    count: int
    mean: float | None
    total: float
    total_count: int
    failures: int
    field: FieldStatus


@dataclass(frozen=True)
class AttributionStatus:
    """The mean absolute attribution of each feature to the predictions of the window.

    mean_absolute: by feature, the largest first. reference: the means at training. ndcg: how well
    the two rankings of features agree, 1 if they are equal; SageMaker alerts below 0.9.
    """

    mean_absolute: Mapping[str, float]
    reference: Mapping[str, float]
    ndcg: float | None

    def __post_init__(self) -> None:
        name_entries(self, {"mean_absolute": "feature", "reference": "feature"})


def kpi_statuses(snapshot: ModelSnapshot) -> dict[str, KpiStatus]:
    """Return the status of each figure by name, in the order in which figures first arrived."""
    statuses = [_build_kpi_status(snapshot, population) for population in snapshot.kpis]
    return {status.name: status for status in statuses}


def _build_kpi_status(snapshot: ModelSnapshot, population: PopulationSnapshot) -> KpiStatus:
    (field,) = field_statuses(population)
    recent, total = population.view.profile.moments, population.total
    count = int(recent.count[0])
    return KpiStatus(
        name=field.name,
        unit=snapshot.kpi_units.get(field.name, ""),
        sum=float(recent.mean[0] * count) if count else 0.0,
        count=count,
        mean=float(recent.mean[0]) if count else None,
        total=float(total.sums[0]),
        total_count=int(total.moments.count[0]),
        failures=snapshot.kpi_failures.get(field.name, 0),
        field=field,
    )


def attribution_status(snapshot: ModelSnapshot) -> AttributionStatus | None:
    """Return the attributions over the window; None before the first row with attributions."""
    attributions = snapshot.attributions
    if attributions is None:
        return None
    return AttributionStatus(
        dict(attributions.mean_absolute), dict(attributions.reference), attributions.ndcg
    )


def figure_lines(
    kpis: Mapping[str, KpiStatus], attributions: AttributionStatus | None
) -> list[str]:
    """Return a line for each figure, and one for the features with the largest attributions."""
    lines = [_write_kpi_line(kpi) for kpi in list(kpis.values())[:_NAMED]]
    lines += [f"KPIs: {amount(len(kpis) - _NAMED, 'more')}"] if len(kpis) > _NAMED else []
    if attributions is not None and attributions.mean_absolute:
        sizes = list(attributions.mean_absolute.items())[:_NAMED]
        ranked = ", ".join(f"{truncate(name, 24)} {short(size)}" for name, size in sizes)
        agreement = ""
        if attributions.ndcg is not None:
            agreement = f"; ranking as at training: nDCG {attributions.ndcg:.3f}"
        lines.append(f"mean absolute attribution: {ranked}{agreement}")
    return lines


def _write_kpi_line(kpi: KpiStatus) -> str:
    unit = f" {kpi.unit}" if kpi.unit else ""
    text = f"{truncate(kpi.name, 40)}: sum {short(kpi.sum)}{unit}, mean {short(kpi.mean)}{unit} "
    text += f"over {amount(kpi.count, 'row')} in the window"
    return f"{text}; failed for {amount(kpi.failures, 'block')}" if kpi.failures else text


def order_alerts(alerts: Sequence[Alert], snapshot: ModelSnapshot) -> tuple[Alert, ...]:
    """Sort alerts of features by importance, after all other alerts.

    Importances are the reference's, or else its mean absolute attributions.
    """
    weights = {} if snapshot.reference is None else snapshot.reference.importances
    if not weights and snapshot.attributions is not None:
        weights = snapshot.attributions.reference
    if not weights:
        return tuple(alerts)
    return tuple(
        sorted(
            alerts,
            key=lambda alert: (
                -abs(weights.get(alert.field, 0.0)) if alert.role is Role.FEATURE else -float("inf")
            ),
        )
    )
