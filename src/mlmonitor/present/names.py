"""Names of fields, models and categories as text and as identifiers."""

from hashlib import blake2b

from mlmonitor.records import Role

NAME_CHARACTERS = 400
"""A longer name is cut."""


def field_id(role: Role, name: str) -> str:
    """An identifier that is safe in addresses and documents, for any name."""
    return f"f-{_hash_text(role.value + chr(0) + name)}"


def segment_id(name: str) -> str:
    """An identifier of a segment, safe likewise."""
    return f"s-{_hash_text(name)}"


def _hash_text(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()


def show_name(name: str) -> str:
    """A name as text: controls, direction marks and lone surrogates become visible signs."""
    plain = name
    if not name.isprintable():
        plain = "".join(c if c.isprintable() or c in "\u200d\ufe0f" else "\ufffd" for c in name)
    return plain if len(plain) <= NAME_CHARACTERS else f"{plain[:NAME_CHARACTERS]}…"
