"""Rows until drift is found by one process, by 32 processes separately, and by their merged counts.

One of a model's 20 fields shifts, after 0 or 10,000 clean rows: a normal field in ten bins of equal
probability, with a reference of 5,000 rows. One process evaluates every 250 rows of the service;
each of 32 processes gets one row in 32. Merged counts are evaluated every 500 rows, either as
profiles (`mlmonitor fleet --by`) or by Prometheus' recording rules, since the start and over
windows of 8,000 and 64,000 rows, which stand for an hour and a day. Intervals are Clopper and
Pearson's.

    python benchmarks/fleet_evidence.py        # about a minute
"""

import argparse
from typing import NamedTuple

import numpy as np
from scipy import stats

from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.records import Counts, Floats, Mask
from mlmonitor.stats.distance import psi_low
from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.effect_bounds import psi_lower_sequence
from mlmonitor.stats.evidence.psi_evidence import log_psi_evidence
from mlmonitor.stats.evidence.tilts import tilt_factors

PROCESSES, FIELDS, REFERENCE_ROWS, BINS = 32, 20, 5_000, 10
ALPHA, TOLERANCE, STEP, ROUND = 0.01, 0.005, 250, 500
WINDOWS = (8_000, 64_000)
YEAR_LOOKS = (525_600, 105_120)
NEVER = np.iinfo(np.int64).max


class Scenario(NamedTuple):
    """The number of models, one field's shift in standard deviations, rows before and after it."""

    models: int
    shift: float
    clean: int
    rows: int


def shares(shift: float) -> Floats:
    """Return the probabilities of ten bins, which are equal for a shift of 0."""
    edges = stats.norm.ppf(np.arange(1, BINS) / BINS)
    cumulative = np.concatenate([[0.0], stats.norm.cdf(edges - shift), [1.0]])
    return np.diff(cumulative)


class Watch:
    """The e-processes of a monitor for many independent streams at once."""

    def __init__(self, reference: Counts) -> None:
        self._reference = reference
        tilts = tilt_factors(reference, np.ones(len(reference), np.bool_))
        self._process = EProcess(reference, np.ones_like(reference, np.bool_), tilts=tilts)
        self._threshold = Significance(ALPHA, FIELDS, TOLERANCE).drift_threshold

    def ingest(self, counts: Counts) -> Mask:
        """Add counts; return which streams fire."""
        self._process.update(counts)
        evaluation = self._process.evaluate()
        low = psi_lower_sequence(self._reference, evaluation.change.counts)
        fires: Mask = (evaluation.log_e >= self._threshold) & (low > TOLERANCE)
        return fires


class RuleWatch:
    """The evidence that Prometheus' recording rules compute for a fleet."""

    def __init__(self, reference: Counts) -> None:
        self._reference, self._totals = reference, [np.zeros_like(reference)]

    def ingest(self, counts: Counts) -> Mask:
        """Add counts; return which streams fire."""
        self._totals.append(self._totals[-1] + counts)
        fires = self._passes(self._totals[-1], 1)
        for rows, looks in zip(WINDOWS, YEAR_LOOKS, strict=True):
            steps = rows // ROUND
            if len(self._totals) > steps:
                fires |= self._passes(self._totals[-1] - self._totals[-1 - steps], looks)
        return fires

    def _passes(self, counts: Counts, looks: int) -> Mask:
        threshold = np.log(FIELDS * 3 * looks / ALPHA)
        evidence = log_psi_evidence(self._reference, counts) >= threshold
        passes: Mask = evidence & (psi_low(self._reference, counts) > TOLERANCE)
        return passes


def detect(scenario: Scenario, kind: str, seed: int = 0) -> Counts:
    """Return, for each model, the service's rows from the change to its detection, or `NEVER`."""
    rng = np.random.default_rng(seed)
    before, after = shares(0.0), shares(scenario.shift)
    trained = rng.multinomial(REFERENCE_ROWS, before, scenario.models)
    parts = PROCESSES if kind == "alone" else 1
    step = {"one": STEP, "alone": PROCESSES * 31}.get(kind, ROUND)
    reference = np.repeat(trained, parts, axis=0)
    watch = RuleWatch(reference) if kind == "rules" else Watch(reference)
    delays = np.full(scenario.models, NEVER)
    clean = scenario.clean // step * step
    for start in range(0, clean + scenario.rows, step):
        law = after if start >= clean else before
        counts = rng.multinomial(step // parts, law, len(reference))
        fires = watch.ingest(counts).reshape(scenario.models, parts).any(axis=1)
        is_new = fires & (delays == NEVER)
        delays[is_new] = start + step - clean
        if (delays < NEVER).all():
            break
    return delays


KINDS = {
    "one": "one process with all rows",
    "alone": "the first of 32 processes, each alone",
    "merged": "32 processes, merged profiles",
    "rules": "32 processes, rules of Prometheus",
}


def main() -> None:
    """Measure all scenarios, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=50)
    models = parser.parse_args().models
    print(f"Rows of the service until +0.3 sd is found, median / 90%, {models} models\n")
    for kind, name in KINDS.items():
        cells = []
        for clean in (0, 10_000):
            rows = detect(Scenario(models, 0.3, clean, 120_000), kind)
            median, high = np.quantile(rows, [0.5, 0.9], method="inverted_cdf").tolist()
            cells.append(f"{median:,} / {high:,}".replace(f"{NEVER:,}", "never"))
        print(f"| {name} | " + " | ".join(cells) + " |")
    quiet = 200 * FIELDS
    print(f"\nFields without drift that alert in 200,000 rows, of {quiet:,}; allowed by alpha: 1%")
    for kind in ("merged", "rules"):
        alerted = int((detect(Scenario(quiet, 0.0, 0, 200_000), kind) < NEVER).sum())
        of_models = stats.binomtest(min(alerted, 200), 200).proportion_ci()
        print(
            f"| {KINDS[kind]} | {alerted} of 200 models, {of_models.low:.1%} to "
            f"{of_models.high:.1%} |"
        )


if __name__ == "__main__":
    main()
