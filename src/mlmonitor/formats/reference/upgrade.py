"""Upgrade reference files of older versions to the current version."""

import json
from typing import Any

_LISTED_AT_LEAST, _HANDFUL = 50, 5


def upgrade(data: bytes, version: int) -> bytes:
    """Convert the file in `data` from `version` to the current version.

    Invalid content is not changed; the validation that follows will refuse it.
    """
    if version > 1:
        return data
    tree = json.loads(data)
    fields = tree.get("fields")
    listed = fields if isinstance(fields, list) else []
    entries = [entry for entry in listed if isinstance(entry, dict)]
    _rename_kernel_similarity(entries)
    for entry in entries:
        if entry.get("kind") == "categorical":
            entry["id_like"] = _is_id_like(entry)
    tree["version"] = 2
    return json.dumps(tree).encode()


def _rename_kernel_similarity(entries: list[dict[str, Any]]) -> None:
    """Rename fields `<embedding>.witness`: version 1 called the kernel similarity `witness`."""
    renamed = {f"{e.get('name')}.witness" for e in entries if e.get("kind") == "embedding"}
    for entry in entries:
        name = entry.get("name")
        if entry.get("role") == "derived" and isinstance(name, str) and name in renamed:
            entry["name"] = name.removesuffix("witness") + "kernel_similarity"


def _is_id_like(entry: dict[str, Any]) -> bool:
    """Whether a field of version 1 looks like ids; that version had no mark for them."""
    counts, categories = entry.get("counts"), entry.get("categories")
    if not isinstance(counts, list) or not isinstance(categories, list) or not entry.get("others"):
        return False
    listed = [count for count in counts[:-1] if isinstance(count, int)]
    return len(categories) >= _LISTED_AT_LEAST and max(listed, default=0) <= _HANDFUL
