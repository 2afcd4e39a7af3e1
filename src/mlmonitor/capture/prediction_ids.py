"""Prediction ids: created on demand, ordered by time, unique without coordination."""

import uuid

import numpy as np

from mlmonitor.capture.canonical import is_missing


def id_text(identity: object) -> str | None:
    """The text of a caller's id, the same for a prediction and its label; None if it is not an id.

    A float with an integer value counts as that integer: a column may have converted it. Missing
    and empty values are not ids.
    """
    if is_missing(identity):
        return None
    if isinstance(identity, np.ndarray) and identity.ndim == 0:
        return id_text(identity.item())
    if isinstance(identity, float | np.floating) and float(identity).is_integer():
        return str(int(identity))
    return str(identity) or None


def id_or_none(identity: object) -> str | None:
    """Like `id_text`, but None if the value raises, so that the other ids of a batch are kept."""
    try:
        return id_text(identity)
    except Exception:  # noqa: BLE001 - the host's object may raise anything
        return None


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
    """When `identity` was created, in Unix milliseconds, or None if it is not a version 7 UUID."""
    try:
        value = uuid.UUID(identity)
    except (ValueError, AttributeError, TypeError):
        return None
    return value.int >> 80 if value.version == 7 else None


def read_made_at_ms(identity: str) -> int:
    """Return the creation time in an id, in milliseconds since 1970; -1 if it has none."""
    if len(identity) < 32:  # a UUID has 32 digits
        return -1
    if len(identity) == 36 and identity[14] == "7" and identity[8] == "-":
        try:
            return int(identity[:8] + identity[9:13], 16)
        except ValueError:
            return -1
    time_ms = made_at_ms(identity)
    return -1 if time_ms is None else time_ms
