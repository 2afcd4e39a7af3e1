"""A BentoML service with two workers, closed by its own hook."""

import os

import bentoml
from service import monitor, predict


@bentoml.service(workers=2)
class Claims:
    """A service that makes one prediction a request."""

    @bentoml.api(route="/predict")
    def predict(self, amount: float) -> int:
        """Predict, and answer with the process."""
        predict({"amount": amount, "line": "AB"[int(amount) % 2]})
        return os.getpid()

    @bentoml.on_shutdown
    def close(self) -> None:
        """Deliver the last window."""
        monitor.close()
