"""A monitored nightly scoring job: rows are scored in chunks, and none is lost.

    python examples/batch_job/job.py --rows 200000 --collector http://localhost:4318

Without `--collector`, the standard OTEL_EXPORTER_OTLP_* variables decide where metrics go. The exit
status is 0 if every row was recorded and delivered, and 1 if not.
"""

import argparse
import sys
from collections.abc import Iterator

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from tqdm import tqdm

from mlmonitor import Monitor, Otlp, Reference

FEATURES = ["sum_insured", "vehicle_age", "line"]
CHUNK_ROWS = 20_000


def policies(rows: int, rng: np.random.Generator, *, inflation: float = 1.0) -> pd.DataFrame:
    """Draw insurance policies, with the amount of the claim that each of them will cause."""
    line = rng.choice(["motor", "home", "travel"], rows, p=[0.6, 0.3, 0.1])
    sum_insured = inflation * rng.lognormal(10, 0.5, rows)
    vehicle_age = rng.gamma(2.0, 4.0, rows)
    severity = 0.05 * sum_insured * (1 + 0.02 * vehicle_age) * rng.lognormal(0, 0.3, rows)
    return pd.DataFrame(
        {
            "sum_insured": sum_insured,
            "vehicle_age": vehicle_age,
            "line": pd.Categorical(line, categories=["motor", "home", "travel"]),
            "claim": severity,
        }
    )


def train(rng: np.random.Generator) -> tuple[HistGradientBoostingRegressor, Reference]:
    """Fit a model, and a reference on rows that the model was not fitted on."""
    past = policies(20_000, rng)
    fitted_on, held_out = past[:10_000], past[10_000:]
    model = HistGradientBoostingRegressor(categorical_features="from_dtype", random_state=0)
    model.fit(fitted_on[FEATURES], fitted_on["claim"])
    reference = Reference.fit(
        held_out[FEATURES],
        predictions=model.predict(held_out[FEATURES]),
        actuals=held_out["claim"].to_numpy(),
    )
    return model, reference


def tonight(rows: int, rng: np.random.Generator) -> Iterator[pd.DataFrame]:
    """Yield the rows to score in chunks, as a database cursor or a Parquet reader would."""
    for start in range(0, rows, CHUNK_ROWS):
        yield policies(min(CHUNK_ROWS, rows - start), rng, inflation=1.25)[FEATURES]


def score(rows: int, collector: str | None) -> bool:
    """Score and record all rows; return whether the monitor has delivered all of them."""
    rng = np.random.default_rng(20_260_501)
    model, reference = train(rng)
    exporters = None if collector is None else [Otlp.collector(collector)]
    monitor = Monitor("claims-severity", version="7", reference=reference, exporters=exporters)
    with tqdm(total=rows, unit=" rows", disable=None) as progress:  # silent in a pipe
        for chunk in tonight(rows, rng):
            monitor.record(chunk, model.predict(chunk))  # waits for room; loses nothing
            progress.update(len(chunk))
    delivered = monitor.close()  # waits for the rows that are still being read
    print(monitor.status())
    return delivered


def main() -> int:
    """Run the job with the options of the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--collector", metavar="URL")
    options = parser.parse_args()
    return 0 if score(options.rows, options.collector) else 1


if __name__ == "__main__":
    sys.exit(main())
