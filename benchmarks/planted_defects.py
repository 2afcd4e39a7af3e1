"""Twenty planted defects: rows until an incident opens, how many open, and their titles.

Each defect is planted in the same stream of claims, from the first row of a new process on, which
is what a release with a defect looks like. Rows are recorded in blocks of 50, and the stream ends
1,000 rows after the first incident, or after 5,000 rows.

    python benchmarks/planted_defects.py        # about a minute
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlmonitor import Config, Incident, Monitor, Reference
from mlmonitor.testing import streams
from mlmonitor.testing.streams import Stream

PAGE = Path(__file__).parents[1] / "docs" / "planted_defects.md"
REFERENCE_ROWS, ROWS, STEP, AFTER, CLEAN = 10_000, 5_000, 50, 1_000, 1_000
REGIONS = ("Northern", "Eastern", "Southern", "Western", "Central", "Coastal")
CITIES = ("Hamilton", "Rotterdam", "Barcelona", "Edinburgh", "Stockholm", "Marseille")
CODES = ("1234", "2045", "3310", "4127", "5568")
DECISIONS = ("approve", "review", "reject")
CONFIG = Config(
    export_interval_seconds=3_600, check_interval_seconds=0.001, check_rows=STEP, window_seconds=60
)


class Defect(NamedTuple):
    """A defect, how it is planted, and words of which a title that names it has one."""

    name: str
    plant: Callable[[Stream], Stream]
    words: tuple[str, ...]


def draw(seed: int, rows: int) -> Stream:
    """Draw claims without a defect; `decision` is the prediction."""
    rng = np.random.default_rng(seed)
    age = rng.normal(45, 12, rows)
    balance = rng.gamma(3.0, 400.0, rows)
    columns = {
        "age": age,
        "mileage": rng.gamma(4.0, 15.0, rows),
        "amount": np.exp(rng.normal(7.0, 0.8, rows)),
        "balance": balance,
        "discount": rng.beta(2.0, 5.0, rows),
        "income": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(40.0, 9.0, rows)),
        "temperature": rng.normal(20.0, 4.0, rows),
        "hour": np.floor(np.clip(rng.normal(11.0, 2.5, rows), 0, 23)),
        "minute_of_day": rng.normal(720.0, 90.0, rows),
        "region": rng.choice(REGIONS, rows, p=[0.3, 0.25, 0.2, 0.12, 0.08, 0.05]).astype(object),
        "city": rng.choice(CITIES, rows).astype(object),
        "code": rng.choice(CODES, rows, p=[0.4, 0.25, 0.15, 0.12, 0.08]).astype(object),
        "line": rng.choice(["fire", "water", "theft"], rows, p=[0.5, 0.3, 0.2]).astype(object),
    }
    score = (age - 45) / 12 + rng.normal(size=rows)
    columns["decision"] = np.array(DECISIONS, object)[np.digitize(score, [0.5, 1.5])]
    return Stream(columns, np.arange(rows, dtype=float))


def map_names(field: str, change: Callable[[str], str]) -> Callable[[Stream], Stream]:
    """Return a defect that changes every name of a field."""
    return lambda stream: stream.with_column(
        field, np.array([change(name) for name in stream.columns[field]], object)
    )


def fill_missing(stream: Stream) -> Stream:
    """Code missing incomes as -999."""
    income = stream.columns["income"]
    return stream.with_column("income", np.where(np.isnan(income), -999.0, income))


def scale_segment(stream: Stream) -> Stream:
    """Grow the amounts of one line of business alone."""
    amount = stream.columns["amount"]
    is_theft = stream.columns["line"] == "theft"
    return stream.with_column("amount", np.where(is_theft, 3.0 * amount, amount))


def shift_names(stream: Stream) -> Stream:
    """Give each region the name of the next one."""
    following = dict(zip(REGIONS, (*REGIONS[1:], REGIONS[0]), strict=True))
    return map_names("region", following.__getitem__)(stream)


def shift_hours(stream: Stream) -> Stream:
    """Report hours in a time zone five hours ahead."""
    return stream.with_column("hour", (stream.columns["hour"] + 5) % 24)


def write_comma(stream: Stream) -> Stream:
    """Write amounts with a decimal comma."""
    texts = [f"{amount:.2f}".replace(".", ",") for amount in stream.columns["amount"]]
    return stream.with_column("amount", np.array(texts, object))


DEFECTS = (
    Defect(
        "typo in a category",
        lambda s: streams.rename(s, "region", "Southern", "Sothern"),
        ("renamed", "typo"),
    ),
    Defect("amounts in cents", lambda s: streams.scale(s, "amount", 100.0), ("multiplied",)),
    Defect("two columns swapped", lambda s: streams.swap(s, "age", "mileage"), ("swapped",)),
    Defect("stuck sensor", lambda s: streams.freeze(s, "temperature"), ("stuck",)),
    Defect(
        "class renamed",
        lambda s: streams.rename(s, "decision", "review", "check"),
        ("renamed",),
    ),
    Defect("rows sent three times", lambda s: streams.duplicate(s, 3), ("repeat", "duplicat")),
    Defect("one segment alone, three times the amount", scale_segment, ("only in",)),
    Defect("column lost", lambda s: streams.lose(s, "age", 1.0), ("lost",)),
    Defect("labels of categories shifted by one", shift_names, ("exchanged",)),
    Defect("hours in another time zone", shift_hours, ("time zone",)),
    Defect("trailing space", map_names("region", lambda name: name + " "), ("space",)),
    Defect('"1234.0" for "1234"', map_names("code", lambda name: name + ".0"), ("'.0'",)),
    Defect("sign flipped", lambda s: streams.scale(s, "balance", -1.0), ("sign",)),
    Defect("decimal comma", write_comma, ("unreadable",)),
    Defect("missing coded as -999", fill_missing, ("-999",)),
    Defect("names truncated", map_names("city", lambda name: name[:5]), ("truncated",)),
    Defect("upper case", map_names("region", str.upper), ("case",)),
    Defect(
        "percent for share",
        lambda s: streams.scale(s, "discount", 100.0),
        ("percent",),
    ),
    Defect(
        "two categories merged",
        lambda s: streams.rename(s, "line", "water", "fire"),
        ("merged",),
    ),
    Defect(
        "clock an hour off",
        lambda s: streams.shift(s, "minute_of_day", 60.0),
        ("moved by", "hour"),
    ),
)


class Result(NamedTuple):
    """The rows until the first incident, and the incidents as they stood at the end."""

    rows: int | None
    incidents: tuple[Incident, ...]


def observe(reference: Reference, stream: Stream) -> Result:
    """Record the rows in small blocks through the public interface."""
    opened: list[Incident] = []
    detected_at: int | None = None
    columns = {name: values for name, values in stream.columns.items() if name != "decision"}
    decisions = stream.columns["decision"]
    with Monitor(
        "claims",
        reference=reference,
        segments=["line"],
        exporters=[],
        on_incident=opened.append,
        config=CONFIG,
    ) as monitor:
        for start in range(0, stream.rows, STEP):
            part = slice(start, start + STEP)
            monitor.record({n: v[part] for n, v in columns.items()}, decisions[part])
            monitor.flush()
            if opened and detected_at is None:
                detected_at = start + STEP
            if detected_at is not None and start >= detected_at + AFTER:
                break
        incidents = monitor.status().incidents
    return Result(detected_at, incidents or tuple(opened))


def append(stream: Stream, later: Stream) -> Stream:
    """Return the rows of one stream after those of another."""
    columns = {
        name: np.concatenate([values.astype(later.columns[name].dtype), later.columns[name]])
        for name, values in stream.columns.items()
    }
    return Stream(columns, np.concatenate([stream.times, later.times]))


def is_named(defect: Defect, result: Result) -> bool:
    """Whether a title has one of the words that name the defect."""
    return any(word in i.title for i in result.incidents for word in defect.words)


PAGE_TEXT = """\
# Planted defects, measured

