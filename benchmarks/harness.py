"""How all benchmarks measure: alternately, the best of several rounds, as a ratio to a baseline.

The code under test and its baseline are timed alternately, round by round, so that disturbances of
the machine affect both. The best round of each counts; the spread shows how much worse the median
round was. `budgets.toml` bounds some of the ratios.

A budget in seconds depends on the machine. Budgets here were set on a machine on which one
`Histogram.observe` of prometheus_client takes 833 ns. On slower machines they are multiplied by the
pace: the time of one `Histogram.observe` there divided by 833 ns. Faster machines get no less.
"""

import argparse
import gc
import json
import os
import platform
import time
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
RESULTS = HERE / "results"
QUICK_RESULTS = ROOT / "build" / "bench-quick"

OBSERVE_NANOSECONDS = 833.0
"""The time of one `Histogram.observe` on the machine on which budgets in seconds were set."""

Way = Callable[[], float]
"""Runs one round; returns its cost in the unit of its benchmark."""


@dataclass(frozen=True)
class Timing:
    """The costs of several rounds of one way."""

    rounds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The lowest cost: that of the round that was disturbed least."""
        return min(self.rounds)

    @property
    def spread(self) -> float:
        """The median cost divided by the lowest: about 1 on an idle machine."""
        ordered = sorted(self.rounds)
        return ordered[len(ordered) // 2] / ordered[0] if ordered[0] > 0 else 1.0


@dataclass(frozen=True)
class Figure:
    """One measured figure.

    value: our cost, in `unit`. baseline: the cost it is compared with, in the same unit. against:
    the name of the baseline. budget: the largest ratio that is promised, if any.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    against: str = ""
    spread: float = 1.0
    budget: float | None = None
    more: Mapping[str, object] = field(default_factory=dict)

    @property
    def ratio(self) -> float | None:
        """Our cost divided by the baseline; None without a baseline."""
        return None if self.baseline is None else self.value / self.baseline

    @property
    def excess(self) -> float:
        """The ratio divided by its budget: at most 1 if the budget is kept; 0 without a budget."""
        if self.budget is None or self.ratio is None:
            return 0.0
        return self.ratio / self.budget if self.budget else float("inf")

    def __str__(self) -> str:
        text = f"{self.name:52} {_short(self.value):>10} {self.unit:10}"
        if self.ratio is not None:
            text += f" {_short(self.ratio):>8} x {self.against}"
        if self.budget is not None:
            verdict = "kept" if self.excess <= 1 else "EXCEEDED"
            text += f", budget {_short(self.budget)} x: {verdict}"
        return f"{text}  (spread {self.spread:.2f})" if self.spread != 1.0 else text


def in_turns(ways: Mapping[str, Way], *, rounds: int) -> dict[str, Timing]:
    """Run all ways alternately, once per round; discard the first round."""
    costs_by_name: dict[str, list[float]] = {name: [] for name in ways}
    for at in range(rounds + 1):
        for name, way in ways.items():
            cost = way()
            if at:
                costs_by_name[name].append(cost)
    return {name: Timing(tuple(costs)) for name, costs in costs_by_name.items()}


def nanoseconds(
    call: Callable[[], object], calls: int, clock: Callable[[], int] | None = None
) -> float:
    """Return nanoseconds per call over many calls, with garbage collection off as in `timeit`."""
    tell = clock or time.perf_counter_ns
    gc.disable()
    started = tell()
    for _ in range(calls):
        call()
    took = tell() - started
    gc.enable()
    return took / calls


def measure_pace(*, rounds: int = 40) -> float:
    """Return how many times slower this machine is now than the one on which budgets were set."""
    from prometheus_client import CollectorRegistry, Histogram

    observe = partial(Histogram("pace", "pace", registry=CollectorRegistry()).observe, 0.004)
    best = min(nanoseconds(observe, 2_000, time.thread_time_ns) for _ in range(rounds))
    return best / OBSERVE_NANOSECONDS


def allow(time: float, unit: str, *, pace: float) -> tuple[float, str]:
    """Return a budget in time, larger on a slower machine, and a text that describes it."""
    return time * max(pace, 1.0), f"{time:g} {unit}, more on slower machines"


def machine() -> dict[str, object]:
    """Describe the machine, without its host name."""
    import numpy as np

    model = platform.processor() or platform.machine()
    cpus = Path("/proc/cpuinfo")
    if cpus.exists():
        named = [line for line in cpus.read_text().splitlines() if line.startswith("model name")]
        model = named[0].partition(":")[2].strip() if named else model
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }


def budgets(benchmark: str, *, is_quick: bool = False) -> dict[str, float]:
    """Return the budgets of one benchmark: the largest allowed ratio by figure.

    In a quick run, a budget that has not been reached yet is replaced by the best ratio so far.
    """
    with (HERE / "budgets.toml").open("rb") as file:
        entries = tomllib.load(file).get(benchmark, {})
    name_of = "reached" if is_quick else "ratio"
    return {name: entry.get(name_of, entry["ratio"]) for name, entry in entries.items()}


def checked(benchmark: str, figures: Iterable[Figure], *, is_quick: bool = False) -> list[Figure]:
    """Add budgets to the figures; exit if a figure that has a budget was not measured."""
    promised = budgets(benchmark, is_quick=is_quick)
    figures = [
        Figure(**{**asdict(figure), "budget": promised.pop(figure.name, None)})
        for figure in figures
    ]
    if promised:
        names = ", ".join(promised)
        raise SystemExit(f"{benchmark}: budgets.toml promises what was not measured: {names}")
    return figures


def keep(benchmark: str, figures: Sequence[Figure], *, is_quick: bool) -> Path:
    """Write the figures as JSON; return the path."""
    folder = QUICK_RESULTS if is_quick else RESULTS
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark}.json"
    records = [{**asdict(figure), "ratio": figure.ratio} for figure in figures]
    document = {"benchmark": benchmark, "machine": machine(), "figures": records}
    path.write_text(json.dumps(document, indent=1) + "\n")
    return path


def kept(benchmark: str, *, is_quick: bool = False) -> list[Figure]:
    """Read the figures that `keep` wrote last."""
    path = (QUICK_RESULTS if is_quick else RESULTS) / f"{benchmark}.json"
    records = json.loads(path.read_text())["figures"]
    return [Figure(**{k: v for k, v in record.items() if k != "ratio"}) for record in records]


def main(benchmark: str, measure: Callable[[bool], Iterable[Figure]], about: str) -> int:
    """Measure, print and store figures; return 1 if a full run exceeds a budget, else 0."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--quick", action="store_true", help="fewer rounds; no budget is judged")
    options = parser.parse_args()
    host = machine()
    print(f"{benchmark}: {host['cpu']}, {host['cores']} cores, Python {host['python']}", flush=True)
    figures = checked(benchmark, measure(options.quick), is_quick=options.quick)
    for figure in figures:
        print(figure, flush=True)
    keep(benchmark, figures, is_quick=options.quick)
    return int(not options.quick and any(figure.excess > 1 for figure in figures))


def _short(value: float) -> str:
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
