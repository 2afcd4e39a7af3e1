"""False alerts on rows that depend on each other, and rows until a change is found.

Each model compares 20,000 rows of five features, evaluated every 500 rows, with a reference of
20,000 rows of the same kind (40 days of 500 rows, or 20 of 1,000), as a monitor's worker does.
Streams are those of `mlmonitor.testing.streams`, with one field made lognormal; drift and quality
alerts count. Intervals are Clopper and Pearson's, 95%.

    python benchmarks/dependence.py --models 10        # about three minutes
    python benchmarks/dependence.py --models 200       # about an hour
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from mlmonitor import Reference
from mlmonitor.aggregate.window import Span
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.traffic import Comparing
from mlmonitor.records import REFUSED, Block, Declared
from mlmonitor.testing import streams

REFERENCE_ROWS, ROWS, STEP = 20_000, 20_000, 500
PAGE = Path(__file__).parents[1] / "docs" / "dependence.md"
OPTIONS = ComparisonOptions(Span(3_600.0, None, 60), Significance(0.01, 1, 0.005, 30, 0.001), 16)
"""The options of a monitor's default configuration."""

NEVER = np.iinfo(np.int64).max


class Kind(NamedTuple):
    """A kind of stream, drawn by `make(rows, seed=)`. declared: `groups`, `times` or nothing."""

    name: str
    make: Callable[..., streams.Stream]
    declared: str = ""
    is_shuffled: bool = False
    season: str | None = None


def kinds() -> list[Kind]:
    """Return all kinds of streams without drift."""
    rows = [Kind("independent", streams.independent)]
    for size in (2, 5, 20, 100):
        groups = partial(streams.grouped, size=size)
        mixed = partial(streams.grouped, size=size, is_interleaved=True)
        rows += [
            Kind(f"groups of {size}, in runs", groups),
            Kind(f"groups of {size}, in runs", groups, "groups"),
            Kind(f"groups of {size}, interleaved", mixed),
            Kind(f"groups of {size}, interleaved", mixed, "groups"),
        ]
    rows += [
        Kind("rows repeated 2 to 5 times", partial(streams.bursts, least=2, most=5)),
        Kind("rows repeated 20 to 100 times", partial(streams.bursts, least=20, most=100)),
    ]
    rows += [
        Kind(f"autoregressive, {r}", partial(streams.autoregressive, correlation=r))
        for r in (0.5, 0.9, 0.99)
    ]
    for deviation in (0.05, 0.1, 0.2):
        days = partial(streams.varying_days, deviation=deviation)
        rows += [
            Kind(f"days that differ by {deviation} sd", days),
            Kind(f"days that differ by {deviation} sd", days, "times"),
        ]
    weekly = partial(streams.seasonal, weekend=0.3)
    rows += [
        Kind("batches of 500, sorted", streams.sorted_batches),
        Kind("daily cycle of 0.5 sd", streams.seasonal),
        Kind("daily cycle of 0.5 sd", streams.seasonal, "times", season="hour_of_day"),
        Kind("daily cycle and weekends", weekly),
        Kind("daily cycle and weekends", weekly, "times", season="hour_of_week"),
        Kind("groups of 5, in runs, shuffled reference", streams.grouped, is_shuffled=True),
    ]
    return rows


def fit(stream: streams.Stream, kind: Kind, seed: int, **options: Any) -> Reference:
    """Fit a reference to these rows, with their groups or times if `kind` declares them."""
    if kind.is_shuffled:
        stream = stream.shuffled(seed=seed)
    options["thresholds"] = "asymptotic"
    if kind.declared == "groups":
        options["groups"] = stream.groups
    if kind.declared == "times":
        options["times"] = stream.times.astype("datetime64[s]")
        options["season"] = kind.season
    return Reference.fit(dict(stream.columns), predictions=np.zeros(stream.rows), **options)


def first_alert(
    reference: Reference, stream: streams.Stream, *, field: str | None = None, after: int = 0
) -> int:
    """Return the row at which the first alert fires, `NEVER` if none does.

    field: only alerts of this field count, if given. after: only alerts after this many rows count.
    """
    population = Comparing.begin(reference, OPTIONS, Declared(), now=stream.times[0]).population
    values = np.stack([stream.columns[field.name] for field in population.plan.schema.numeric[:-1]])
    values = np.vstack([values, np.zeros(stream.rows)])  # the predictions are last
    for start in range(0, stream.rows, STEP):
        part = np.ascontiguousarray(values[:, start : start + STEP])
        refused = np.zeros((len(part), len(REFUSED)), np.int64)
        refused[:, 0] = np.isnan(part).sum(axis=1)
        now = float(stream.times[start])
        if stream.groups is not None:
            population.update_groups(stream.groups[start : start + STEP])
        population.update(Block(part.shape[1], part, refused, []), now=now)
        population.evaluate(now=now)
        if start >= after and any(field in (None, alert.field) for alert in population.alerts):
            return start + STEP
    return NEVER


