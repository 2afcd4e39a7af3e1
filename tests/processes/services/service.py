"""The model of the services under test, and the monitor of each of their processes.

`SERVICE_*` variables configure it, in place of a real service's settings.
"""

import os

from training import REFERENCE

from mlmonitor import Config, Monitor, Otlp

if os.environ.get("SERVICE_TELLS_PROCESS"):
    os.environ["OTEL_RESOURCE_ATTRIBUTES"] = f"process.pid={os.getpid()}"

exporters = [
    Otlp.collector(
        os.environ["SERVICE_COLLECTOR"],
        timeout_seconds=float(os.environ.get("SERVICE_TIMEOUT_SECONDS", "5")),
    )
]
if "SERVICE_DYNATRACE" in os.environ:
    exporters.append(Otlp.dynatrace(os.environ["SERVICE_DYNATRACE"]))

monitor = Monitor(
    "served",
    version="1",
    reference=REFERENCE,
    exporters=exporters,
    config=Config(
        export_interval_seconds=float(os.environ.get("SERVICE_EXPORT_SECONDS", "3600")),
        poll_interval_seconds=0.05,
    ),
)


@monitor.watch
def predict(features: dict[str, object]) -> object:
    """Return the amount."""
    return features["amount"]


def answer(query: bytes) -> bytes:
    """Return the prediction for the amount that a request names."""
    amount = float(query.partition(b"=")[2])
    return f"{predict({'amount': amount, 'line': 'AB'[int(amount) % 2]})} {os.getpid()}".encode()


for _ in range(int(os.environ.get("SERVICE_AT_IMPORT", "0"))):
    predict({"amount": 1.0, "line": "A"})
