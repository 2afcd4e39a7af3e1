"""Twenty planted defects: rows until an incident opens, how many open, and their titles.

Each defect is planted in the same stream of claims in four ways: in all rows of a new process,
after 1,000 and after 10,000 clean rows, and in three of ten rows of a new process. Rows are
recorded in blocks of 50, and the stream ends 1,000 rows after the first incident, or after 5,000
rows with the defect.

    python benchmarks/planted_defects.py                # about five minutes
    python benchmarks/planted_defects.py "sign flipped" # prints the titles of one defect
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mlmonitor import Config, Incident, Monitor, Reference
from mlmonitor.testing import streams
from mlmonitor.testing.streams import Stream

PAGE = Path(__file__).parents[1] / "docs" / "planted_defects.md"
REFERENCE_ROWS, ROWS, STEP, AFTER, CLEAN_ROWS = 10_000, 5_000, 50, 1_000, 10_000
SHARE = 0.3
REGIONS = ("Northern", "Eastern", "Southern", "Western", "Central", "Coastal")
CITIES = ("Hamilton", "Rotterdam", "Barcelona", "Edinburgh", "Stockholm", "Marseille")
CODES = ("1234", "2045", "3310", "4127", "5568")
DECISIONS = ("approve", "review", "reject")
CONFIG = Config(
    export_interval_seconds=3_600, check_interval_seconds=0.001, check_rows=STEP, window_seconds=60
)


class Defect(NamedTuple):
    """A defect, how it is planted, and what an incident's title must contain to name it.

    fields: the fields that the title must name. kind: a regular expression for the kind of defect.
    """

    name: str
    plant: Callable[[Stream], Stream]
    fields: tuple[str, ...]
    kind: str


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
    """Return a defect that applies `change` to every category of a field."""
    return lambda stream: stream.with_column(
        field, np.array([change(name) for name in stream.columns[field]], object)
    )


def fill_missing(stream: Stream) -> Stream:
    """Encode missing incomes as -999."""
    income = stream.columns["income"]
    return stream.with_column("income", np.where(np.isnan(income), -999.0, income))


def scale_segment(stream: Stream) -> Stream:
    """Scale the amounts of one line of business."""
    amount = stream.columns["amount"]
    is_theft = stream.columns["line"] == "theft"
    return stream.with_column("amount", np.where(is_theft, 3.0 * amount, amount))


def shift_names(stream: Stream) -> Stream:
    """Give each region the name of the next region."""
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
        ("region",),
        "renamed|misspelt",
    ),
    Defect(
        "amounts in cents",
        lambda s: streams.scale(s, "amount", 100.0),
        ("amount",),
        r"multiplied by about 100\b",
    ),
    Defect(
        "two columns swapped",
        lambda s: streams.swap(s, "age", "mileage"),
        ("age", "mileage"),
        "swapped",
    ),
    Defect("stuck sensor", lambda s: streams.freeze(s, "temperature"), ("temperature",), "stuck"),
    Defect(
        "class renamed",
        lambda s: streams.rename(s, "decision", "review", "check"),
        ("prediction",),
        "renamed",
    ),
    Defect("rows sent three times", lambda s: streams.duplicate(s, 3), (), "rows repeated"),
    Defect(
        "one segment alone, three times the amount",
        scale_segment,
        ("amount", "theft"),
        r"only in .* multiplied by about (2\.9|3|3\.1)\b",
    ),
    Defect("column lost", lambda s: streams.lose(s, "age", 1.0), ("age",), "lost|missing"),
    Defect("labels of categories shifted by one", shift_names, ("region",), "exchanged"),
    Defect("hours in another time zone", shift_hours, ("hour",), r"\+5 hours.*time zone"),
    Defect("trailing space", map_names("region", lambda name: name + " "), ("region",), "space"),
    Defect('"1234.0" for "1234"', map_names("code", lambda name: name + ".0"), ("code",), "'.0'"),
    Defect("sign flipped", lambda s: streams.scale(s, "balance", -1.0), ("balance",), "sign"),
    Defect("decimal comma", write_comma, ("amount",), "unreadable"),
    Defect("missing coded as -999", fill_missing, ("income",), "missing values coded as -999"),
    Defect("names truncated", map_names("city", lambda name: name[:5]), ("city",), "truncated"),
    Defect("upper case", map_names("region", str.upper), ("region",), "another case"),
    Defect(
        "percent for share",
        lambda s: streams.scale(s, "discount", 100.0),
        ("discount",),
        "multiplied by about 100, as percent",
    ),
    Defect(
        "two categories merged",
        lambda s: streams.rename(s, "line", "water", "fire"),
        ("line",),
        "merged|from one category to another",
    ),
    Defect(
        "clock an hour off",
        lambda s: streams.shift(s, "minute_of_day", 60.0),
        ("minute_of_day",),
        r"\+1 hour\b|\+(5[5-9]|6[0-5])\b",
    ),
)


class Result(NamedTuple):
    """The rows until the first incident (None if there is none), and the incidents at the end."""

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
    """Return the rows of `stream` followed by those of `later`."""
    columns = {
        name: np.concatenate([values.astype(later.columns[name].dtype), later.columns[name]])
        for name, values in stream.columns.items()
    }
    return Stream(columns, np.concatenate([stream.times, later.times]))


def plant_part(defect: Defect, stream: Stream, *, share: float, seed: int) -> Stream:
    """Plant a defect in a random share of the rows, as one of several clients does."""
    is_chosen = np.random.default_rng([seed, 2]).random(stream.rows) < share
    planted = defect.plant(stream)
    if planted.rows != stream.rows:  # rows were repeated
        order = np.repeat(np.arange(stream.rows), np.where(is_chosen, 3, 1))
        return Stream({n: v[order] for n, v in stream.columns.items()}, stream.times[order])
    columns = {
        name: np.where(is_chosen, planted.columns[name].astype(values.dtype), values)
        if planted.columns[name].dtype == values.dtype
        else np.where(is_chosen, planted.columns[name].astype(object), values.astype(object))
        for name, values in stream.columns.items()
    }
    return Stream(columns, stream.times)


def is_named(defect: Defect, result: Result) -> bool:
    """Whether the title of one incident names all fields and the kind of the defect."""
    return any(
        re.search(defect.kind, incident.title)
        and all(re.search(rf"\b{field}\b", incident.title) for field in defect.fields)
        for incident in result.incidents
    )


WAYS: dict[str, Callable[[Defect, int], Stream]] = {
    "In all rows of a new process": lambda d, n: d.plant(draw(100 + n, ROWS)),
    "After 1,000 rows without it": lambda d, n: append(
        draw(200 + n, 1_000), d.plant(draw(100 + n, ROWS))
    ),
    "After 10,000 rows without it": lambda d, n: append(
        draw(300 + n, 10_000), d.plant(draw(100 + n, ROWS))
    ),
    "In three of ten rows of a new process": lambda d, n: plant_part(
        d, draw(100 + n, ROWS), share=SHARE, seed=n
    ),
}

PAGE_TEXT = """\
# Planted defects, measured

