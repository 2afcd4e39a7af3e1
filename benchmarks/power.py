"""Rows until a change is found, ours compared with other tools: statistical power.

In each trial of `power_streams.py`, one of 20 fields changes after 0, 10,000 or 100,000 clean rows
and stays changed for 50,000 rows; the reference has 5,000 rows, and `alpha` is 0.01. mlmonitor is
evaluated every 1,000 clean rows, as by default. After the change it is evaluated every 100 rows,
from row 2,000 on every 250, and from row 5,000 on every 500. Other tools run with their defaults,
in an environment of their own. Results and the page docs/power.md are written after each line of
the table, so that an interrupted run keeps what it measured. A run replaces only the cells that it
measures.

    make bench-power                                              # more than an hour
    python benchmarks/power.py --models 50 --changes "mean +0.1"  # ours alone, two changes
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import numpy as np

import power_streams
from dependence import Kind
from mlmonitor import Config, Reference
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.traffic import Comparing
from mlmonitor.records import Declared
from mlmonitor.testing.streams import Stream
from power_streams import CHANGED_ROWS, CHANGES, DEPENDENT, INDEPENDENT, TRIALS, Change

OURS, SCORES = "mlmonitor", {"anomaly_score", "anomalous"}
CLEAN_ROWS, CLEAN_STEP = (10_000, 0, 100_000), 1_000
LOOKS = (*range(100, 2_000, 100), *range(2_000, 5_000, 250), *range(5_000, CHANGED_ROWS + 1, 500))
ONE_WINDOW = Span(1e9, None, 1)  # slices of it would only cost time
RESULTS = Path(__file__).with_name("results") / "power.json"
PAGE = Path(__file__).parents[1] / "docs" / "build" / "power_page.py"

Delays = dict[str, dict[str, list[int | None]]]
"""Rows until an alert, or None, for each monitor and number of clean rows before the change."""

Measure = Callable[[Kind, int, Change, Sequence[int]], Delays]
"""Finds the delays of the trial with this number; one call may measure several trials at once."""


def begin(reference: Reference) -> Comparing:
    """Begin to compare rows, as a monitor with the default configuration does."""
    options = replace(ComparisonOptions.from_config(Config()), span=ONE_WINDOW)
    return Comparing.begin(reference, options, Declared(), now=0.0)


def compare(
    comparing: Comparing, stream: Stream, looks: Iterable[int]
) -> Iterator[tuple[int, frozenset[str]]]:
    """Compare a stream; yield each number of rows in `looks`, and the fields with an alert."""
    for start, stop in pairwise(chain([0], looks)):
        part, now = stream.part(start, stop), float(stream.times[start])
        outputs = {"prediction": np.zeros(part.rows)}
        if part.groups is not None:
            comparing.population.update_groups(part.groups)
        rows = Rows(part.rows, ColumnTable(part.columns, part.rows), outputs, [], [], None)
        comparing.update(rows, None, now=now)
        comparing.population.evaluate(now=now)
        yield stop, frozenset(alert.field for alert in comparing.population.alerts)


def find_false_alert(comparing: Comparing, stream: Stream) -> int | None:
    """Compare all rows of a stream; return the number of rows until any field alerts, or None."""
    looks = range(CLEAN_STEP, stream.rows + 1, CLEAN_STEP)
    alerted = [rows for rows, fields in compare(comparing, stream, looks) if fields]
    return alerted[0] if alerted else None


def find_delays(kind: Kind, number: int, change: Change, clean_rows: int) -> list[int | None]:
    """Return, for each trial of one model, the rows from the change to its first alert, or None."""
    comparing = begin(power_streams.fit(kind, number, change))
    find_false_alert(comparing, power_streams.draw_clean(kind, number, change, clean_rows))
    delays: dict[str, int] = {}
    changed = power_streams.draw_changed(kind, number, change)
    for rows, fields in compare(comparing, changed, LOOKS):
        for field in fields - delays.keys():
            delays[field] = rows
        if not set(TRIALS) - delays.keys() or (change.is_joint and SCORES & delays.keys()):
            break
    if change.is_joint:
        return [min((delays[name] for name in SCORES & delays.keys()), default=None)]
    return [delays.get(name) for name in TRIALS]


def find_own_delays(kind: Kind, number: int, change: Change, clean_rows: Sequence[int]) -> Delays:
    """Return the delays of mlmonitor; without a change, the rows until a false alert."""
    if change in power_streams.NO_CHANGES:
        comparing = begin(power_streams.fit(kind, number, change))
        clean = power_streams.draw_clean(kind, number, change, max(clean_rows))
        return {OURS: {str(max(clean_rows)): [find_false_alert(comparing, clean)]}}
    if not change.is_joint:
        number, place = divmod(number, len(TRIALS))
        if place > 0:  # measured together with the first trial of its model
            return {}
    return {OURS: {str(rows): find_delays(kind, number, change, rows) for rows in clean_rows}}


class Peers:
    """The process in which the other tools run, one trial after the other."""

    def __init__(self, python: str, tools: Sequence[str], slow_models: int) -> None:
        script = str(Path(__file__).with_name("power_of_peers.py"))
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([python, script], stdin=pipe, stdout=pipe, text=True)
        self._tools, self._slow_models = tools, slow_models

    def find_delays(
        self, kind: Kind, number: int, change: Change, clean_rows: Sequence[int]
    ) -> Delays:
        """Return the delays of all other tools in one trial, or the rows until a false alert."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        request: dict[str, Any] = {
            "tools": self._tools,
            "clean_rows": clean_rows,
            "is_joint": change.is_joint,
            "is_changed": change not in power_streams.NO_CHANGES,
            "has_slow": number < self._slow_models,
        }
        with tempfile.TemporaryDirectory() as folder:
            request["path"] = str(Path(folder) / "model.npz")
            arrays = power_streams.name_arrays(kind, number, change, max(clean_rows))
            np.savez(request["path"], **arrays)
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
            answer = self._process.stdout.readline()
        if not answer:
            raise SystemExit("the peers failed: see above")
        by_peer: dict[str, dict[str, int | None]] = json.loads(answer)
        return {
            name: {clean: [delay] for clean, delay in by_clean.items()}
            for name, by_clean in by_peer.items()
        }


