"""The JSON of a board, without what Grafana no longer knows."""

import json
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

_INTERVAL_ONLY = ("auto", "auto_min", "auto_count")


def encode_board(board: Any) -> str:
    """Encode, and leave out defaults that the builders set and Grafana's own types refuse.

    They are the footer of a table, which is an option of its fields since Grafana 12, and options
    of an interval on every other variable.
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
