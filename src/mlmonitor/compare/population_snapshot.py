"""Snapshot of a population at one moment: immutable, independent of the live aggregates."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mlmonitor.aggregate.exemplars import Exemplars, FieldExemplars
from mlmonitor.aggregate.history import History
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.window import View
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.drift.decomposition import ExplainedBy, Shift
from mlmonitor.compare.drift.drift_history import DriftHistory
from mlmonitor.compare.quality.field_quality import QualitySnapshot
from mlmonitor.compare.quality.rules import RuleResult
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Floats, Mask

STATUS_QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
"""The quantiles of the window that every snapshot holds."""


@dataclass(frozen=True, slots=True)
class TracedValues:
    """Exemplars of a population: by numeric field and bin, and by field and side of its band."""

    bins: Exemplars
    sides: Exemplars

    @classmethod
    def copy_from(cls, exemplars: FieldExemplars) -> "TracedValues":
        """Copy the current exemplars."""
        return cls(exemplars.bins, exemplars.sides)


@dataclass(frozen=True, slots=True, eq=False)
class PopulationSnapshot:
    """A population, with its reference. Arrays are `[fields]` in the order of the plan's schema.

    entries: the entries of the reference, in the same order; empty if there is no reference.
    total: everything since the start.
    view: the window.
    quantiles: the quantiles of the window, `[numeric fields, STATUS_QUANTILES]`.
    scores, thresholds: the window's distances, and their thresholds, by measure; empty if there are
    no entries.
    shift: the shift of the mean prediction.
    explained_by: the features that explain the shift.
    effective_rows: how many independent rows the window's values are worth.
    design_effects: the design effects that ever longer stretches of rows approach.
    has_groups: whether groups are declared.
    history, drift_history: the counts and the drift of each slice of the window; None unless
    requested.

    `plan`, `entries`, `explained_by` and the keys of `quality` are the same objects in every
    snapshot of a population, so that callers can cache by identity.
    """

    segment: str
    plan: Plan
    entries: Sequence[CountedEntry]
    total: FieldProfile
    view: View
    quantiles: Floats
    scores: Mapping[str, Floats]
    thresholds: Mapping[str, Floats]
    log10_e_value: Floats
    is_firing: Mask
    quality: QualitySnapshot | None
    rules: tuple[RuleResult, ...]
    alerts: tuple[Alert, ...]
    exemplars: TracedValues | None
    explained_by: ExplainedBy | None
    shift: Shift | None
    effective_rows: Floats
    design_effects: Floats
    has_groups: bool
    history: History | None = None
    drift_history: DriftHistory | None = None

    @property
    def is_id_like(self) -> Mask:
        """A mask of numeric fields that hold ids; their extremes and quantiles are hidden."""
        numeric = len(self.plan.schema.numeric)
        if not self.entries:
            return np.zeros(numeric, np.bool_)
        return np.array([entry.is_id_like for entry in self.entries[:numeric]], np.bool_)

    def count_categories(self, position: int) -> float | None:
        """Number of distinct categories in the window of a categorical field.

        position: the index among the categorical fields. The number is exact for listed categories
        and estimated for others. None if there are others and the extra that counts them is not
        installed.
        """
        top = self.plan.dictionaries[position].listed
        counts = self.view.profile.categories[position]
        listed = int(np.count_nonzero(counts[:top]))
        shapes = self.view.shapes
        if shapes.distinct:
            return listed + round(shapes.distinct[position].estimate())
        has_others = counts[top:].any() or shapes.hitters[position].total
        return None if has_others else float(listed)
