"""Draw events of one model, as a service sends them, and send them to a topic."""

import random
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from mlmonitor.formats.events import EventIds, hash_id

Keyed = tuple[str, bytes]
"""The key and the value of a message."""

START = datetime(2026, 11, 27, 22, 15, tzinfo=UTC)
EDGES = [-128.2, -84.2, -52.4, -25.3, 0.0, 25.3, 52.4, 84.2, 128.2]
MODEL, VERSION = "claims", "7"


def write_time(moment: datetime) -> str:
    """Format a time as in events."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


class EventSource:
    """Draws events of one process; the same seed draws the same events."""

    def __init__(self, seed: int = 1, *, model: str = MODEL, features: int = 4) -> None:
        self.random = random.Random(seed)  # noqa: S311 - seeded on purpose
        self.model = model
        self.names = [f"feature_{place}" for place in range(features)]
        self._ids = EventIds(f"instance-{seed}")

    def envelope(self, schema: str, moment: datetime) -> dict[str, Any]:
        """Return the fields that all events have."""
        event_id = self._ids.draw(1, int(moment.timestamp() * 1000))[0]
        return {
            "schema": schema,
            "schema_version": 1,
            "event_id": event_id,
            "time": write_time(moment),
            "model": self.model,
            "model_version": VERSION,
            "instance": "test",
        }

    def prediction(self, moment: datetime, **changes: Any) -> dict[str, Any]:
        """Draw a prediction whose id equals the id of its event."""
        draw = self.random.gauss
        event = self.envelope("prediction", moment)
        features: dict[str, Any] = {name: draw(0, 100) for name in self.names}
        features["line"] = self.random.choice(["motor", "home", "__other__"])
        event |= {
            "prediction_id": event["event_id"],
            "status": "ok",
            "latency_seconds": 0.012,
            "prediction": draw(0, 100),
            "features": features,
        }
        return event | changes

    def label(self, prediction: dict[str, Any], moment: datetime, **changes: Any) -> dict[str, Any]:
        """Draw the label of a prediction, with an error of about ten."""
        actual = (prediction["prediction"] or 0.0) + self.random.gauss(0, 10)
        ids = {"prediction_id": prediction["prediction_id"], "actual": actual}
        return self.envelope("label", moment) | ids | changes

    def kpi(self, moment: datetime, value: float, name: str = "total_savings") -> dict[str, Any]:
        """Draw an event of one business figure."""
        return self.envelope("kpi", moment) | {"name": name, "value": value, "unit": "EUR"}

    def stream(
        self, count: int, *, hours: float = 30.0, labelled: float = 0.2
    ) -> Iterator[dict[str, Any]]:
        """Yield predictions over some hours, some with a label soon after, and business figures."""
        for place in range(count):
            moment = START + timedelta(hours=hours * place / count)
            prediction = self.prediction(moment)
            yield prediction
            if self.random.random() < labelled:
                yield self.label(prediction, moment + timedelta(seconds=1))
            if self.random.random() < 0.02:
                yield self.kpi(moment, self.random.uniform(0, 100))

    def reference(self, *, buckets: Sequence[float] = (0.0, 50.0)) -> list[dict[str, Any]]:
        """Return the events of the model's reference, one per field."""
        base: dict[str, Any] = {
            "reference_id": "0" * 31 + "1",
            "reference_rows": 1000,
            "task": "regression",
            "fields": len(self.names) + 2,
            "rows": 1000,
            "missing": 0,
        }
        lowers, uppers = [None, *EDGES], [*EDGES, None]
        bins = [
            {"label": f"bin {place}", "lower": lower, "upper": upper, "count": 100}
            for place, (lower, upper) in enumerate(zip(lowers, uppers, strict=True))
        ]
        numeric = {
            "kind": "numeric",
            "mean": 0.0,
            "stddev": 100.0,
            "min": -350.0,
            "max": 350.0,
            "band_low": -300.0,
            "band_high": 300.0,
            "range_low": -350.0,
            "range_high": 350.0,
            "quantiles": [[0.25, -67.4], [0.5, 0.0], [0.75, 67.4]],
            "bins": bins,
        }
        line = [
            {"label": label, "count": count}
            for label, count in (("motor", 400), ("home", 300), ("__other__", 290), ("__new__", 10))
        ]
        fields = [("feature", name, numeric) for name in self.names]
        fields.append(("prediction", "prediction", numeric))
        fields.append(("feature", "line", {"kind": "categorical", "bins": line}))
        return [
            self.envelope("reference", START - timedelta(days=7))
            | base
            | content
            | {
                "event_id": hash_id([self.model, role, name]),
                "role": role,
                "field": name,
                "buckets": list(buckets) if name == "feature_0" else [],
            }
            for role, name, content in fields
        ]


def keyed(events: Iterable[dict[str, Any]]) -> list[Keyed]:
    """Return events as keyed messages; the events of one prediction share a key."""
    return [
        (str(event.get("prediction_id") or event["model"]), orjson.dumps(event)) for event in events
    ]


def send(brokers: str, topic: str, messages: Iterable[Keyed]) -> int:
    """Send messages, and wait until the broker has all of them; return their number."""
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "log_level": 0})
    count = 0
    for key, value in messages:
        while True:
            try:
                producer.produce(topic, value, key.encode())
                break
            except BufferError:
                producer.poll(0.2)
        count += 1
    assert producer.flush(60) == 0
    return count
