"""Train the claim severity model, and fit the reference of its training data.

To write the reference only, run `python examples/fastapi_app/train.py claims.reference.json`.
"""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingRegressor  # type: ignore[import-untyped]

import claims
from mlmonitor import Reference

Columns = Mapping[str, Sequence[str | float]]  # a frame will do as well
Floats = NDArray[np.float64]


class SeverityModel:
    """Predicts the cost of a claim as a share of its policy's limit, multiplied by the limit.

    Trees cannot predict values beyond those of the training data. They predict the share, which
    does not grow; the limit scales the prediction when policies grow.
    """

    def __init__(self) -> None:
        self._codes: dict[str, dict[str | float, float]] = {}
        # The histogram variant fits faster, and takes twice as long to predict a single row.
        self._trees = GradientBoostingRegressor(
            n_estimators=40, learning_rate=0.12, min_samples_leaf=60, random_state=0
        )

    def fit(self, rows: pd.DataFrame) -> Self:
        """Fit the model on closed claims."""
        for name in claims.CATEGORICAL:
            self._codes[name] = {value: at for at, value in enumerate(sorted(set(rows[name])))}
        self._trees.fit(self._matrix(rows), rows[claims.TARGET] / rows["limit"])
        return self

    def predict(self, columns: Columns) -> Floats:
        """Predict the severity of each claim; unknown categories share a code of their own."""
        shares: Floats = self._trees.predict(self._matrix(columns))
        return shares * np.asarray(columns["limit"], np.float64)

    def predict_one(self, features: claims.Features) -> float:
        """Predict the severity of one claim."""
        return float(self.predict({name: [value] for name, value in features.items()})[0])

    def importances(self, rows: pd.DataFrame) -> dict[str, float]:
        """Return permutation importances of the monitored features, which sum to 1.

        Source: Breiman, "Random forests", 2001, section 10; with squared errors.
        """
        actual, rng = rows[claims.TARGET].to_numpy(), np.random.default_rng(0)

        def loss(columns: pd.DataFrame) -> float:
            return float(((self.predict(columns) - actual) ** 2).mean())

        whole = loss(rows)
        lost = {
            name: max(loss(rows.assign(**{name: rng.permutation(rows[name])})) - whole, 0.0)
            for name in claims.WATCHED
        }
        total = sum(lost.values()) or 1.0
        return {name: increase / total for name, increase in lost.items()}

    def _matrix(self, columns: Columns) -> Floats:
        parts: list[Sequence[float]] = [
            [self._codes[name].get(value, -1.0) for value in columns[name]]
            for name in claims.CATEGORICAL
        ]
        return np.column_stack([*parts, *(columns[name] for name in claims.NUMERIC)])


class Trained(NamedTuple):
    """A model and its reference."""

    model: SeverityModel
    reference: Reference


def train() -> Trained:
    """Fit the model on two thirds of the early claims, and the reference on the others."""
    rows = claims.early(claims.load(claims.prism_path()))
    # Every third claim is held out for the reference. On its training claims a model has smaller
    # errors and more widely spread predictions than on new claims, so a reference fitted on them
    # would cause alerts of drift and lower performance on the first day.
    is_held_out = np.arange(len(rows)) % 3 == 2
    model = SeverityModel().fit(rows[~is_held_out])
    held_out = rows[is_held_out]
    predicted, actual = model.predict(held_out), held_out[claims.TARGET].to_numpy()
    error = predicted - actual
    reference = Reference.fit(
        held_out[list(claims.WATCHED)],
        predictions=predicted,
        actuals=actual,
        trained_at=datetime.now(UTC),
        importances=model.importances(held_out),
        training_metrics={
            "mae": float(np.abs(error).mean()),
            "rmse": float(np.sqrt((error**2).mean())),
            "bias": float(error.mean()),
        },
    )
    return Trained(model, reference)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    train().reference.save(sys.argv[1])
