"""Build a receiver's refusals: the `google.rpc.Status` messages of the OTLP specification.

The message types are declared here, with the field numbers of `google/rpc/status.proto` and
`error_details.proto`, to avoid a dependency on the package that defines them.
"""

from typing import Any

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message_factory import GetMessageClass

_PACKAGE = "google.rpc"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_ONE, _MANY = FieldDescriptorProto.LABEL_OPTIONAL, FieldDescriptorProto.LABEL_REPEATED
_BYTES, _TEXT = FieldDescriptorProto.TYPE_BYTES, FieldDescriptorProto.TYPE_STRING
_FIELDS = {
    "Status": [
        ("code", 1, _ONE, FieldDescriptorProto.TYPE_INT32),
        ("message", 2, _ONE, _TEXT),
        ("details", 3, _MANY, _BYTES),  # a nested message is encoded like bytes
    ],
    "Detail": [("type_url", 1, _ONE, _TEXT), ("value", 2, _ONE, _BYTES)],
    "RetryInfo": [("retry_delay", 1, _ONE, _BYTES)],
}


def _build_classes() -> dict[str, Any]:
    file = FileDescriptorProto(name="refusal.proto", package=_PACKAGE, syntax="proto3")
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, label, kind in fields:
            message.field.add(name=field, number=number, label=label, type=kind)
    pool = DescriptorPool()  # separate: the package may have registered its own Status
    pool.Add(file)
    return {
        name: GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in _FIELDS
    }


_CLASSES = _build_classes()


def refusal(message: str, *, code: int = 0, retry_info: bytes | None = None) -> Any:
    """Return a `google.rpc.Status`, a protobuf message; `retry_info` becomes its only detail."""
    details = []
    if retry_info is not None:
        detail = _CLASSES["Detail"](type_url=_RETRY_INFO, value=retry_info)
        details = [detail.SerializeToString()]
    return _CLASSES["Status"](code=code, message=message, details=details)


def retry_info(seconds: float) -> bytes:
    """Return a serialised `google.rpc.RetryInfo` that asks the client to wait this long."""
    delay = Duration()
    delay.FromNanoseconds(round(seconds * 1e9))
    info = _CLASSES["RetryInfo"](retry_delay=delay.SerializeToString())
    return bytes(info.SerializeToString())
