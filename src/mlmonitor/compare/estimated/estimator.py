"""Estimates the performance of live predictions before their labels arrive."""

from collections.abc import Mapping
from typing import Final, NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.expected_sums import ExpectedSums
from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock, OutcomePlan
from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.window import Span
from mlmonitor.compare.estimated.calibration_curve import CalibrationCurve, join_fields
from mlmonitor.compare.estimated.cohort_estimates import CohortEstimates
from mlmonitor.compare.estimated.estimated_performance import EstimatedPerformance, EstimateGap
from mlmonitor.compare.estimated.expected_losses import ExpectedLosses, class_losses
from mlmonitor.compare.estimated.expected_measures import (
    estimate_binary,
    estimate_errors,
    estimate_multiclass,
)
from mlmonitor.compare.estimated.labelled_estimates import (
    LOOSE_TOLERANCE,
    TOLERANCE,
    LabelledEstimates,
)
from mlmonitor.compare.estimated.live_outputs import LiveOutputs, unify_name
from mlmonitor.compare.performance.estimate import Estimate
from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formats.reference.calibration_entries import CalibrationReference
from mlmonitor.records import Block, Counts, Floats

DAY_SECONDS: Final = 86_400.0


class _ScoredRows(NamedTuple):
    """Rows with a score: their indices, bins `[curves, rows]`, expected outcomes and decisions."""

    places: Counts
    bins: Counts
    expected: Floats
    variance: Floats
    predicted: Counts | None

    def select(self, rows: Counts | slice) -> "_ScoredRows":
        """Return the rows at these indices."""
        predicted = None if self.predicted is None else self.predicted[rows]
        bins, expected = self.bins[:, rows], self.expected[:, rows]
        return _ScoredRows(self.places[rows], bins, expected, self.variance[:, rows], predicted)


