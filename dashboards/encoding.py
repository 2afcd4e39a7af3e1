"""Encode a board as JSON, without keys that Grafana no longer accepts."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

_INTERVAL_ONLY = ("auto", "auto_min", "auto_count")


def encode_board(board: Any) -> str:
    """Encode a board as JSON, and drop the builders' defaults that Grafana's own types refuse.

    These are the footer of tables, which is a field option since Grafana 12, and the options of
    interval variables on all other variables.
    """
    document = _drop_refused(json.loads(JSONEncoder().encode(board)))
    return json.dumps(document, sort_keys=True, indent=1)


def _drop_refused(value: Any) -> Any:
    if isinstance(value, list):
        return [_drop_refused(item) for item in value]
    if not isinstance(value, dict):
        return value
    refused = (
        set(_INTERVAL_ONLY) if "auto_min" in value and value.get("type") != "interval" else set()
    )
    if isinstance(value.get("footer"), dict) and not value["footer"]["show"]:
        refused.add("footer")
    return {name: _drop_refused(item) for name, item in value.items() if name not in refused}
