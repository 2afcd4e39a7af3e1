"""Check the names of training columns."""

from typing import Any

from mlmonitor.errors import SchemaError

_NAME_CHARACTERS = 1_000


def check_column_names(names: Any, what: str = "names") -> tuple[str, ...]:
    """Return the names as texts; `what` names them in an error.

    Raises:
        SchemaError: a name is empty, too long or not text, or occurs twice.
    """
    if isinstance(names, str | bytes):
        raise SchemaError(f"{what}: expected a sequence of names, got one text")
    texts = tuple(check_column_name(name) for name in names)
    if len(set(texts)) < len(texts):
        twice = next(name for name in texts if texts.count(name) > 1)
        raise SchemaError(f"column {twice!r}: expected each column name once")
    return texts


def check_column_name(name: object) -> str:
    """Return a column's name; raise SchemaError if it is empty, too long or not valid text."""
    text = str(name)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise SchemaError(f"column {text!r}: expected a name that is valid Unicode") from None
    if not 1 <= len(text) <= _NAME_CHARACTERS:
        raise SchemaError(
            f"column {text[:40]!r}: expected a name of 1 to {_NAME_CHARACTERS:,} characters"
        )
    return text
