"""False alerts about harmful drift, a rise of the loss, and labels until a real rise is found.

Writes `docs/harmful_drift.md`. Every stream is a month of labels, evaluated every day against a
reference of its own. The evidence and its threshold are those of a monitor with `alpha=0.01`, for
one measure of a task; nothing is tuned to these distributions.
"""

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.row_losses import LossBins
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.records import Floats
from mlmonitor.stats.sequential.risk_process import RiskProcess

PAGE = Path(__file__).parents[1] / "docs" / "harmful_drift.md"
ALPHA = 0.01
TOLERANCE = 0.02
DAYS, LABELS_A_DAY = 30, 100
MONTHS = 500  # streams of each law
THRESHOLD = Significance(ALPHA, fields=1, tolerance=0.0).performance_threshold

Draw = Callable[[np.random.Generator, int], Floats]


class Law(NamedTuple):
    """A distribution of losses, and the performance measure that is their mean."""

    name: str
    measure: str
    draw: Draw


LAWS = (
    Law("absolute errors, exponential", "mae", lambda rng, n: rng.exponential(1, n)),
    Law(
        "absolute errors, log-normal (sd of the log 1.5)",
        "mae",
        lambda r, n: r.lognormal(0, 1.5, n),
    ),
    Law("2% of the classes wrong", "accuracy", lambda r, n: (r.random(n) < 0.02).astype(float)),
    Law("20% of the classes wrong", "accuracy", lambda r, n: (r.random(n) < 0.2).astype(float)),
)


def begin(
    law: Law, rng: np.random.Generator, rows: int, tolerance: float
) -> tuple[LossBins, RiskProcess]:
    """Draw a reference of this many rows; return its loss bins and a new risk process."""
    losses = law.draw(rng, rows)
    bins = LossBins.fit(law.measure, losses)
    counts = bins.count_losses(losses)[:-1].astype(np.int64)
    return bins, RiskProcess(bins.values, counts, tolerance=tolerance)


def highest_evidence(law: Law, rng: np.random.Generator, rows: int, tolerance: float) -> float:
    """Return the largest log e-value of a month without a change, evaluated every day."""
    bins, process = begin(law, rng, rows, tolerance)
    totals, highest = np.zeros(len(bins.values) + 1), -np.inf
    for _ in range(DAYS):
        totals += bins.count_losses(law.draw(rng, LABELS_A_DAY))
        highest = max(highest, process.evaluate(totals).log_e)
    return highest


def delay(law: Law, change: Draw, rng: np.random.Generator, rows: int, most: int) -> float:
    """Return the labels between a change, after a calm month, and its alert; inf beyond `most`."""
    bins, process = begin(law, rng, rows, TOLERANCE)
    totals = np.zeros(len(bins.values) + 1)
    for _ in range(DAYS):
        totals += bins.count_losses(law.draw(rng, LABELS_A_DAY))
        process.evaluate(totals)
    step = 50 if most <= 5_000 else 500
    for labels in range(step, most + 1, step):
        totals += bins.count_losses(change(rng, step))
        if process.evaluate(totals).log_e >= THRESHOLD:
            return labels
    return math.inf


def calm_rows() -> list[str]:
    """Return table rows that count months without a change in which a threshold was passed."""
    lines = []
    for number, law in enumerate(LAWS):
        counts = []
        for tolerance in (0.0, TOLERANCE):
            rng = np.random.default_rng([number, round(100 * tolerance)])
            highest = [highest_evidence(law, rng, 2_000, tolerance) for _ in range(MONTHS)]
            single = sum(value >= math.log(1 / ALPHA) for value in highest)
            alerts = sum(value >= THRESHOLD for value in highest)
            counts += [f"{single} of {MONTHS}", f"{alerts} of {MONTHS}"]
        lines.append(f"| {law.name} | {' | '.join(counts)} |")
    return lines


def grown(factor: float) -> Draw:
    """Return a function that draws absolute errors, multiplied by `factor`."""
    return lambda rng, n: factor * rng.exponential(1, n)


def wrong(share: float) -> Draw:
    """Return a function that draws 1 for this share of rows, as wrong classes, and 0 otherwise."""
    return lambda rng, n: (rng.random(n) < share).astype(float)


def delay_rows() -> list[str]:
    """Return table rows with the number of labels until each change is found."""
    errors, classes = LAWS[0], LAWS[3]
    changes = (
        ("MAE up by a tenth", errors, grown(1.1), 20_000, 60_000),
        ("MAE up by a tenth", errors, grown(1.1), 50_000, 60_000),
        ("MAE up by half", errors, grown(1.5), 2_000, 5_000),
        ("MAE up by half", errors, grown(1.5), 50_000, 5_000),
        ("labels shuffled: MAE four times as large", errors, grown(4.0), 2_000, 5_000),
        ("20% of the classes wrong, then 24%", classes, wrong(0.24), 20_000, 60_000),
        ("20% of the classes wrong, then 30%", classes, wrong(0.3), 2_000, 5_000),
        ("labels shuffled: half of the classes wrong", classes, wrong(0.5), 2_000, 5_000),
    )
    lines = []
    for number, (name, law, change, rows, most) in enumerate(changes):
        rng = np.random.default_rng([7, number])
        delays = [delay(law, change, rng, rows, most) for _ in range(40)]
        middle, late = np.quantile(delays, [0.5, 0.9], method="inverted_cdf")
        texts = [
            "not found" if math.isinf(delay_of_field) else f"{delay_of_field:,.0f}"
            for delay_of_field in (middle, late)
        ]
        lines.append(f"| {name} | {rows:,} | {' | '.join(texts)} |")
    return lines


PAGE_TEXT = """\
# Harmful drift, measured

Written by `python benchmarks/harmful_drift.py`, which simulates with fixed seeds.
[Harmful drift](algorithms/risk.md) says how it is found.

## Nothing changes

Months of {days} days with {labels} labels each, evaluated every day against references of 2,000
rows: {months:,} months in all. The first of two columns counts the months in which the evidence of
a stream ever exceeded `1 / {alpha}`, the second those in which it exceeded the threshold of a
monitor with `alpha={alpha}`. At most 1% may.

| losses | tolerance 0: evidence | alerts | tolerance 2%: evidence | alerts |
|---|--:|--:|--:|--:|
{calm}

## A change

Labels until the alert, after a month without a change, in 40 streams each, with a tolerance of 2%.

| change | reference rows | median | in nine of ten streams |
|---|--:|--:|--:|
{delays}

A reference that is too small to know its own mean to a few percent never shows growth by a tenth.
"""


def main() -> None:
    """Measure, and write docs/harmful_drift.md."""
    page = PAGE_TEXT.format(
        days=DAYS,
        labels=LABELS_A_DAY,
        months=2 * MONTHS * len(LAWS),
        alpha=ALPHA,
        calm="\n".join(calm_rows()),
        delays="\n".join(delay_rows()),
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
