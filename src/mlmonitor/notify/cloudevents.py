"""Convert alerts, incidents, verdicts and decided challenges to CloudEvents 1.0 in JSON.

Source: https://github.com/cloudevents/spec, `cloudevents/spec.md` and `formats/json-format.md`.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal
from urllib.parse import quote
from uuid import uuid4

from mlmonitor.challenge.challenge_status import ChallengeStatus
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.incidents.incident import Incident
from mlmonitor.status.documents import to_plain
from mlmonitor.verdict.verdict import Verdict

CONTENT_TYPE: Final = "application/cloudevents+json; charset=utf-8"
Notice = Alert | Incident | Verdict | ChallengeStatus
NoticeKind = Literal["alert", "incident", "verdict", "challenge"]
KINDS: Final[tuple[NoticeKind, ...]] = ("alert", "incident", "verdict", "challenge")

_MOST_MEMBERS = 20
"""The maximum number of an incident's alerts that its event lists; others are only counted."""


@dataclass(frozen=True)
class CloudEvent:
    """An event: its id, its kind, and the JSON document that is sent as `body`."""

    id: str
    kind: NoticeKind
    body: bytes


def build_event(notice: Notice, model: str, version: str, *, now: float) -> CloudEvent:
    """Build the event of a notice about a version of a model; `now` is in seconds since 1970.

    `type` is `mlmonitor.alert.firing`, `mlmonitor.alert.resolved`, `mlmonitor.incident.open`,
    `mlmonitor.incident.closed`, `mlmonitor.verdict.<action>`, `mlmonitor.challenge.challenger` or
    `mlmonitor.challenge.champion`. `data` holds the notice in the form of `Status.to_dict`, with
    the model and its version.
    """
    kind, state, subject, data = _describe(notice)
    identity = str(uuid4())
    document = {
        "specversion": "1.0",
        "id": identity,
        "source": f"/mlmonitor/{quote(model, safe='')}/{quote(version, safe='')}".rstrip("/"),
        "type": f"mlmonitor.{kind}.{state}",
        "subject": subject,
        "time": datetime.fromtimestamp(now, UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {"model": model, "version": version, **data},
    }
    body = json.dumps(document, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return CloudEvent(identity, kind, body.encode("utf-8", "replace"))


def _describe(notice: Notice) -> tuple[NoticeKind, str, str, dict[str, Any]]:
    """Return the kind, the state, the subject and the data of a notice."""
    if isinstance(notice, Alert):
        subject = f"{notice.role.value}/{notice.field}/{notice.measure}"
        return "alert", notice.state, subject, _to_dict(notice)
    if isinstance(notice, Incident):
        members = [_to_dict(alert) for alert in notice.members[:_MOST_MEMBERS]]
        data = _to_dict(notice) | {"members": members, "alerts": len(notice.members)}
        return "incident", notice.state, notice.cause, data
    if isinstance(notice, ChallengeStatus):
        return "challenge", notice.decision, notice.name, notice.to_dict()
    return "verdict", notice.action, notice.action, notice.to_dict()


def _to_dict(notice: Alert | Incident) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(notice)
    started_at = datetime.fromtimestamp(notice.started_at, UTC)
    return plain | {"started_at": started_at.isoformat().replace("+00:00", "Z")}
