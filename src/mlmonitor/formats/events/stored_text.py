"""Make texts storable in events and in the database."""

import hashlib

_MOST_CHARACTERS = 1_000


def clean_text(text: str) -> str:
    """Return a text that every reader can store: valid, no U+0000, at most 1,000 characters."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if len(text) > _MOST_CHARACTERS:
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        return f"{text[: _MOST_CHARACTERS - 17]}~{digest}"
    return text