def alert_of(kind: Kind, model: int, change: Callable[[streams.Stream], streams.Stream]) -> int:
    """Return the row of the first alert of one model, whose stream is changed from the start."""
    streams_of_model = (
        heavy(kind.make(rows, seed=2 * model + place))
        for place, rows in enumerate((REFERENCE_ROWS, ROWS))
    )
    reference = fit(next(streams_of_model), kind, model)
    later = change(next(streams_of_model))
    return first_alert(reference, later)


def heavy(stream: streams.Stream) -> streams.Stream:
    """Return the rows with one field made lognormal, with a sigma of 2."""
    return stream.with_column("x1", np.exp(2 * stream.columns["x1"]))


def keep(stream: streams.Stream) -> streams.Stream:
    """Return the stream unchanged."""
    return stream


def false_alerts(models: int) -> list[str]:
    """Return the lines of the table of false alerts."""
    lines = [
        "| rows | given to `Reference.fit` | models that alert | 95% interval |",
        "|---|---|--:|--:|",
    ]
    for kind in kinds():
        began = time.perf_counter()
        alerted = sum(alert_of(kind, model, keep) < NEVER for model in range(models))
        interval = stats.binomtest(alerted, models).proportion_ci()
        declared = {"": "nothing", "groups": "`groups=`", "times": "`times=`"}[kind.declared]
        declared += f", `season={kind.season!r}`" if kind.season else ""
        lines.append(
            f"| {kind.name} | {declared} | {alerted} of {models} "
            f"| {interval.low:.1%} to {interval.high:.1%} |"
        )
        print(lines[-1], f"{time.perf_counter() - began:.0f} s", flush=True)
    return lines


def _unit_error(stream: streams.Stream) -> streams.Stream:
    """Multiply two percent of the lognormal field, as an error in the unit does."""
    return streams.scale(stream, "x1", 100.0, share=0.02)


CHANGES: dict[str, Callable[[streams.Stream], streams.Stream]] = {
    "+0.1 sd": partial(streams.shift, field="x0", amount=0.1),
    "+0.25 sd": partial(streams.shift, field="x0", amount=0.25),
    "+0.5 sd": partial(streams.shift, field="x0", amount=0.5),
    "+1 sd": partial(streams.shift, field="x0", amount=1.0),
    "sd x 1.22": partial(streams.scale, field="x0", factor=1.22),
    "2% x 100, lognormal": _unit_error,
    "2% missing": partial(streams.lose, field="x0", share=0.02),
    "2% x 100, normal": partial(streams.scale, field="x0", factor=100.0, share=0.02),
}


def power(models: int) -> list[str]:
    """Return the lines of the table of rows until a change is found."""
    of_power = ("independent", "groups of 5, in runs", "autoregressive, 0.9")
    chosen = [k for k in kinds() if k.name in of_power and k.declared in ("", "groups")]
    heads = [k.name + (", declared" if k.declared else "") for k in chosen]
    lines = [f"| change | {' | '.join(heads)} |", "|---|" + "--:|" * len(heads)]
    for name, change in CHANGES.items():
        cells = []
        for kind in chosen:
            rows = np.array([alert_of(kind, model, change) for model in range(models)])
            detected = int((rows < NEVER).sum())
            middle = np.sort(rows)[(models - 1) // 2]
            text = f"{middle:,}" if middle < NEVER else "later"
            cells.append(text if detected == models else f"{text}, {detected} of {models}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
        print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, print the tables, and write docs/dependence.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=8)
    parser.add_argument("--write", action="store_true", help="write docs/dependence.md")
    options = parser.parse_args()
    false = false_alerts(options.models)
    power_lines = power(max(options.models // 2, 3))
    if options.write:
        text = PAGE.read_text(encoding="utf-8")
        command = f"python benchmarks/dependence.py --models {options.models} --write"
        head = text.partition("<!-- measured -->")[0]
        parts = [
            head + "<!-- measured -->",
            f"Measured by `{command}`.",
            "## Models that alert without drift",
            "\n".join(false),
            "## Rows until a change is found",
            "The median, in steps of 500 rows; where not all models found it, the number that did.",
            "\n".join(power_lines),
        ]
        PAGE.write_text("\n\n".join(parts) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
