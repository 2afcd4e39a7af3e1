"""Names that every backend takes as they are, and that stay as different as they were."""

import re
from functools import lru_cache
from hashlib import blake2b

KEY_LIMIT, VALUE_LIMIT = 100, 255
"""Characters of a dimension's key and value that Dynatrace keeps; the others take more."""

_MARK = "~"
_HASH_BYTES = 6
_MARKED = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _HASH_BYTES}}}\Z")
_LEGAL_KEY = re.compile(r"[a-z][a-z0-9_.]*\Z")


@lru_cache(maxsize=8_192)
def legal_value(value: str) -> str:
    """`value`, if all backends keep it as it is; else a legal one that ends in its hash.

    Promise: two values that differ stay different, but for two in 2^48. Kept as they are: up to 255
        printable characters and spaces, emoji included. What is empty, longer, holds control
        characters or lone surrogates, begins or ends in space, or looks as if it were hashed, gets
        a hash of 12 digits.
    """
    is_clean = value.isprintable() and value == value.strip() and 0 < len(value) <= VALUE_LIMIT
    if is_clean and not _MARKED.search(value):
        return value
    kept = "".join(each if each.isprintable() else "_" for each in value).strip()
    return _marked(kept or "(empty)", value, VALUE_LIMIT, _MARK)


@lru_cache(maxsize=1_024)
def legal_key(key: str) -> str:
    """`key`, if it is one to 100 of `a-z`, `0-9`, `_` and `.`, a letter first; else a hashed one.

    The hash keeps `a.B`, `a.b` and `a b` apart, which backends would make one.
    """
    if _LEGAL_KEY.match(key) and len(key) <= KEY_LIMIT:
        return key
    kept = re.sub(r"[^a-z0-9_.]", "_", key.lower())
    kept = kept if kept[:1].isalpha() else f"x_{kept}"
    return _marked(kept, key, KEY_LIMIT, "_")


def _marked(kept: str, told: str, limit: int, mark: str) -> str:
    raw = told.encode("utf-8", "surrogatepass")
    tail = mark + blake2b(raw, digest_size=_HASH_BYTES).hexdigest()
    return kept[: limit - len(tail)] + tail
