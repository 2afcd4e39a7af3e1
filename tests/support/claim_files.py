"""Event files with three days of claims, two of them labelled, and some labels sent twice."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from mlmonitor import Files, Monitor
from support.shown_models import claims_reference, draw_claims, predict

ROWS, LABELLED = 3_000, 2_000
START = datetime(2026, 1, 1, tzinfo=UTC)
REFERENCE = claims_reference()
CLAIMS = draw_claims(np.random.default_rng(4), ROWS)
CLAIMS["limit"][ROWS // 2 :] *= 1.6
PREDICTIONS = predict(CLAIMS)
ERRORS = np.random.default_rng(5).normal(0, 300, ROWS)


def write_claims(folder: Path) -> None:
    """Write predictions and labels to event files, as a service does."""
    times = [(START + timedelta(seconds=86.4 * row)).timestamp() for row in range(ROWS)]
    ids = [f"claim-{row}" for row in range(ROWS)]
    with Monitor(
        "claims",
        version="7",
        reference=REFERENCE,
        exporters=[],
        events=Files(folder, format="parquet", ids="plain"),
    ) as monitor:
        monitor.record(CLAIMS, PREDICTIONS, ids=ids, at=times)
        monitor.status()
        monitor.label(ids[:LABELLED], PREDICTIONS[:LABELLED] - ERRORS[:LABELLED], at=times[-1])
        monitor.status()
        monitor.label(ids[:100], np.zeros(100), at=times[-1] + 60)
