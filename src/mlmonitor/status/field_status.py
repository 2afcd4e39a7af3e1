"""One field over the window, as people and programs read it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from mlmonitor.aggregate.profile import Profile
from mlmonitor.aggregate.sketches.heavy_hitters import Hitter
from mlmonitor.compare.population import STATUS_QUANTILES, Compared
from mlmonitor.records import QUALITIES, Field, Floats, Kind, Quality, Role
from mlmonitor.stats.mmd import MMD

MOVED_PSI = 0.1
"""A field whose PSI is beyond this, and beyond what chance explains, is said to have moved."""

_SHOWN_HITTERS = 5
_SHOWN_FROM = 5  # a value seen less often may be one person's: its name is not shown


@dataclass(frozen=True)
class FieldStatus:
    """One field over the window. Numbers are None where there is nothing to tell.

    quality: of all values since the start. psi, jensen_shannon: distance of the window from the
    reference. psi_threshold: what PSI passes once in a hundred looks, at this many rows, without
    any drift. new_categories: the most frequent values that the reference does not know.
    log10_e_value: how strongly everything seen so far speaks for a change; has_alert: whether
    that, and the size of the change, is beyond the level. window_quality: of the window's values.
    is_id_like: whether the reference's values were almost all different, so that nothing is
    compared.
    mmd: of an embedding's kernel similarity, the maximum mean discrepancy of its vectors.
    """

    name: str
    role: Role
    kind: Kind
    count: int
    quality: Mapping[Quality, int]
    mean: float | None = None
    stddev: float | None = None
    min: float | None = field(default=None, repr=False)
    max: float | None = field(default=None, repr=False)
    quantiles: Mapping[float, float] = field(default_factory=dict, repr=False)
    psi: float | None = None
    jensen_shannon: float | None = None
    new_categories: tuple[Hitter, ...] = field(default=(), repr=False)
    distinct: float | None = None
    psi_threshold: float | None = None
    log10_e_value: float | None = None
    has_alert: bool = False
    window_quality: Mapping[Quality, int] = field(default_factory=dict)
    is_id_like: bool = False
    mmd: float | None = None

    @property
    def missing(self) -> int:
        """Missing values since the start."""
        return self.quality[Quality.MISSING]

    @property
    def has_moved(self) -> bool:
        """Whether PSI is beyond `MOVED_PSI` and beyond what chance explains at this many rows."""
        if self.role is Role.ACTUAL and self.count == 0:  # not one label could be read
            return False
        return self.psi is not None and self.psi > max(MOVED_PSI, self.psi_threshold or 0.0)


def field_named(name: str, role: Role | str, fields: Sequence[FieldStatus]) -> FieldStatus:
    """The field of that name and role; raises KeyError where there is none."""
    for each in fields:
        if each.name == name and each.role == role:
            return each
    others = [f"role={str(each.role)!r}" for each in fields if each.name == name]
    told = f"there is one of {' and one of '.join(others)}" if others else "nor is anything else"
    raise KeyError(f"no {role} is called {name!r}; {told}")


def field_statuses(compared: Compared) -> list[FieldStatus]:
    """Each field of a population as people and programs read it."""
    schema = compared.plan.schema
    fields = enumerate(schema.fields)
    return [
        _numeric_status(compared, at, field)
        if field.is_numeric
        else _categorical_status(compared, at, field)
        for at, field in fields
    ]


def _numeric_status(compared: Compared, at: int, field: Field) -> FieldStatus:
    moments = compared.view.profile.moments
    known = moments.count[at] > 0
    quantiles = zip(STATUS_QUANTILES, compared.quantiles[at].tolist(), strict=True)
    return FieldStatus(
        name=field.name,
        role=field.role,
        kind=field.kind,
        count=int(moments.count[at]),
        quality=_quality(compared.total, at),
        window_quality=_quality(compared.view.profile, at),
        mean=_number(moments.mean[at]) if known else None,
        stddev=_number(moments.stddev[at]) if known else None,
        min=_number(moments.min[at]) if known else None,
        max=_number(moments.max[at]) if known else None,
        quantiles={q: x for q, x in quantiles if np.isfinite(x)},
        psi=_score(compared.scores, "psi", at),
        psi_threshold=_score(compared.critical, "psi", at),
        log10_e_value=_number(compared.log10_e_value[at]),
        has_alert=compared.is_firing[at],
        jensen_shannon=_score(compared.scores, "js", at),
        mmd=_score(compared.scores, MMD, at),
    )


def _categorical_status(compared: Compared, at: int, field: Field) -> FieldStatus:
    place = at - len(compared.plan.schema.numeric)
    counts = compared.view.profile.categories[place]
    shapes = compared.view.shapes
    shown = [hit for hit in shapes.hitters[place].top() if hit.count - hit.error >= _SHOWN_FROM]
    return FieldStatus(
        name=field.name,
        role=field.role,
        kind=field.kind,
        count=int(counts.sum()),
        quality=_quality(compared.total, at),
        window_quality=_quality(compared.view.profile, at),
        psi=_score(compared.scores, "psi", at),
        psi_threshold=_score(compared.critical, "psi", at),
        log10_e_value=_number(compared.log10_e_value[at]),
        has_alert=compared.is_firing[at],
        jensen_shannon=_score(compared.scores, "js", at),
        new_categories=tuple(shown[:_SHOWN_HITTERS]),
        distinct=distinct_categories(compared, place),
        is_id_like=bool(compared.entries) and compared.entries[at].is_id_like,
    )


def distinct_categories(compared: Compared, place: int) -> float | None:
    """How many categories the window holds: the dictionary's exactly, the others about.

    None where the extra for the others is not installed and there are others.
    """
    top = len(compared.plan.dictionaries[place].top)
    known = int(np.count_nonzero(compared.view.profile.categories[place, :top]))
    shapes = compared.view.shapes
    if shapes.distinct:
        return known + round(shapes.distinct[place].estimate())
    rare = compared.view.profile.categories[place, top:].any()
    return None if rare or shapes.hitters[place].total else float(known)


def _quality(profile: Profile, at: int) -> dict[Quality, int]:
    return dict(zip(QUALITIES, profile.quality[at].tolist(), strict=True))


def _score(scores: Mapping[str, Floats], measure: str, at: int) -> float | None:
    return _number(scores[measure][at]) if measure in scores else None


def _number(x: float) -> float | None:
    return float(x) if np.isfinite(x) else None
