"""The list of fields: changed fields first, with fields that have not changed folded away."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.drift.drift import PSI
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.formatting import counted, percent, share, short
from mlmonitor.present.charts.field_shapes import FieldShape, draw_shapes
from mlmonitor.present.charts.field_trends import Trend, draw_trends
from mlmonitor.present.charts.paths import bars_path
from mlmonitor.present.names import field_id, segment_id, show_name
from mlmonitor.present.views.view_options import ModelReading, ViewOptions
from mlmonitor.records import Quality, Role
from mlmonitor.status.field_status import FieldStatus, compared_psi

_KPI_ROLE = Role.KPI


@dataclass(frozen=True, slots=True)
class Bars:
    """The SVG paths of the training and the live distribution; empty for a missing side."""

    training: str
    live: str
    description: str


@dataclass(frozen=True, slots=True)
class FieldRow:
    """The row of one field.

    state: `alert`, `moved` (drift without an alert), `calm` or `uncompared`.
    score, threshold: the PSI and its threshold as text; empty if not compared. invalid: the share
    of invalid values. is_invalid: whether an alert on invalid values is firing.
    """

    link: str
    name: str
    role: str
    kind: str
    state: str
    bars: Bars | None
    trend: Trend | None
    score: str
    threshold: str
    invalid: str
    is_invalid: bool
    count: str
    note: str


@dataclass(frozen=True, slots=True)
class FieldList:
    """The rows that are shown, the number of all fields, and how many have not changed.

    segments: pairs of identifier and name.
    """

    rows: tuple[FieldRow, ...]
    total: int
    calm: int
    is_folded: bool
    segments: tuple[tuple[str, str], ...]
    note: str


@dataclass(frozen=True, eq=False)
class ListedField:
    """A field that may be listed. place: its index in the population. weight: its importance."""

    population: PopulationSnapshot
    place: int
    status: FieldStatus
    alerts: tuple[Alert, ...]
    weight: float

    @property
    def has_invalid(self) -> bool:
        """Whether an alert on invalid values is firing for this population's own rows."""
        own = self.population.segment
        return any(a.measure != PSI and a.segment == own for a in self.alerts)

    @property
    def is_calm(self) -> bool:
        """Whether the field has no firing alert and no significant drift."""
        return not self.alerts and not self.status.has_alert and not self.status.has_moved


def list_fields(reading: ModelReading, options: ViewOptions) -> FieldList:
    """Return the rows of the fields that match the reader's options, in the chosen order."""
    candidates = find_fields(reading, options.segment)
    calm = sum(candidate.is_calm for candidate in candidates)
    needle = options.query.strip().casefold()
    is_folded = not (options.with_calm or needle or calm == len(candidates) <= _FEW)
    chosen = [
        candidate
        for candidate in candidates
        if (not needle or needle in candidate.status.name.casefold())
        and not (is_folded and candidate.is_calm)
    ]
    ordered = sorted(chosen, key=_SORT_KEYS.get(options.sort, _SORT_KEYS["matters"]))
    part = reading.segment(options.segment)
    note = ""
    if part is not None and not part.reference_rows:
        note = "This segment is not in the reference, so nothing is compared."
    return FieldList(
        rows=tuple(_draw(ordered)),
        total=len(candidates),
        calm=calm,
        is_folded=is_folded,
        segments=tuple((segment_id(s.name), show_name(s.name)) for s in reading.snapshot.segments),
        note=note,
    )


_FEW = 12  # this many calm fields are not folded away if there are no others


def find_fields(reading: ModelReading, segment: str) -> list[ListedField]:
    """Return all fields except business figures, with the alerts and weights that rank them."""
    reference = reading.snapshot.reference
    importances = _scale_importances({} if reference is None else reference.importances)
    statuses = iter(reading.fields(segment))
    part = reading.segment(segment)
    firing: dict[tuple[Role, str], list[Alert]] = defaultdict(list)
    for alert in reading.status.alerts:
        if part is None or alert.segment == part.name:
            firing[alert.role, alert.field].append(alert)
    fields = []
    for population in reading.populations(segment):
        for place, field in enumerate(population.plan.schema.fields):
            status = next(statuses)
            if field.role is not _KPI_ROLE:
                weight = importances.get(field.name, 0.5) if field.role is Role.FEATURE else 1.0
                alerts = tuple(firing.get((field.role, field.name), ()))
                fields.append(ListedField(population, place, status, alerts, weight))
    return fields


