"""BentoML: all 25 predictions arrive."""

import json
import urllib.request

import pytest

from support.collector_sink import Sink
from support.served import Starter

pytest.importorskip(
    "bentoml", reason="BentoML is large: tried by hand, see docs/guides/processes.md"
)

REQUESTS = 25


@pytest.mark.slow
def test_every_answer_of_a_bentoml_service_arrives(serve: Starter, sink: Sink) -> None:
    """Two workers are ended by SIGTERM, and the hook closes the monitor."""
    service = serve(
        *("bentoml", "serve", "bento_service:Claims", "--host", "127.0.0.1", "--port", "{port}"),
        BENTOML_DO_NOT_TRACK="true",
    )
    for amount in range(REQUESTS):
        request = urllib.request.Request(
            f"http://127.0.0.1:{service.port}/predict",
            json.dumps({"amount": float(amount)}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - as above
            assert answer.status == 200
    service.stop()
    assert sink.total("mlmonitor.predictions", status="ok") == REQUESTS, service.said()
