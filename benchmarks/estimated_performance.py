"""Performance estimated without labels, by mlmonitor and NannyML, and the realised performance.

The data are the synthetic car loans in NannyML's package: 50,000 reference rows, and 50,000 later
rows in chunks of 5,000, whose targets are in a separate file. Both libraries estimate ROC AUC,
accuracy and F1 without these targets, NannyML by CBPE. NannyML runs in its own environment. Writes
a page of the documentation.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn import metrics

from mlmonitor import Monitor, Reference
from mlmonitor.testing import ManualClock

MEASURES = ("roc_auc", "accuracy", "f1")
TITLES = {"roc_auc": "ROC AUC", "accuracy": "accuracy", "f1": "F1"}
CHUNK_ROWS = 5_000
NOT_FEATURES = {"id", "timestamp", "y_pred", "y_pred_proba", "repaid"}
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "estimated_performance.json"
PAGE = HERE.parent / "docs" / "estimated_performance.md"


class Loans(NamedTuple):
    """The reference rows, the later rows, and the targets of the later rows."""

    reference: pd.DataFrame
    later: pd.DataFrame
    targets: np.ndarray

    @classmethod
    def load(cls, folder: str) -> "Loans":
        """Read the files of NannyML's package."""
        stem = f"{folder}/synthetic_car_loan"
        reference = pd.read_csv(f"{stem}_reference.csv")
        later = pd.read_csv(f"{stem}_analysis.csv")
        targets = pd.read_csv(f"{stem}_analysis_target.csv").set_index("id").loc[later["id"]]
        return cls(reference, later, targets["repaid"].to_numpy())