def _scale_importances(importances: Mapping[str, float]) -> dict[str, float]:
    """Scale absolute importances to the range from 0.1 to 1."""
    sizes = {name: abs(value) for name, value in importances.items()}
    most = max(sizes.values(), default=0.0)
    return {name: 0.1 + 0.9 * size / most for name, size in sizes.items()} if most else {}


def _rank_candidate(candidate: ListedField) -> tuple[float, float, str]:
    """Return a sort key: firing alerts first, then by evidence times effect times importance."""
    status = candidate.status
    effect = _compute_ratio(status)
    evidence = 1 + min(max(status.log10_e_value or 0.0, 0.0), 300.0)
    return (-float(bool(candidate.alerts)), -evidence * effect * candidate.weight, status.name)


def _compute_ratio(status: FieldStatus) -> float:
    """Return the PSI divided by its threshold; 0 if either is unknown."""
    return (status.psi or 0.0) / max(status.psi_threshold or np.inf, 1e-12)


def invalid_share(status: FieldStatus) -> float:
    """Return the share of invalid values in the window, from 0 to 1."""
    total = sum(status.window_quality.values())
    return 1 - status.window_quality.get(Quality.VALID, 0) / total if total else 0.0


_SORT_KEYS = {
    "matters": _rank_candidate,
    "drift": lambda c: (-_compute_ratio(c.status), 0.0, c.status.name),
    "invalid": lambda c: (-invalid_share(c.status), 0.0, c.status.name),
    "name": lambda c: (0.0, 0.0, c.status.name.casefold()),
}


def _draw(candidates: Sequence[ListedField]) -> list[FieldRow]:
    """Build the rows of some fields; each population is read once for all its fields."""
    places: dict[int, list[int]] = defaultdict(list)
    for candidate in candidates:
        places[id(candidate.population)].append(candidate.place)
    populations = {id(c.population): c.population for c in candidates}
    shapes = {key: draw_shapes(populations[key], chosen) for key, chosen in places.items()}
    trends = {key: draw_trends(populations[key], chosen) for key, chosen in places.items()}
    return [
        _build_row(c, shapes[id(c.population)][c.place], trends[id(c.population)][c.place])
        for c in candidates
    ]


def _build_row(candidate: ListedField, shape: FieldShape | None, trend: Trend | None) -> FieldRow:
    status = candidate.status
    total = sum(status.window_quality.values())
    invalid = total - status.window_quality.get(Quality.VALID, 0)
    state, note = describe_state(candidate)
    psi, threshold = compared_psi(status)
    return FieldRow(
        link=field_id(status.role, status.name),
        name=show_name(status.name),
        role=status.role.value,
        kind=status.kind.value,
        state=state,
        bars=None if shape is None else draw_bars(shape),
        trend=trend,
        score="" if psi is None else f"{psi:.3f}",
        threshold="" if threshold is None else f"{threshold:.3f}",
        invalid=share(invalid, total) if total else "",
        is_invalid=total > 0 and candidate.has_invalid,
        count=counted(status.count),
        note=note,
    )


def describe_state(candidate: ListedField) -> tuple[str, str]:
    """Return the state of a field, as in `FieldRow`, and a phrase that describes it."""
    status = candidate.status
    if status.is_id_like:
        return "uncompared", "almost every value is different: not compared"
    if candidate.alerts:
        kind = "invalid values" if candidate.has_invalid else "in a segment"
        return "alert", "drift" if status.has_alert else kind
    if status.psi is None:
        return "uncompared", "not compared" if status.count else "no values in this window"
    if status.has_moved:
        return "moved", "moved, not yet certain"
    above = status.psi_threshold is not None and status.psi > status.psi_threshold
    return "calm", "within tolerance" if above else "as trained"


def draw_bars(shape: FieldShape) -> Bars:
    """Draw the bars of both distributions on one scale."""
    sides = [side for side in (shape.live, shape.training) if side is not None]
    most = max((float(side.max()) for side in sides), default=0.0)
    training, live = (
        [] if side is None or not most else (side / most).tolist()
        for side in (shape.training, shape.live)
    )
    return Bars(bars_path(training), bars_path(live, is_front=True), _describe(shape))


def _describe(shape: FieldShape) -> str:
    """Describe where the live and the training shares differ most."""
    if shape.live is None:
        return "no values in this window"
    if shape.training is None:
        return "live values; no training values to compare with"
    most = int(np.argmax(np.abs(shape.live - shape.training)))
    now, before = shape.live[most], shape.training[most]
    if shape.edges is not None:
        where = f"{short(shape.edges[most])} to {short(shape.edges[most + 1])}"
    else:
        where = shape.names[most]
    return f"largest difference at {where}: {percent(now)} now, {percent(before)} at training"
