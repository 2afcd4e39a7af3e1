"""Verdicts in three scenarios: the claims at their real dates, each labelled when it was closed.

A claim closes months after it was scored, so labels that arrive in a quarter say little about the
claims of that quarter. The demo runs this during its replay; `python
examples/fastapi_app/verdicts.py` runs it separately, in about ten seconds.
"""

import textwrap
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import claims
import report
from mlmonitor import Cohort, Config, Monitor, Reference, Verdict
from replay import shifted
from train import SeverityModel, train

DAY_SECONDS = 86_400.0
QUARTER_SECONDS = 365.25 / 4 * DAY_SECONDS
STEP = timedelta(days=30)
END = date(2017, 3, 1)
HOMES_LEFT = 0.3
TOLERATED = 1.1  # by `Config.verdict_tolerance`

Floats = NDArray[np.float64]


class World(NamedTuple):
    """One scenario: the claims after the training, and a name for what changes at `SHIFT_DATE`."""

    name: str
    claims: Sequence[claims.Claim]


class Look(NamedTuple):
    """What a monitor reported on one day."""

    day: date
    verdict: Verdict
    cohorts: tuple[Cohort, ...]


class Course(NamedTuple):
    """The claims of a scenario in the order of scoring, and all that the monitor reported.

    scored, closed: seconds since 1970. errors: absolute errors of the claims' final costs. looks:
    the monitor's reports, the oldest first.
    """

    world: World
    scored: Floats
    closed: Floats
    errors: Floats
    looks: tuple[Look, ...]


def worlds(rows: Sequence[claims.Claim]) -> tuple[World, World, World]:
    """Return three scenarios: claims unchanged, with inflation, and without 70% of home claims."""
    inflation, rng = claims.Inflation(), np.random.default_rng(0)
    fewer = [
        row
        for row in rows
        if row.reported < claims.SHIFT_DATE
        or row.features["line"] != "Home"
        or rng.random() < HOMES_LEFT
    ]
    prices = f"losses at {inflation.losses:.0%}, limits at {inflation.limits:.0%}"
    return (
        World("as it was", rows),
        World(prices, shifted(rows, inflation)),
        World(f"{1 - HOMES_LEFT:.0%} fewer home claims", fewer),
    )


def follow(
    world: World,
    model: SeverityModel,
    reference: Reference,
    *,
    cohort_seconds: float = QUARTER_SECONDS,
) -> Course:
    """Month by month, score a scenario's claims, label closed claims, and read the verdict."""
    rows = world.claims
    columns = {name: np.array([row.features[name] for row in rows]) for name in claims.FEATURES}
    predicted = model.predict(columns)
    paid = np.array([row.severity for row in rows])
    scored = np.array([seconds_of(max(row.reported, claims.LIVE[0])) for row in rows])
    closed = np.array([seconds_of(row.closed) for row in rows])
    ids = np.array([f"claim-{row}" for row in range(len(rows))])
    now, looks = seconds_of(claims.LIVE[0]), []
    with Monitor(
        "claims",
        reference=reference,
        exporters=[],
        ignore=[claims.SEASONAL],
        clock=lambda: now,
        config=Config(cohort_seconds=cohort_seconds, window_seconds=365 * DAY_SECONDS),
    ) as monitor:
        day = claims.LIVE[0]
        while day < END:
            start, stop = seconds_of(day), seconds_of(day + STEP)
            own = (scored >= start) & (scored < stop)
            now = (start + stop) / 2
            part = {name: column[own] for name, column in columns.items()}
            monitor.record(part, predicted[own], ids=ids[own].tolist())
            now = stop - 1
            monitor.status()
            due = (closed >= start) & (closed < stop) & (scored < stop)
            monitor.label(ids[due].tolist(), paid[due])
            status = monitor.status()
            day += STEP
            if status.verdict is not None:
                looks.append(Look(day, status.verdict, status.cohorts))
    return Course(world, scored, closed, np.abs(predicted - paid), tuple(looks))


