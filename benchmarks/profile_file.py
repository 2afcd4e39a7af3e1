"""A Parquet file of 5,000,000 x 40 mixed columns into a profile: CPU beside reading it, and memory.

    python benchmarks/profile_file.py --folder /tmp [--rows 5000000]

writes the file once, by a seed, and benchmarks/results/profile_file.json, of which
docs/figures/profile_memory.py draws the memory. Each run is a process of its own, whose resident
memory, that of its workers included, is read ten times a second.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

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


def draw_columns(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Forty columns of five types; a twentieth of the first floats is missing."""
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


def write_file(path: Path, rows: int) -> None:
    """Write the file a row group at a time."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(15)
    writer = None
    for start in range(0, rows, GROUP_ROWS):
        table = pa.table(draw_columns(rng, min(GROUP_ROWS, rows - start)))
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()


def resident_bytes(pid: int) -> int:
    """The resident memory of a process and its children; 0 once it has ended."""
    total = 0
    try:
        pages = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]
        total += int(pages) * os.sysconf("SC_PAGE_SIZE")
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except OSError:
        return total
    return total + sum(resident_bytes(int(child)) for child in children)


def run(code: str, *arguments: object) -> dict[str, Any]:
    """Run a script; return its seconds of CPU and time, and its memory over time."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started_at = time.perf_counter()
    memory = []
    command = [sys.executable, "-c", code, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            memory.append((time.perf_counter() - started_at, resident_bytes(process.pid)))
            time.sleep(0.1)
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


def main() -> None:
    """Measure, print and keep the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=5_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    from mlmonitor import Reference

    path = options.folder / f"mixed_{options.rows}.parquet"
    if not path.exists():
        write_file(path, options.rows)
    training = draw_columns(np.random.default_rng(0), TRAINING_ROWS)
    reference = options.folder / "mixed.reference.json"
    Reference.fit(training, thresholds="asymptotic").save(reference)
    runs = {
        "read by pyarrow": run(READ, path),
        "profiled by 1 process": run(PROFILE, path, reference, 1),
        "profiled by 2 processes": run(PROFILE, path, reference, 2),
    }
    base = runs["read by pyarrow"]["cpu_seconds"]
    for name, figures in runs.items():
        cpu, peak = figures["cpu_seconds"], figures["peak_bytes"] / 2**20
        print(
            f"{name:<24} {cpu:>8.1f} s CPU ({cpu / base:.1f} x), {figures['seconds']:.1f} s, "
            f"at most {peak:.0f} MiB"
        )
    content = {"rows": options.rows, "file_bytes": path.stat().st_size, "runs": runs}
    RESULTS.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
