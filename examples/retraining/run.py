"""A model that is retrained when the verdict says so, without a restart of its service.

Run it with `python examples/retraining/run.py`; it needs the extra `demo`, takes about three
seconds and sends nothing. Prices of repairs rise after day 20. The exit status is 0 if the verdict
was to keep the model before day 20, to retrain it afterwards, and to keep the new model.
"""

import sys
from collections import deque
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_absolute_error

from mlmonitor import Monitor, Reference, Verdict
from mlmonitor.testing import InMemoryExporter

Floats = NDArray[np.float64]
DAYS, CHANGE, CLAIMS_A_DAY, LABEL_DELAY = 40, 20, 300, 2
FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
KEPT_DAYS = 6
"""Days of labelled claims that a new model is trained on."""


class Claims(NamedTuple):
    """Claims: the features known at their reports, and their final costs."""

    features: dict[str, Floats]
    costs: Floats


class Fitted(NamedTuple):
    """A model and its reference."""

    model: LinearRegression
    reference: Reference


def report(day: int, rng: np.random.Generator) -> Claims:
    """Draw the claims of one day. After the change, labour costs more and parts cost less."""
    hours, parts = rng.gamma(4.0, 2.0, CLAIMS_A_DAY), rng.gamma(3.0, 100.0, CLAIMS_A_DAY)
    rate, price = (60.0, 1.0) if day < CHANGE else (110.0, 0.5)
    costs = rate * hours + price * parts + rng.normal(0, 40, CLAIMS_A_DAY)
    return Claims({"hours": hours, "parts": parts}, costs)


def train(claims: list[Claims], *, day: int) -> Fitted:
    """Fit a model on two thirds of the claims, and a reference on the others."""
    matrix = np.concatenate([np.column_stack([*c.features.values()]) for c in claims])
    costs = np.concatenate([c.costs for c in claims])
    is_held_out = np.arange(len(costs)) % 3 == 0
    model = LinearRegression().fit(matrix[~is_held_out], costs[~is_held_out])
    predicted = model.predict(matrix[is_held_out])
    reference = Reference.fit(
        dict(zip(("hours", "parts"), matrix[is_held_out].T, strict=True)),
        predictions=predicted,
        actuals=costs[is_held_out],
        training_metrics={"mae": float(mean_absolute_error(costs[is_held_out], predicted))},
        trained_at=datetime.fromtimestamp(FIRST_DAY + day * 86_400, UTC),
    )
    return Fitted(model, reference)


class Service:
    """Scores claims, labels them two days later, and retrains on request.

    `on_verdict` runs in the monitor's worker, so it only queues the verdict; training happens
    outside. In production, a verdict would start a pipeline, and the service would call `adopt`
    after the pipeline has succeeded.
    """

    def __init__(self) -> None:
        self.rng = np.random.default_rng(0)
        self.now = FIRST_DAY
        first = train([report(0, self.rng) for _ in range(KEPT_DAYS)], day=0)
        self.model, self.version = first.model, 1
        self.verdicts: deque[Verdict] = deque()
        self.recent: deque[Claims] = deque(maxlen=KEPT_DAYS)
        self.monitor = Monitor(
            "repairs",
            version="1",
            reference=first.reference,
            exporters=[InMemoryExporter()],  # in a service: mlmonitor.Otlp.collector(...)
            on_verdict=self.verdicts.append,
            clock=lambda: self.now,  # a simulated day takes no time
        )
        self.open: deque[tuple[int, list[str], Claims]] = deque()

    def run_day(self, day: int) -> None:
        """Score the claims of a day, and label the claims that were closed on it."""
        self.now = FIRST_DAY + day * 86_400
        claims = report(day, self.rng)
        ids = [f"{day}-{number}" for number in range(CLAIMS_A_DAY)]
        matrix = np.column_stack([*claims.features.values()])
        self.monitor.record(claims.features, self.model.predict(matrix), ids=ids)
        self.open.append((day, ids, claims))
        while self.open[0][0] <= day - LABEL_DELAY:
            _, closed, labelled = self.open.popleft()
            self.monitor.label(closed, labelled.costs)
            self.recent.append(labelled)
        self.monitor.flush()  # a running service exports every minute by itself

    def retrain(self, day: int) -> None:
        """Fit a new model on the newest labelled claims, and put it into use."""
        new = train([*self.recent], day=day)
        self.version += 1
        self.monitor.adopt(new.reference, version=str(self.version))
        self.model = new.model


def main() -> int:
    """Run forty days; print every verdict and every retraining."""
    service, actions = Service(), []
    retrain_on: int | None = None
    for day in range(DAYS):
        service.run_day(day)
        while service.verdicts:
            verdict = service.verdicts.popleft()
            actions.append((day, service.version, verdict.action))
            print(f"day {day}, version {service.version}: {verdict}")
            if verdict.action == "retrain":
                retrain_on = day + KEPT_DAYS - 1  # by then, all kept labels reflect the new prices
        if day == retrain_on:
            service.retrain(day)
            print(f"day {day}: version {service.version} is in use")
    status = service.monitor.status()
    service.monitor.close()
    print(f"\n{status}")
    ends_well = status.verdict is not None and status.verdict.action == "keep"
    is_right = [action for _, _, action in actions] == ["retrain"] and ends_well
    return 0 if is_right and actions[0][0] > CHANGE and status.version == "2" else 1


if __name__ == "__main__":
    sys.exit(main())
