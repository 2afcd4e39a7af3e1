"""Names of fields, models and categories as displayed text and as identifiers in HTML."""

from hashlib import blake2b

from mlmonitor.records import Role

NAME_CHARACTERS = 400
"""Longer names are truncated."""


def field_id(role: Role, name: str) -> str:
    """Return an identifier of a field that is safe in URLs and HTML for any name."""
    return f"f-{_hash_text(role.value + chr(0) + name)}"


def segment_id(name: str) -> str:
    """Return an identifier of a segment that is safe in URLs and HTML for any name."""
    return f"s-{_hash_text(name)}"


def _hash_text(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def show_name(name: str) -> str:
    """Return a name for display: at most 400 characters, with U+FFFD for unprintable ones."""
    plain = name
    if not name.isprintable():
        plain = "".join(c if c.isprintable() or c in "\u200d\ufe0f" else "\ufffd" for c in name)
    return plain if len(plain) <= NAME_CHARACTERS else f"{plain[:NAME_CHARACTERS]}…"
