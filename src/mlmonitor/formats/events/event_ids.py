"""Ids of events: a replayed event keeps its id, so that it can be recognised."""

import hashlib
import json
import uuid
from collections.abc import Sequence


class EventIds:
    """Generates ids for the events of one process: version 7 UUIDs.

    Promise: an id depends only on the time, the instance and a sequence number. Ids of a process
        are distinct and ascend with time, so that a database index grows at its end. Ids of two
        processes differ in 42 bits of a hash of the instance.
    Source: RFC 9562, section 5.7.
    """

    def __init__(self, instance: str) -> None:
        digest = hashlib.blake2b(instance.encode("utf-8", "backslashreplace"), digest_size=6)
        bits = int.from_bytes(digest.digest(), "big") >> 6
        self._high = f"7{bits >> 30:03x}"
        self._low = f"{0x8000 | bits >> 16 & 0x3FFF:04x}"
        self._last = f"{bits & 0xFFFF:04x}"
        self._next = 0

    def draw(self, count: int, unix_ms: int) -> list[str]:
        """Return the next `count` ids, for events at a time in milliseconds since 1970."""
        start = self._next
        self._next += count
        time = f"{unix_ms & (1 << 48) - 1:012x}"
        prefix = f"{time[:8]}-{time[8:]}-{self._high}-{self._low}-{self._last}"
        return [f"{prefix}{number & 0xFFFFFFFF:08x}" for number in range(start, start + count)]


def hash_id(parts: Sequence[str]) -> str:
    """Return an id that depends only on these texts, so that all processes send the same id.

    Promise: a version 8 UUID with 122 bits of SHA-256. Source: RFC 9562, section 5.8.
    """
    digest = hashlib.sha256(json.dumps(list(parts)).encode()).digest()
    value = int.from_bytes(digest[:16], "big")
    value = value & ~(0xF << 76) | 0x8 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))