Written by `python benchmarks/planted_defects.py`, with fixed seeds: {count} defects in a stream of
claims with thirteen features, a predicted class and the segments of `line`, each beside a reference
of {reference:,} rows. A defect is in every row of a new process, as after a release. Rows arrive in
blocks of {step}; the titles are those of {after:,} rows after the first incident. Under "named" it
says whether a title has a word that names the defect: {named} of {count} do. Without a defect,
{clean} incidents open in {rows:,} rows.

The last column says the same of a defect that begins after {clean_rows:,} rows without it, which
the window still holds: {named_later} of {count}. What was scaled, shifted, swapped, merged or
exchanged is recognised reliably only where nearly all rows of the window have changed; a factor or
an offset in the title of such a mixture is too small.

| defect | rows until found | incidents | title | named | later |
|---|--:|--:|---|:-:|:-:|
{lines}
"""


def main() -> None:
    """Measure, and write the page."""
    training = draw(0, REFERENCE_ROWS)
    features = {name: values for name, values in training.columns.items() if name != "decision"}
    reference = Reference.fit(
        features,
        predictions=training.columns["decision"],
        segments=["line"],
        thresholds="asymptotic",
    )
    lines, named, named_later = [], 0, 0
    for number, defect in enumerate(DEFECTS):
        result = observe(reference, defect.plant(draw(100 + number, ROWS)))
        named += is_named(defect, result)
        later = append(draw(200 + number, CLEAN), defect.plant(draw(100 + number, ROWS)))
        mark_later = "yes" if is_named(defect, observe(reference, later)) else "no"
        named_later += mark_later == "yes"
        titles = "<br>".join(incident.title for incident in result.incidents) or "none"
        rows = "not found" if result.rows is None else f"{result.rows:,}"
        mark = "yes" if is_named(defect, result) else "no"
        cells = (defect.name, rows, len(result.incidents), titles, mark, mark_later)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    page = PAGE_TEXT.format(
        count=len(DEFECTS),
        reference=REFERENCE_ROWS,
        step=STEP,
        after=AFTER,
        named=named,
        named_later=named_later,
        clean_rows=CLEAN,
        clean=len(observe(reference, draw(99, ROWS)).incidents),
        rows=ROWS,
        lines="\n".join(lines),
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
