"""Parse a `google.rpc.Status`, in which OTLP receivers describe a refusal.

The definition is in a package that we do not depend on. Only three fields are needed: they are
read by their numbers in `google/rpc/status.proto` and `error_details.proto`.
"""

from collections.abc import Iterator
from typing import NamedTuple

_MESSAGE, _DETAILS = 2, 3
_RETRY_DELAY = 1
_RETRY_INFO = "google.rpc.RetryInfo"


class RpcStatus(NamedTuple):
    """The message, and the pause in seconds that the server asks for."""

    message: str = ""
    pause_seconds: float = 0.0


def parse_rpc_status(body: bytes) -> RpcStatus:
    """Parse a `google.rpc.Status`; return an empty one if the bytes are something else."""
    from google.protobuf.any_pb2 import Any
    from google.protobuf.duration_pb2 import Duration
    from google.protobuf.message import DecodeError

    message, pause = "", 0.0
    try:
        for number, data in _iterate_fields(body):
            if number == _MESSAGE:
                message = data.decode("utf-8", "replace")
            elif number == _DETAILS:
                detail = Any.FromString(data)
                if detail.type_url.endswith(_RETRY_INFO):
                    for key, delay in _iterate_fields(detail.value):
                        if key == _RETRY_DELAY:
                            pause = Duration.FromString(delay).ToMilliseconds() / 1000
    except DecodeError:
        return RpcStatus(message, pause)
    return RpcStatus(message, pause)


def _iterate_fields(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the number and the content of each field that holds bytes in a message."""
    from google.protobuf.empty_pb2 import Empty
    from google.protobuf.unknown_fields import UnknownFieldSet

    for field in UnknownFieldSet(Empty.FromString(body)):
        if isinstance(field.data, bytes):
            yield field.field_number, field.data
