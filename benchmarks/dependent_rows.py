"""False alerts and delays of mlmonitor and other tools on rows that depend on each other.

Streams are those of `dependence.py`, with five normal features and a reference of 20,000 rows. A
model serves 20,000 rows without a change, then 10,000 rows in which one field moves by half a
standard deviation. A flag of any field before the change is a false alert. Other tools run with
their defaults, in an environment of their own; the Kolmogorov-Smirnov test compares each 1,000 rows
with the reference. Intervals are 95% intervals of Clopper and Pearson. Results and the page
docs/false_alerts.md are written after each kind of rows, so an interrupted run loses little.

    make bench-dependent        # 20 models per kind of rows, 5 for slow tools
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

import dependence
from dependence import NEVER, REFERENCE_ROWS, ROWS, Kind
from mlmonitor.testing import streams

SHIFTED_ROWS, SHIFT, WINDOW, LEVEL = 10_000, 0.5, 1_000, 0.05
RESULTS = Path(__file__).with_name("results") / "dependent_rows.json"
PAGE = Path(__file__).parents[1] / "docs" / "build" / "false_alerts.py"
KINDS = (
    Kind("independent", streams.independent),
    *(
        Kind(f"groups of {size}", partial(streams.grouped, size=size), "groups")
        for size in (2, 5, 20, 100)
    ),
    Kind(
        "groups of 100, interleaved",
        partial(streams.grouped, size=100, is_interleaved=True),
        "groups",
    ),
    *(
        Kind(f"autoregressive, {r}", partial(streams.autoregressive, correlation=r))
        for r in (0.5, 0.9, 0.99)
    ),
    *(
        Kind(f"days that differ by {d} sd", partial(streams.varying_days, deviation=d), "times")
        for d in (0.05, 0.1, 0.2)
    ),
    Kind("batches of 500, sorted", streams.sorted_batches),
    Kind("daily cycle of 0.5 sd", streams.seasonal, "times", season="hour_of_day"),
    Kind(
        "daily cycle and weekends",
        partial(streams.seasonal, weekend=0.3),
        "times",
        season="hour_of_week",
    ),
)


class Model(NamedTuple):
    """The rows of a model: its reference, and the rows it predicts later."""

    reference: streams.Stream
    served: streams.Stream

    @classmethod
    def build(cls, kind: Kind, number: int) -> "Model":
        """Draw the rows of one model; the first field shifts after `ROWS` served rows."""
        reference = kind.make(REFERENCE_ROWS, seed=2 * number)
        served = kind.make(ROWS + SHIFTED_ROWS, seed=2 * number + 1)
        served = streams.shift(served, "x0", SHIFT, start=ROWS)
        return cls(reference, served)

    def save(self, path: Path) -> None:
        """Write the rows to a file for the script of the other tools."""
        reference, served = (
            np.stack(list(stream.columns.values()), axis=1)
            for stream in (self.reference, self.served)
        )
        np.savez(path, reference=reference, rows=served, shift_at=ROWS)


Flags = tuple[bool, int | None]
"""Whether any clean row is flagged, and the rows from the shift to the next flag of its field."""


def watch(kind: Kind, model: Model, number: int) -> Flags:
    """Return the flags of mlmonitor, evaluated every `dependence.STEP` rows."""
    reference = dependence.fit(model.reference, kind, number)
    is_false = dependence.first_alert(reference, model.served.part(0, ROWS)) < NEVER
    shifted = dependence.first_alert(reference, model.served, field="x0", after=ROWS)
    return is_false, shifted - ROWS if shifted < NEVER else None


def compare_windows(model: Model, level: float) -> Flags:
    """Return the flags of a Kolmogorov-Smirnov test at this level for each window and field."""

    def is_flagged(name: str, start: int) -> bool:
        window = model.served.columns[name][start : start + WINDOW]
        p_value: float = stats.ks_2samp(model.reference.columns[name], window).pvalue
        return p_value < level

    starts = range(0, ROWS, WINDOW)
    is_false = any(is_flagged(name, start) for start in starts for name in model.reference.columns)
    shifted = range(ROWS, ROWS + SHIFTED_ROWS, WINDOW)
    first = next((start for start in shifted if is_flagged("x0", start)), None)
    return is_false, None if first is None else first + WINDOW - ROWS


def measure_ours(kind: Kind, models: list[Model]) -> dict[str, list[Flags]]:
    """Return the flags of all monitors that run in this environment, by name."""
    fields, windows = len(models[0].reference.columns), ROWS // WINDOW
    plain = kind._replace(declared="", season=None)
    flags = {"mlmonitor": [watch(plain, model, number) for number, model in enumerate(models)]}
    if kind.declared:
        declared = [watch(kind, model, number) for number, model in enumerate(models)]
        flags["mlmonitor, declared"] = declared
    for name, tests in (("fields", fields), ("fields and windows", fields * windows)):
        level = LEVEL / tests
        flags[f"KS, Bonferroni over {name}"] = [compare_windows(model, level) for model in models]
    return flags


def measure(kind: Kind, models: int, peers: str, slow_models: int) -> dict[str, list[Flags]]:
    """Return the flags of all monitors on rows of one kind; other tools run at the same time."""
    built = [Model.build(kind, number) for number in range(models)]
    with tempfile.TemporaryDirectory() as folder:
        for number, model in enumerate(built):
            model.save(Path(folder) / f"{number:04d}.npz")
        script = str(Path(__file__).with_name("dependent_rows_of_peers.py"))
        command = [peers, script, folder, "--slow-models", str(slow_models)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            flags = measure_ours(kind, built)
        if process.returncode:
            raise SystemExit(f"the peers failed on {kind.name}: see above")
        return flags | json.loads((Path(folder) / "flags.json").read_text())


def summarise(flags: list[Flags]) -> dict[str, Any]:
    """Count models, false alerts and detected shifts, and take the median delay of the latter."""
    delays = [delay for _, delay in flags if delay is not None]
    return {
        "models": len(flags),
        "models_alerted": sum(is_false for is_false, _ in flags),
        "shifts_found": len(delays),
        "median_delay_rows": float(np.median(delays)) if delays else None,
    }


def main() -> None:
    """Measure each kind of rows, and write results and page after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--slow-models", type=int, default=5, help="of Evidently and KSWIN")
    parser.add_argument("--peers", required=True, help="the Python of the peers' environment")
    parser.add_argument("--kinds", default="", help="only those whose name begins with this")
    options = parser.parse_args()
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    for number, kind in enumerate(KINDS, start=1):
        if not kind.name.startswith(options.kinds):
            continue
        print(f"{number} of {len(KINDS)}: {kind.name}", flush=True)
        began = time.perf_counter()
        flags = measure(kind, options.models, options.peers, options.slow_models)
        results[kind.name] = {name: summarise(own) for name, own in flags.items()}
        print(f"  all: {time.perf_counter() - began:.0f} s", flush=True)
        ordered = {own.name: results[own.name] for own in KINDS if own.name in results}
        RESULTS.write_text(json.dumps(ordered, indent=1) + "\n")
        subprocess.run([sys.executable, str(PAGE)], check=True)


if __name__ == "__main__":
    main()