def summarise(delays: Sequence[int | None]) -> dict[str, Any]:
    """Return in how many models the change was found, and two quantiles of the delays of all.

    A quantile is None if it falls on a model in which the change was not found.
    """
    ordered = sorted(np.inf if delay is None else delay for delay in delays)
    median, late = np.quantile(ordered, [0.5, 0.9], method="inverted_cdf").tolist()
    return {
        "models": len(delays),
        "found": sum(delay is not None for delay in delays),
        "median_rows": None if np.isinf(median) else median,
        "rows_of_90_percent": None if np.isinf(late) else late,
    }


def count_false_alerts(first_alerts: Sequence[int | None], clean_rows: int) -> dict[str, Any]:
    """Return how many models alerted within the first 10,000 clean rows, and within all of them."""
    alerted = [rows for rows in first_alerts if rows is not None]
    ends = sorted({10_000, clean_rows})
    return {
        "models": len(first_alerts),
        "alerted": {str(end): sum(rows <= end for rows in alerted) for end in ends},
    }


def measure_line(
    measure: Measure, kind: Kind, change: Change, clean_rows: Sequence[int], models: int
) -> dict[str, dict[str, Any]]:
    """Measure one line of the table: a cell for each monitor and number of clean rows."""
    delays: dict[str, dict[str, list[int | None]]] = defaultdict(lambda: defaultdict(list))
    for number in range(models):
        for monitor, by_clean in measure(kind, number, change, clean_rows).items():
            for clean, own in by_clean.items():
                delays[monitor][clean] += own
    if change not in power_streams.NO_CHANGES:
        return {
            monitor: {clean: summarise(own) for clean, own in by_clean.items()}
            for monitor, by_clean in delays.items()
        }
    return {
        monitor: count_false_alerts(first, int(clean))
        for monitor, by_clean in delays.items()
        for clean, first in by_clean.items()
    }


def write_line(
    kind: Kind, change: Change, cells: dict[str, dict[str, Any]], path: Path = RESULTS
) -> None:
    """Merge the cells of a line into the stored results; cells of other monitors are kept."""
    results = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    line = results.setdefault(kind.name, {}).setdefault(change.name, {})
    for monitor, own in cells.items():
        line[monitor] = line.get(monitor, {}) | own
    changes = [change.name for change in (*power_streams.NO_CHANGES, *CHANGES)]
    ordered = {
        own.name: {name: results[own.name][name] for name in changes if name in results[own.name]}
        for own in (INDEPENDENT, *DEPENDENT)
        if own.name in results
    }
    path.write_text(json.dumps(ordered, indent=1) + "\n", encoding="utf-8")


def select_lines(options: argparse.Namespace) -> Iterator[tuple[Kind, Change, list[int]]]:
    """Yield the lines to measure, each with its numbers of clean rows."""
    for kind in (INDEPENDENT, *DEPENDENT):
        clean_rows = options.clean if kind is INDEPENDENT else [10_000]
        chosen = [c for c in CHANGES if kind is INDEPENDENT or c.of_dependent]
        if max(clean_rows) >= 10_000:  # fewer would show too few false alerts
            chosen += power_streams.NO_CHANGES
        for change in chosen:
            is_wanted = change.name.startswith(tuple(options.changes))
            if is_wanted and kind.name.startswith(tuple(options.kinds)):
                yield kind, change, clean_rows


def main() -> None:
    """Measure mlmonitor, or the other tools if their Python is given, line by line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--slow-models", type=int, default=3, help="of Evidently and KSWIN")
    parser.add_argument("--peers", help="the Python of the peers: measures them, not ours")
    parser.add_argument("--tools", nargs="*", default=[""], help="those that begin with these")
    parser.add_argument("--kinds", nargs="*", default=[""], help="those that begin with these")
    parser.add_argument("--changes", nargs="*", default=[""], help="those that begin with these")
    parser.add_argument("--clean", type=int, nargs="*", default=CLEAN_ROWS, help="clean rows")
    options = parser.parse_args()
    peers = Peers(options.peers, options.tools, options.slow_models) if options.peers else None
    measure = find_own_delays if peers is None else peers.find_delays
    for kind, change, clean_rows in select_lines(options):
        began = time.perf_counter()
        write_line(kind, change, measure_line(measure, kind, change, clean_rows, options.models))
        subprocess.run([sys.executable, str(PAGE)], check=True)
        print(f"{kind.name}, {change.name}: {time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
