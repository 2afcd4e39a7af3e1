"""Run NannyML for `estimated_performance.py`, in its own environment, and print JSON."""

import json
import os
import resource
import time
import warnings
from pathlib import Path

os.environ |= {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}  # no telemetry
warnings.simplefilter("ignore")

import nannyml  # noqa: E402 - the variables come first
from nannyml import datasets  # noqa: E402

MEASURES = ["roc_auc", "accuracy", "f1"]
CHUNK_ROWS = 5_000


def main() -> None:
    """Estimate the car loans' performance with CBPE, chunk by chunk."""
    reference, analysis, _ = datasets.load_synthetic_car_loan_dataset()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    estimator = nannyml.CBPE(
        problem_type="classification_binary",
        y_pred_proba="y_pred_proba",
        y_pred="y_pred",
        y_true="repaid",
        metrics=MEASURES,
        chunk_size=CHUNK_ROWS,
    )
    estimator.fit(reference)
    fitted = time.process_time()
    chunks = estimator.estimate(analysis).filter(period="analysis").to_df()
    estimated = time.process_time()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    results = {
        "version": nannyml.__version__,
        "data": str(Path(datasets.__file__).parent / "data"),
        "fit_seconds": fitted - started,
        "estimate_seconds": estimated - fitted,
        "memory_bytes": (after - before) * 1024,
        "chunks": {name: chunks[name, "value"].tolist() for name in MEASURES},
        "low": {name: chunks[name, "lower_confidence_boundary"].tolist() for name in MEASURES},
        "high": {name: chunks[name, "upper_confidence_boundary"].tolist() for name in MEASURES},
    }
    print(json.dumps(results))


if __name__ == "__main__":
    main()
