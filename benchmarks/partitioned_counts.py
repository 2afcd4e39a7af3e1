"""Count the same rows with Spark in four partitions and in one, Dask, `Profile` and `record`.

    .venv-spark/bin/python benchmarks/partitioned_counts.py --folder /tmp [--rows 10000000]

writes a Parquet file of 20 seeded columns, counts it in seven ways, and fails unless all counts are
identical and the quantiles are within the error of a digest. It holds at most one row group in
memory. It prints the peak resident memory of each way, including Spark's JVM and all workers. Needs
the extras `spark` and `dask`; `make spark` creates the environment.
"""

import argparse
import hashlib
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from mlmonitor import Config, Monitor, Profile, Reference
from mlmonitor.integrations import dask as dask_profiles
from mlmonitor.integrations import spark as spark_profiles
from mlmonitor.profiling.row_profile import read_content
from profile_file import GROUP_ROWS, write_file
from resident import PeakMemory

FLOATS, TEXTS = 15, 5
SPARK_PARTITIONS = 4
SHARES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
RANK_ERROR = 0.01
COUNTS = ("rows", "bins", "categories", "quality", "outliers", "seasons")


def draw_columns(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Draw twenty columns; a tenth of the first column is missing."""
    columns: dict[str, Any] = {f"x{n}": rng.normal(0, 1, rows) for n in range(FLOATS)}
    columns["x0"][rng.random(rows) < 0.1] = np.nan
    for place in range(TEXTS):
        names = np.array([f"name {number}" for number in range(4 * (1 + place))])
        columns[f"c{place}"] = names[rng.integers(0, len(names), rows)]
    return columns


def draw_with_new(rng: np.random.Generator, rows: int) -> dict[str, Any]:
    """Draw columns in which some rows have a new category."""
    columns = draw_columns(rng, rows)
    columns["c4"][:7] = "new"
    return columns


def hash_counts(profile: Profile) -> str:
    """Hash all counts, but not sums of floats, whose rounding depends on their order."""
    content = read_content(profile)
    assert content is not None
    digest = hashlib.sha256()
    for population in content.populations:
        for name in COUNTS:
            digest.update(population.added[name].tobytes())
        digest.update(population.moments.count.tobytes())
    return digest.hexdigest()[:16]


def find_ranks(profile: Profile, sorted_sample: np.ndarray) -> np.ndarray:
    """Return the ranks of a profile's quantiles in a sorted sample of `x1`."""
    content = read_content(profile)
    assert content is not None
    quantiles = content.populations[0].digests.quantile(SHARES)
    assert len(quantiles) == FLOATS  # in the order of the columns
    return np.searchsorted(sorted_sample, quantiles[1]) / len(sorted_sample)


def start_spark() -> Any:
    """Start a Spark session that runs two tasks at a time."""
    from pyspark.sql import SparkSession

    os.environ["PYSPARK_PYTHON"] = sys.executable
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    builder = SparkSession.builder.master("local[2]").config("spark.driver.host", "127.0.0.1")
    builder = builder.config("spark.ui.enabled", "false").config("spark.driver.memory", "2g")
    session = builder.config("spark.ui.showConsoleProgress", "false").getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    return session


def record(path: Path, reference: Reference) -> Profile:
    """Record the rows as a service does, a few thousand at a time."""
    import pyarrow.parquet as pq

    config = Config(window_seconds=1e9)
    with Monitor("rows", reference=reference, exporters=[], config=config) as monitor:
        for batch in pq.ParquetFile(path).iter_batches(batch_size=GROUP_ROWS):
            monitor.record(batch.to_pandas(), np.zeros(batch.num_rows))
        return monitor.profile()


def list_ways(path: Path, reference: Reference) -> dict[str, Callable[[], Profile]]:
    """Return the ways to count the file without Spark, by name."""
    import dask.dataframe as dd

    return {
        "Profile.read, 1 process": lambda: Profile.read(path, reference=reference, workers=1),
        "Profile.read, 2 processes": lambda: Profile.read(path, reference=reference, workers=2),
        "Dask": lambda: dask_profiles.profile(
            dd.read_parquet(path, split_row_groups=True), reference
        ),
        "Monitor.record": lambda: record(path, reference),
    }


def split_file(spark: Any, path: Path, partitions: int) -> Any:
    """Return the file as a data frame whose partitions are stretches of the file."""
    options = {"maxPartitionBytes": -(-path.stat().st_size // partitions), "openCostInBytes": 0}
    for name, value in options.items():
        spark.conf.set(f"spark.sql.files.{name}", str(value))
    frame = spark.read.parquet(str(path))
    assert frame.rdd.getNumPartitions() == partitions
    return frame


def list_spark_ways(
    spark: Any, path: Path, reference: Reference
) -> dict[str, Callable[[], Profile]]:
    """Return the ways to count the file with Spark, after its workers have started."""
    split = split_file(spark, path, SPARK_PARTITIONS)
    spark_profiles.profile(split.limit(1_000), reference)
    return {
        "Spark, 4 partitions": lambda: spark_profiles.profile(split, reference),
        "Spark, 4, after a shuffle": lambda: spark_profiles.profile(
            split.repartition(SPARK_PARTITIONS), reference
        ),
        "Spark, 1 partition": lambda: spark_profiles.profile(split.coalesce(1), reference),
    }


def pass_batches(batches: Iterable[Any]) -> Iterator[Any]:
    """Read arrow batches in an executor and yield none of them."""
    for _ in batches:
        pass
    yield from ()


def read_with_spark(spark: Any, path: Path, rows: int) -> None:
    """Print how long Spark alone takes to hand all rows over to Python, without counting them."""
    frame = split_file(spark, path, SPARK_PARTITIONS)
    started_at = time.perf_counter()
    assert frame.mapInArrow(pass_batches, "nothing int").count() == 0
    seconds = time.perf_counter() - started_at
    print(f"{'Spark alone, not counted':<44} {seconds:6.1f} s  {rows / seconds:>10,.0f} rows/s")


def count(name: str, way: Callable[[], Profile], rows: int, sample: np.ndarray) -> str:
    """Count in one way, print its cost, check the quantiles, and return a hash of the counts."""
    started_at = time.perf_counter()
    with PeakMemory() as memory:
        profile = way()
    seconds = time.perf_counter() - started_at
    worst = float(np.abs(find_ranks(profile, sample) - SHARES).max())
    assert profile.rows == rows, (name, profile.rows)
    assert worst < RANK_ERROR, (name, worst)
    hashed = hash_counts(profile)
    print(
        f"{name:<26} {hashed}  {seconds:6.1f} s  {rows / seconds:>10,.0f} rows/s  "
        f"{memory.peak_bytes / 2**20:>6,.0f} MiB",
        flush=True,
    )
    return hashed


def main() -> None:
    """Count in every way, and compare the counts."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, required=True)
    options = parser.parse_args()
    path = options.folder / f"rows_{options.rows}.parquet"
    if not path.exists():
        write_file(path, options.rows, draw_with_new)
    training = draw_columns(np.random.default_rng(0), 20_000)
    reference = Reference.fit(training, thresholds="asymptotic")
    sample = np.sort(draw_columns(np.random.default_rng(1), 200_000)["x1"])
    ways = list_ways(path, reference)
    hashes = {name: count(name, way, options.rows, sample) for name, way in ways.items()}
    spark = start_spark()  # last, so that its JVM does not count in the other memory figures
    ways = list_spark_ways(spark, path, reference)
    hashes |= {name: count(name, way, options.rows, sample) for name, way in ways.items()}
    read_with_spark(spark, path, options.rows)
    spark.stop()
    assert len(set(hashes.values())) == 1, hashes
    print("all counts are equal")


if __name__ == "__main__":
    main()