class Estimator:
    """Expected outcomes of the predictions in a window, from the calibration of the reference.

    The score of each row falls into a bin of its calibration curve, which gives the probability of
    each outcome. If the calibration depended on features in training, the row's values of these
    features correct its probability.
    The window is kept in halves, so it covers between half and all of its span. Each cohort of
    predictions is also kept separately.
    Promise: additive in the rows. An estimate is unbiased as long as the probability of an outcome,
        given the score and these features, is the same as in training.
    Price: three tables of 24 bytes per bin and group, 4.8 kB for two classes and 100 bins; one more
        table for each of 60 cohorts, at most 512 KB; one search per row and score.
    Source: CBPE of NannyML (Białek et al., "Estimating model performance under covariate shift
        without labels", arXiv 2401.08348), which describes PAPE as well.
    """

    def __init__(
        self,
        calibration: CalibrationReference,
        plan: Plan,
        span: Span,
        *,
        now: float,
        cohort_seconds: float = DAY_SECONDS,
    ) -> None:
        self.calibration: CalibrationReference = calibration
        self._outputs = LiveOutputs(calibration, plan)
        is_class = calibration.task != "regression"
        self._curves = [CalibrationCurve(e, plan, is_class=is_class) for e in calibration.maps]
        edges = [curve.edges for curve in self._curves]
        self._has_common_edges = all(np.array_equal(edges[0], other) for other in edges[1:])
        self._corrections: Floats = np.array(calibration.corrections, np.float64)
        self._span = span
        self._halves = self._new_sums(), self._new_sums()  # the older half and the current one
        self._half_began, self._half_rows = now, 0
        self._labelled = self._new_sums()
        self._cohorts = CohortEstimates(cohort_seconds, self._labelled.nbytes, self._compute)
        self._codes: Counts | None = None
        self._losses: ExpectedLosses | None = None
        self._newest: LabelledEstimates | None = None

    def watch(self, losses: ExpectedLosses) -> None:
        """From now on, add the expected loss of each live row to `losses`."""
        self._losses = losses

    @property
    def assumption(self) -> str:
        """What has to hold for the estimates to be right."""
        fields = join_fields(self._curves)
        return EstimatedPerformance(self.calibration.task, {}, fields=fields).assumption

    def ingest(self, block: Block, *, now: float, times: Floats | None = None) -> None:
        """Add the predictions in a block of rows, received at `now`.

        times: when each was predicted, NaN where that is unknown. The time decides the cohort, not
        the window.
        """
        self.advance(now)
        self._half_rows += block.rows
        scores = self._outputs.scores(block)
        if scores is None:
            return
        scored = self._score(scores, self._outputs.predicted_classes(block, scores), block)
        predicted_at = None if times is None else times[scored.places]
        for period, rows in self._cohorts.split(predicted_at, now=now):
            added = self._new_sums()
            self._add(added, scored.select(rows))
            self._halves[1].merge(added)
            self._cohorts.update(period, added)
        if self._losses is not None:
            self._losses.update(self._compute_losses(scored))

    def advance(self, now: float) -> None:
        """Drop halves that are older than the window."""
        if self._span.seconds is not None:
            passed = int((now - self._half_began) // (self._span.seconds / 2))
            self._half_began += passed * self._span.seconds / 2
        else:
            passed = int(self._half_rows // max((self._span.rows or 2) / 2, 1))
        if passed:
            self._half_rows = 0
            older = self._halves[1] if passed == 1 else self._new_sums()
            self._halves = older, self._new_sums()

    def performance(
        self, realised: Performance | None = None, *, trusts_labels: bool = True
    ) -> EstimatedPerformance | None:
        """Return the estimates of the window; None if there are no predictions.

        realised: the performance of the rows that were labelled. trusts_labels: whether labels can
        refute an estimate; False if they have a fault.
        """
        window = self._halves[0].copy()
        window.merge(self._halves[1])
        estimates = self._compute(window)
        if not estimates:
            return None
        fields = join_fields(self._curves)
        return EstimatedPerformance(
            self.calibration.task,
            estimates,
            fields=fields,
            gap=self._compute_gap(realised),
            refuted=self.refuted if trusts_labels else {},
        )

    @property
    def refuted(self) -> Mapping[str, EstimateGap]:
        """The gap of each measure whose estimate the newest labels refute."""
        return {} if self._newest is None else self._newest.find_refuted(self._compute)

    def by_cohort(self) -> Mapping[int, Mapping[str, Estimate]]:
        """Return the estimates by period of prediction, numbered as in `CohortTable`.

        They cover all predictions of a period, even those without an id, which get no label.
        """
        return self._cohorts.estimates()

    def begin(self, plan: OutcomePlan) -> None:
        """Prepare for labelled pairs; pairs of another task or with other classes are ignored."""
        self._codes, self._labelled = None, self._new_sums()
        tolerance = LOOSE_TOLERANCE if join_fields(self._curves) else TOLERANCE
        self._newest = LabelledEstimates(plan, self._new_sums, tolerance=tolerance)
        if plan.task != self.calibration.task:
            return
        codes = {unify_name(name): code for code, name in enumerate(self.calibration.classes)}
        own = [codes.get(unify_name(name), -1) for name in plan.classes]
        if plan.task == "binary" and own[plan.positive] != self.calibration.positive:
            return
        if set(own) == set(codes.values()):
            self._codes = np.array([*own, -1, -1], np.int64)

    def ingest_pairs(self, block: OutcomeBlock) -> None:
        """Add labelled predictions, to compare their estimates with their labels."""
        if self._codes is None:
            return
        if self.calibration.task == "regression":
            is_known = ~(np.isnan(block.predicted) | np.isnan(block.actual))
            self._add_labelled(block, self._score(block.predicted[None, is_known], None, None))
            return
        if not len(block.scores):
            return
        predicted, is_known = self._codes[block.predicted_class], block.actual_class >= 0
        scores = block.scores
        if self.calibration.task == "multiclass":
            scores = scores[np.argsort(self._codes[: len(scores)])]
        if not self.calibration.is_probability:
            with np.errstate(divide="ignore"):
                scores = np.log(scores / (1 - scores))  # undoes the conversion to probabilities
        self._add_labelled(block, self._score(scores[:, is_known], predicted[is_known], None))

    def _add_labelled(self, block: OutcomeBlock, rows: _ScoredRows) -> None:
        added = self._new_sums()
        self._add(added, rows)
        self._labelled.merge(added)
        if self._newest is not None:
            self._newest.ingest(block, added)

    def _compute_gap(self, realised: Performance | None) -> Mapping[str, EstimateGap]:
        if realised is None or self._codes is None:
            return {}
        gap = {}
        for name, expected in self._compute(self._labelled).items():
            actual: Estimate | None = realised.get(name)
            if actual is not None and np.isfinite(actual.value) and np.isfinite(expected.value):
                difference = expected.value - actual.value
                gap[name] = EstimateGap(expected.value, actual.value, difference, actual.count)
        return gap

    def _new_sums(self) -> ExpectedSums:
        groups = {"binary": 2, "regression": 3}.get(self.calibration.task, len(self._curves))
        classes = len(self._curves) if self.calibration.task == "multiclass" else 0
        return ExpectedSums(groups, max(curve.bins for curve in self._curves), classes)

    def _score(self, scores: Floats, predicted: Counts | None, block: Block | None) -> _ScoredRows:
        """Return the rows whose scores, and predicted classes if given, are known."""
        is_known = ~np.isnan(scores).any(axis=0)
        if predicted is not None:
            is_known &= predicted >= 0
        places = np.flatnonzero(is_known)
        bins = self._find_bins(scores)
        expected, variance = (part[:, places] for part in self._expect(bins, block))
        if self.calibration.task == "multiclass":
            expected = expected / np.maximum(expected.sum(axis=0), 1e-9)
            variance = expected * (1 - expected)
        decided = None if predicted is None else predicted[places]
        return _ScoredRows(places, bins[:, places], expected, variance, decided)

    def _add(self, sums: ExpectedSums, rows: _ScoredRows) -> None:
        """Add rows to the sums of their groups and bins."""
        _, bins, expected, variance, predicted = rows
        if predicted is not None and self.calibration.task == "binary":
            groups = (predicted == self.calibration.positive).astype(np.int64)
            sums.update(groups, bins[0], expected[0], variance[0])
            return
        if predicted is not None:
            sums.update_classes(expected, predicted)
        for group in range(len(self._curves)):
            groups = np.full(bins.shape[1], group)
            sums.update(groups, bins[group], expected[group], variance[group])

    def _compute_losses(self, rows: _ScoredRows) -> Floats:
        """Return the expected loss of each row."""
        if rows.predicted is not None:
            return class_losses(self.calibration, rows.expected, rows.predicted)
        errors: Floats = rows.expected[0]
        return errors

    def _find_bins(self, scores: Floats) -> Counts:
        """The bin of each row on each curve; the three curves of a regression have one output."""
        if len(scores) == 1 and self._has_common_edges:
            return np.repeat(self._curves[0].bins_of(scores[0])[None], len(self._curves), axis=0)
        rows = scores if len(scores) == len(self._curves) else np.repeat(scores, 3, axis=0)
        return np.stack([curve.bins_of(row) for curve, row in zip(self._curves, rows, strict=True)])

    def _expect(self, bins: Counts, block: Block | None) -> tuple[Floats, Floats]:
        pairs = [curve.expect(row, block) for curve, row in zip(self._curves, bins, strict=True)]
        return np.stack([mean for mean, _ in pairs]), np.stack([spread for _, spread in pairs])

    def _compute(self, sums: ExpectedSums) -> dict[str, Estimate]:
        width = sums.table.shape[2]
        uncertainty = [np.pad(curve.uncertainty, (0, width - curve.bins)) for curve in self._curves]
        match self.calibration.task:
            case "binary":
                return estimate_binary(sums, uncertainty[0])
            case "multiclass":
                return estimate_multiclass(
                    sums, uncertainty, self._curves[0].rows, self._corrections
                )
            case _:
                return estimate_errors(sums, uncertainty)

    @property
    def nbytes(self) -> int:
        """Memory used, in bytes."""
        newest = 0 if self._newest is None else self._newest.nbytes
        return 3 * self._labelled.nbytes + self._cohorts.nbytes + newest


def estimates_by_period(estimator: Estimator | None) -> Mapping[int, Mapping[str, Estimate]]:
    """Return the estimates of each cohort by its period; empty if there is no estimator."""
    return {} if estimator is None else estimator.by_cohort()
