"""Prediction ids: made only when somebody asks, ordered by time, unique without coordination."""

import uuid


def prediction_id(*, unix_ms: int, chance: bytes) -> str:
    """A UUID of version 7 from the wall clock in milliseconds and ten random bytes.

    Source: RFC 9562, section 5.7. Its first 48 bits are the time, so ids sort by creation.
    """
    random = int.from_bytes(chance[:10], "big")
    value = (unix_ms & (1 << 48) - 1) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def made_at_ms(identity: str) -> int | None:
    """When `identity` was made, in Unix milliseconds; None where it is no version 7 UUID."""
    try:
        value = uuid.UUID(identity)
    except (ValueError, AttributeError, TypeError):
        return None
    return value.int >> 80 if value.version == 7 else None