def features(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns that are the model's features."""
    return rows[[name for name in rows.columns if name not in NOT_FEATURES]]


def predictions(rows: pd.DataFrame) -> dict[str, np.ndarray]:
    """Return the predicted class, and the probability of the positive class."""
    return {"label": rows["y_pred"].to_numpy(), "score": rows["y_pred_proba"].to_numpy()}


def estimate_ours(loans: Loans) -> dict[str, Any]:
    """Fit a reference, record each chunk as a service would, and read the status."""
    trained = loans.reference
    started = time.process_time()
    reference = Reference.fit(
        features(trained),
        predictions=predictions(trained),
        actuals=trained["repaid"].to_numpy(),
        thresholds="asymptotic",
    )
    fitted = time.process_time()
    chunks: dict[str, list[float]] = {name: [] for name in MEASURES}
    low: dict[str, list[float]] = {name: [] for name in MEASURES}
    high: dict[str, list[float]] = {name: [] for name in MEASURES}
    state = 0
    for start in range(0, len(loans.later), CHUNK_ROWS):
        part = loans.later.iloc[start : start + CHUNK_ROWS]
        with Monitor("loans", reference=reference, exporters=[], clock=ManualClock()) as monitor:
            monitor.record(features(part), predictions(part))
            estimated = monitor.status().estimated
            estimator = monitor._worker.pipeline.traffic.estimator  # noqa: SLF001 - for its size
            state = estimator.nbytes
        for name in MEASURES:
            chunks[name].append(estimated[name].value)
            low[name].append(estimated[name].low)
            high[name].append(estimated[name].high)
    ended = time.process_time()
    calibration = reference.content.calibration
    return {
        "fit_seconds": fitted - started,
        "estimate_seconds": ended - fitted,
        "state_bytes": state,
        "calibration_bytes": len(calibration.model_dump_json()),
        "chunks": chunks,
        "low": low,
        "high": high,
    }


def realise(loans: Loans) -> dict[str, list[float]]:
    """Compute the realised measures of each chunk from the targets, with scikit-learn."""
    realised: dict[str, list[float]] = {name: [] for name in MEASURES}
    for start in range(0, len(loans.later), CHUNK_ROWS):
        part = loans.later.iloc[start : start + CHUNK_ROWS]
        truth = loans.targets[start : start + CHUNK_ROWS]
        realised["roc_auc"].append(float(metrics.roc_auc_score(truth, part["y_pred_proba"])))
        realised["accuracy"].append(float(metrics.accuracy_score(truth, part["y_pred"])))
        realised["f1"].append(float(metrics.f1_score(truth, part["y_pred"])))
    return realised


def mean_gap(estimated: list[float], realised: list[float]) -> float:
    """Return the mean absolute difference over the chunks."""
    return float(np.mean(np.abs(np.array(estimated) - np.array(realised))))


def write_page(results: dict[str, Any]) -> str:
    """Return the comparison as a page in Markdown."""
    ours, theirs, realised = results["ours"], results["nannyml"], results["realised"]
    lines = _INTRODUCTION.format(version=theirs["version"]).splitlines()
    for name in MEASURES:
        own, peer = (mean_gap(part["chunks"][name], realised[name]) for part in (ours, theirs))
        lines.append(f"| {TITLES[name]} | {own:.6f} | {peer:.6f} |")
    titles = " | ".join(f"{TITLES[name]}: ours | NannyML | realised" for name in MEASURES)
    lines += ["", "## Chunks", "", f"| chunk | {titles} |", "|--:|" + "--:|" * 9]
    for at in range(len(realised["f1"])):
        cells = [
            f"{part[name][at]:.4f}"
            for name in MEASURES
            for part in (ours["chunks"], theirs["chunks"], realised)
        ]
        lines.append(f"| {at + 1} | " + " | ".join(cells) + " |")
    inside = sum(
        ours["low"][name][at] <= realised[name][at] <= ours["high"][name][at]
        for name in MEASURES
        for at in range(len(realised[name]))
    )
    price = _PRICE.format(
        inside=inside,
        ours=ours,
        theirs=theirs,
        state=ours["state_bytes"] / 1024,
        file=ours["calibration_bytes"] / 1024,
        memory=theirs["memory_bytes"] / 2**20,
    )
    return "\n".join(lines) + price


_INTRODUCTION = """\
# Estimated performance beside NannyML

Written by `make bench-peers`, or `python benchmarks/estimated_performance.py --peers PYTHON`, where `PYTHON` has
`nannyml=={version}`. It takes the synthetic car loans that this package contains: 50,000 rows of reference, and 50,000 later rows
in chunks of 5,000, whose targets are in a file of their own. Both libraries see the features, the predicted class and the
probability, and no target of the later rows. From the sixth chunk on the features have moved. What is computed is described in
[estimated performance](algorithms/estimated_performance.md).

## Gaps

The mean absolute difference between estimate and realised value over the ten chunks:

| | mlmonitor | NannyML, CBPE |
|---|--:|--:|
"""  # noqa: E501 - lines of the page

_PRICE = """

{inside} of the 30 realised values lie in our 95% intervals.

## Price

| | mlmonitor | NannyML |
|---|--:|--:|
| CPU to fit on 50,000 rows | {ours[fit_seconds]:.2f} s, the whole reference | {theirs[fit_seconds]:.2f} s, CBPE alone |
| CPU for 50,000 later rows | {ours[estimate_seconds]:.2f} s, all comparisons of ten monitors | {theirs[estimate_seconds]:.2f} s, CBPE alone |
| memory | {state:.1f} KiB of state, {file:.1f} KiB in the file | {memory:.0f} MiB beyond the two frames, which it needs |
"""  # noqa: E501 - lines of the page


def main() -> None:
    """Run both libraries, store the figures as JSON, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=sys.executable, help="a Python that has NannyML")
    peers = parser.parse_args().peers
    command = [peers, str(HERE / "estimated_performance_of_peers.py")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True, cwd=HERE).stdout
    theirs = json.loads(printed.splitlines()[-1])
    loans = Loans.load(theirs.pop("data"))
    results = {"nannyml": theirs, "ours": estimate_ours(loans), "realised": realise(loans)}
    RESULTS.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(write_page(results), encoding="utf-8")
    for name in MEASURES:
        realised = results["realised"][name]
        gaps = (mean_gap(results[side]["chunks"][name], realised) for side in ("ours", "nannyml"))
        print(f"{name}: mean gap {' beside '.join(f'{gap:.6f}' for gap in gaps)}")


if __name__ == "__main__":
    main()
