"""Make names legal for every backend; different names stay different."""

import re
from functools import lru_cache
from hashlib import blake2b

KEY_LIMIT, VALUE_LIMIT = 100, 255
"""Maximum characters of a dimension's key and value in Dynatrace; other backends allow more."""

_MARK = "~"
_HASH_BYTES = 6
_MARKED = re.compile(rf"{_MARK}[0-9a-f]{{{2 * _HASH_BYTES}}}\Z")
_LEGAL_KEY = re.compile(r"[a-z][a-z0-9_.]*\Z")


@lru_cache(maxsize=8_192)
def legalize_value(value: str) -> str:
    """Return `value` if all backends keep it; otherwise a legal value that ends in its hash.

    Promise: different values stay different, except with probability 2^-48. A value of up to 255
        printable characters and spaces, emoji included, is kept. A value gets a hash of 12 hex
        digits if it is empty or longer, contains control characters or lone surrogates, begins or
        ends with a space, or looks like a hashed value.
    """
    is_clean = value.isprintable() and value == value.strip() and 0 < len(value) <= VALUE_LIMIT
    if is_clean and not _MARKED.search(value):
        return value
    printable = "".join(letter if letter.isprintable() else "_" for letter in value).strip()
    return _append_hash(printable or "(empty)", value, VALUE_LIMIT, _MARK)


@lru_cache(maxsize=1_024)
def legalize_key(key: str) -> str:
    """Return `key` if all backends keep it; otherwise a legal key that ends in its hash.

    A legal key has 1 to 100 characters of `a-z`, `0-9`, `_` and `.`, and begins with a letter.
    The hash distinguishes keys such as `a.B`, `a.b` and `a b`, which backends would merge.
    """
    if _LEGAL_KEY.match(key) and len(key) <= KEY_LIMIT:
        return key
    legal = re.sub(r"[^a-z0-9_.]", "_", key.lower())
    legal = legal if legal[:1].isalpha() else f"x_{legal}"
    return _append_hash(legal, key, KEY_LIMIT, "_")


def _append_hash(text: str, original: str, limit: int, mark: str) -> str:
    raw = original.encode("utf-8", "surrogatepass")
    tail = mark + blake2b(raw, digest_size=_HASH_BYTES).hexdigest()
    return text[: limit - len(tail)] + tail