Written by `python benchmarks/planted_defects.py`, with fixed seeds: {count} defects in a stream of
claims with thirteen features, a predicted class and the segments of `line`, each beside a reference
of {reference:,} rows. Rows arrive in blocks of {step}; the titles are those of {after:,} rows after
the first incident. When it opens, the cause is searched for in the window, and later in the rows
since, so a title may become more exact. A defect is *named* if one title holds every field
concerned and the kind of defect, with its size where it has one. Without a defect, {clean}
incidents open in {rows:,} rows.

| the defect is | named | found | more than one incident |
|---|--:|--:|--:|
{summary}

{sections}
"""


def fit() -> Reference:
    """Fit the reference with which all streams are compared."""
    training = draw(0, REFERENCE_ROWS)
    features = {name: values for name, values in training.columns.items() if name != "decision"}
    return Reference.fit(
        features,
        predictions=training.columns["decision"],
        segments=["line"],
        thresholds="asymptotic",
    )


def measure(reference: Reference, way: str) -> tuple[str, str]:
    """Plant all defects in one way; return its line of the summary and its section."""
    results = [observe(reference, WAYS[way](d, n)) for n, d in enumerate(DEFECTS)]
    named = [is_named(d, result) for d, result in zip(DEFECTS, results, strict=True)]
    lines = []
    for defect, result, is_one in zip(DEFECTS, results, named, strict=True):
        titles = "<br>".join(incident.title for incident in result.incidents) or "none"
        rows = "not found" if result.rows is None else f"{result.rows:,}"
        cells = (defect.name, rows, len(result.incidents), titles, "yes" if is_one else "no")
        lines.append(f"| {' | '.join(map(str, cells))} |")
    several = sum(len(result.incidents) > 1 for result in results)
    detected = sum(result.rows is not None for result in results)
    total = len(DEFECTS)
    summary = f"| {way[0].lower()}{way[1:]} | {sum(named)} of {total} | {detected} | {several} |"
    table = "| defect | row | incidents | title | named |\n|---|--:|--:|---|:-:|\n"
    return summary, f"## {way}\n\n{table}" + "\n".join(lines)


def main() -> None:
    """Measure, and write the page; with the name of a defect, print its titles."""
    reference = fit()
    for name in sys.argv[1:]:
        (number,) = (n for n, defect in enumerate(DEFECTS) if defect.name == name)
        for way, plant in WAYS.items():
            result = observe(reference, plant(DEFECTS[number], number))
            titles = [incident.title for incident in result.incidents]
            print(way, result.rows, titles, is_named(DEFECTS[number], result))
    if sys.argv[1:]:
        return
    summaries, sections = zip(*(measure(reference, way) for way in WAYS), strict=True)
    page = PAGE_TEXT.format(
        count=len(DEFECTS),
        reference=REFERENCE_ROWS,
        step=STEP,
        after=AFTER,
        clean=len(observe(reference, draw(99, CLEAN_ROWS)).incidents),
        rows=CLEAN_ROWS,
        summary="\n".join(summaries),
        sections="\n\n".join(sections),
    )
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