def seconds_of(day: date) -> float:
    """Return the start of a day in seconds since 1970."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()


def verdict_table(courses: Sequence[Course]) -> str:
    """List the last verdict in each scenario, with the day of its start and its reasons."""
    parts = []
    for course in courses:
        verdict = course.looks[-1].verdict
        since = f"since {verdict.since:%Y-%m-%d}" if verdict.action != "keep" else ""
        parts.append(f"  {course.world.name:<38}{verdict.action.upper():<9}{since}".rstrip())
        parts += [
            textwrap.fill(str(reason), 92, initial_indent="    - ", subsequent_indent="      ")
            for reason in verdict.reasons
        ]
    return "\n".join(parts)


class Quarter(NamedTuple):
    """One quarter: its cohort as known on some day, and its mean absolute errors.

    arrived: the error over labels that arrived in the quarter. in_the_end: the error over all
    claims scored in the quarter.
    """

    cohort: Cohort
    arrived: float
    in_the_end: float

    @property
    def middle(self) -> date:
        """The middle day, which tells the calendar quarter; cohorts do not end with quarters."""
        return (self.cohort.start + (self.cohort.end - self.cohort.start) / 2).date()


def quarters(course: Course, look: Look) -> list[Quarter]:
    """Return the quarters that had ended on the day of `look`, from the year of the shift on."""
    is_known = course.closed < seconds_of(look.day)
    listed = []
    for cohort in look.cohorts:
        start, end = cohort.start.timestamp(), cohort.end.timestamp()
        has_arrived = is_known & (course.closed >= start) & (course.closed < end)
        was_scored = (course.scored >= start) & (course.scored < end)
        arrived, in_the_end = (
            float(course.errors[rows].mean()) for rows in (has_arrived, was_scored)
        )
        quarter = Quarter(cohort, arrived, in_the_end)
        if quarter.middle.year >= claims.SHIFT_DATE.year and cohort.end.date() <= look.day:
            listed.append(quarter)
    return listed


def quarter_table(listed: Sequence[Quarter]) -> str:
    """Return a table of errors by quarter of the label's arrival and by quarter of scoring."""
    head = ["", "arrived", "scored", "mature", "so far", "projected", "(95%)", "in the end", ""]
    return report.table(head, [_row(quarter) for quarter in listed], left=1)


def _row(quarter: Quarter) -> list[str]:
    cohort, estimate = quarter.cohort, quarter.cohort.projected.get("mae")
    projected = interval = "-"
    if estimate is not None and np.isfinite(estimate.low):
        projected = f"{estimate.value:,.0f}"
        interval = f"{max(estimate.low, 0):,.0f} to {estimate.high:,.0f}"
    return [
        f"{quarter.middle.year} Q{(quarter.middle.month + 2) // 3}",
        f"{quarter.arrived:,.0f}",
        f"{cohort.predicted:,}",
        "-" if cohort.maturity is None else f"{cohort.maturity:.0%}",
        f"{cohort.performance['mae'].value:,.0f}",
        projected,
        interval,
        f"{quarter.in_the_end:,.0f}",
        "<- inflation" if quarter.middle >= claims.SHIFT_DATE else "",
    ]


def tell(courses: Sequence[Course]) -> str:
    """Return everything that the demo prints about verdicts."""
    inflated = courses[1]
    look = next((x for x in inflated.looks if x.verdict.action == "retrain"), inflated.looks[-1])
    listed = quarters(inflated, look)
    trained = next(
        reason.baseline
        for reason in courses[0].looks[-1].verdict.reasons
        if reason.baseline is not None
    )
    return (
        "Does the model still work? The claims are replayed by their own calendar: scored when "
        "they\n"
        "were reported, labelled when they closed, months later. Three scenarios, which differ "
        f"from\n{claims.SHIFT_DATE} on, and their verdicts on {inflated.looks[-1].day}:\n\n"
        f"{verdict_table(courses)}\n\n"
        f"With inflation, as known on {look.day}: mean absolute error of the labels that arrived "
        "in\na quarter, and of the claims that were scored in it\n\n"
        f"{quarter_table(listed)}\n"
        "  in the end: with the final cost of all claims of the quarter, not known then\n\n"
        f"{_conclusion(listed, trained)}"
    )


def _conclusion(listed: Sequence[Quarter], trained: float) -> str:
    """Summarise what the errors by arrival and by scoring show."""
    limit = TOLERATED * trained
    late = [quarter for quarter in listed if quarter.middle >= claims.SHIFT_DATE]
    beyond = sum(quarter.arrived > limit for quarter in late)
    certain = [quarter for quarter in listed if "mae" in quarter.cohort.projected]
    intervals = [
        (quarter.cohort.projected["mae"], quarter.in_the_end)
        for quarter in certain
        if np.isfinite(quarter.cohort.projected["mae"].low)
    ]
    covered = sum(estimate.low <= cost <= estimate.high for estimate, cost in intervals)
    return textwrap.fill(
        f"It was {trained:,.0f} at training, and {limit:,.0f} is tolerated. By arrival "
        f"{beyond} of {len(late)} quarters since the inflation are beyond that, in the end "
        f"{sum(quarter.in_the_end > limit for quarter in late)}: labels of older claims keep "
        "arriving, and small claims close first. The projection allows for that: its interval "
        f"contains the final error in {covered} of {len(intervals)} quarters.",
        width=96,
        initial_indent="  ",
        subsequent_indent="  ",
    )


def main() -> None:
    """Run all scenarios, and print the results."""
    model, reference = train()
    every = claims.live(claims.load(claims.prism_path()))
    print(tell([follow(world, model, reference) for world in worlds(every)]))


if __name__ == "__main__":
    main()
