"""A monitored classifier: probabilities, labels by id, and drift from a miscalibrated instrument.

Run it with `python examples/classifier/run.py`; it needs the extra `demo`, takes about five seconds
and sends nothing. The exit status is 0 if every label was matched to its prediction and alerts
fired only after the shift.
"""

import sys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmonitor import Monitor, Reference
from mlmonitor.testing import InMemoryExporter

FEATURES = ("mean radius", "mean texture", "mean smoothness", "mean concavity")
CALM, SHIFTED = 1_000, 500
TOO_LARGE = 1.15
"""The factor by which the miscalibrated instrument changes every radius."""

Floats = NDArray[np.float64]


class Cases(NamedTuple):
    """Measurements of tumours, `[cases, features]`, and their diagnoses."""

    measurements: Floats
    diagnoses: NDArray[np.str_]

    def columns(self) -> dict[str, Floats]:
        """Return the measurements by feature name."""
        return dict(zip(FEATURES, self.measurements.T, strict=True))


def load() -> tuple[Cases, Cases]:
    """Split scikit-learn's breast cancer data at random into training and held-out cases."""
    data = load_breast_cancer()
    columns = [data.feature_names.tolist().index(name) for name in FEATURES]
    order = np.random.default_rng(0).permutation(len(data.target))
    measurements, diagnoses = data.data[:, columns], data.target_names[data.target]
    first, second = np.array_split(order, 2)
    return (
        Cases(measurements[first], diagnoses[first]),
        Cases(measurements[second], diagnoses[second]),
    )


def fit_reference(model: Pipeline, held_out: Cases) -> Reference:
    """Fit a reference on held-out cases and the model's predictions for them."""
    return Reference.fit(
        held_out.columns(),
        predictions=model.predict_proba(held_out.measurements),
        output="probabilities",
        classes=model.classes_.tolist(),
        actuals=held_out.diagnoses,
    )


def serve(
    monitor: Monitor, model: Pipeline, cases: Cases, *, names: Sequence[str], prefix: str
) -> None:
    """Answer one request per case; then label all predictions with the diagnoses."""

    @monitor.watch(output="probabilities", names=names, id_from="request_id")
    def predict(features: dict[str, float], request_id: str) -> Floats:  # noqa: ARG001 - an id for labels
        answer: Floats = model.predict_proba([list(features.values())])[0]
        return answer

    ids = [f"{prefix}-{number}" for number in range(len(cases.diagnoses))]
    for request_id, row in zip(ids, cases.measurements.tolist(), strict=True):
        predict(dict(zip(FEATURES, row, strict=True)), request_id)
    monitor.status()  # counts the predictions; labels could also wait for them
    monitor.label(ids, cases.diagnoses.tolist())


def main() -> int:
    """Serve traffic without drift, then with drift, and print the monitor's status after each."""
    training, held_out = load()
    model = make_pipeline(StandardScaler(), LogisticRegression())
    model.fit(training.measurements, training.diagnoses)
    names = model.classes_.tolist()
    rng = np.random.default_rng(1)
    exporter = InMemoryExporter()  # in a service: mlmonitor.Otlp.collector(...)
    with Monitor(
        "tumours", reference=fit_reference(model, held_out), exporters=[exporter]
    ) as monitor:
        drawn = rng.integers(0, len(held_out.diagnoses), CALM)
        calm = Cases(held_out.measurements[drawn], held_out.diagnoses[drawn])
        serve(monitor, model, calm, names=names, prefix="calm")
        before = monitor.status()
        print(f"{before}\n")

        drawn = rng.integers(0, len(held_out.diagnoses), SHIFTED)
        enlarged = held_out.measurements[drawn] * [TOO_LARGE, 1, 1, 1]
        serve(
            monitor,
            model,
            Cases(enlarged, held_out.diagnoses[drawn]),
            names=names,
            prefix="shifted",
        )
        after = monitor.status()
        print(after)
    is_right = after.labels["matched"] == CALM + SHIFTED and not before.alerts and after.alerts
    return 0 if is_right else 1


if __name__ == "__main__":
    sys.exit(main())
