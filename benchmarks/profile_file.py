"""What profiling a Parquet file of 5,000,000 rows and 40 mixed columns costs in CPU and memory.

    python benchmarks/profile_file.py --folder /tmp [--rows 5000000]
        [--peers PYTHON] [--peer-rows 200000]

writes the seeded file once, and benchmarks/results/profile_file.json, whose memory curves
docs/figures/profile_memory.py draws. Each run is a process of its own, whose resident memory,
including that of its workers, is read ten times a second.

Other tools get a smaller file of the same columns, which we profile as well. whylogs tracks it
16,384 rows at a time; Evidently compares the whole file with our training data, with its drift
preset. PYTHON is an interpreter of Python 3.11 with the packages of benchmarks/profile_peers.txt.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from resident import SECONDS, resident_bytes

RESULTS = Path(__file__).parent / "results" / "profile_file.json"
GROUP_ROWS = 1 << 18
FLOATS, INTEGERS, TEXTS, BOOLEANS, TIMES = 20, 8, 8, 2, 2
TRAINING_ROWS = 50_000

READ = """
import sys, pyarrow.parquet as pq
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(batch_size=16384): pass
"""
PROFILE = """
import sys
from mlmonitor import Profile
print(Profile.read(sys.argv[1], reference=sys.argv[2], workers=int(sys.argv[3])).rows)
"""
WHYLOGS = """
import sys, pyarrow.parquet as pq
from whylogs.core import DatasetProfile
profile = DatasetProfile()
for batch in pq.ParquetFile(sys.argv[1]).iter_batches(batch_size=16384):
    profile.track(batch.to_pandas())
profile.view().serialize()
"""
EVIDENTLY = """
import os, sys, warnings
os.environ["DO_NOT_TRACK"] = "1"
warnings.simplefilter("ignore")
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset
current, training = map(pd.read_parquet, sys.argv[1:])
Report([DataDriftPreset()]).run(current, training).dict()
"""


def draw_columns(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Draw forty columns of five types; a twentieth of the first floats is missing."""
    floats = rng.normal(0, 1, (FLOATS, rows))
    floats[:4][rng.random((4, rows)) < 0.05] = np.nan
    columns: dict[str, Any] = {f"x{place}": column for place, column in enumerate(floats)}
    for place in range(INTEGERS):
        columns[f"n{place}"] = rng.integers(0, 10 ** (1 + place % 4), rows)
    for place in range(TEXTS):
        names = np.array([f"name {number}" for number in range(5 * (1 + place))])
        columns[f"c{place}"] = names[rng.integers(0, len(names), rows)]
    for place in range(BOOLEANS):
        columns[f"b{place}"] = rng.random(rows) < 0.3
    start = np.datetime64("2026-01-01", "us")
    for place in range(TIMES):
        columns[f"t{place}"] = start + rng.integers(0, 90 * 86_400_000_000, rows)
    return columns


def write_file(
    path: Path, rows: int, draw: Callable[[np.random.Generator, int], dict[str, Any]]
) -> None:
    """Write a file of drawn columns, one row group at a time, with a fixed seed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(15)
    writer = None
    for start in range(0, rows, GROUP_ROWS):
        table = pa.table(draw(rng, min(GROUP_ROWS, rows - start)))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def run(code: str, *arguments: object, python: str = sys.executable) -> dict[str, Any]:
    """Run a script; return its CPU and wall-clock seconds, and its memory over time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started_at = time.perf_counter()
    memory = []
    command = [python, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory.append((time.perf_counter() - started_at, resident_bytes(process.pid)))
            time.sleep(SECONDS)
    assert process.returncode == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    step = max(len(memory) // 200, 1)
    return {
        "cpu_seconds": round(cpu, 2),
        "seconds": round(time.perf_counter() - started_at, 2),
        "peak_bytes": max(size for _, size in memory),
        "memory": [[round(at, 2), size] for at, size in memory[::step]],
    }


def show(runs: dict[str, Any], base: str) -> None:
    """Print CPU, time and memory of each run, and its CPU relative to the run `base`."""
    for name, figures in runs.items():
        cpu, peak = figures["cpu_seconds"], figures["peak_bytes"] / 2**20
        ratio = cpu / runs[base]["cpu_seconds"]
        print(
            f"{name:<24} {cpu:>8.1f} s CPU ({ratio:.1f} x), {figures['seconds']:.1f} s, "
            f"at most {peak:.0f} MiB",
            flush=True,
        )


def measure_peers(options: argparse.Namespace, reference: Path) -> dict[str, Any]:
    """Profile a smaller file with mlmonitor and with other tools."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = options.folder / f"mixed_{options.peer_rows}.parquet"
    if not path.exists():
        write_file(path, options.peer_rows, draw_columns)
    training = options.folder / "mixed.training.parquet"
    pq.write_table(pa.table(draw_columns(np.random.default_rng(0), TRAINING_ROWS)), training)
    return {
        "mlmonitor, 1 process": run(PROFILE, path, reference, 1),
        "whylogs": run(WHYLOGS, path, python=options.peers),
        "Evidently": run(EVIDENTLY, path, training, python=options.peers),
    }


def main() -> None:
    """Measure, print and store the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--peer-rows", type=int, default=200_000)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--peers")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    from mlmonitor import Reference

    path = options.folder / f"mixed_{options.rows}.parquet"
    if not path.exists():
        write_file(path, options.rows, draw_columns)
    training = draw_columns(np.random.default_rng(0), TRAINING_ROWS)
    reference = options.folder / "mixed.reference.json"
    Reference.fit(training, thresholds="asymptotic").save(reference)
    runs = {
        "read by pyarrow": run(READ, path),
        "profiled by 1 process": run(PROFILE, path, reference, 1),
        "profiled by 2 processes": run(PROFILE, path, reference, 2),
    }
    show(runs, "read by pyarrow")
    content = {"rows": options.rows, "file_bytes": path.stat().st_size, "runs": runs}
    if options.peers:
        peers = measure_peers(options, reference)
        print(f"{options.peer_rows:,} rows:")
        show(peers, "mlmonitor, 1 process")
        content |= {"peer_rows": options.peer_rows, "peers": peers}
    options.results.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
