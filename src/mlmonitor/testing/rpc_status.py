"""How the OTLP specification says no: a `google.rpc.Status`. Needs the extra `testing`.

Its definition comes with a package of its own, which whoever only sends does not need: it is
imported where it is first used.
"""

from typing import Any

from mlmonitor.errors import import_extra

_EXTRA = "testing"


def rpc_status(message: str, *, code: int = 0) -> Any:
    """A status with these words, to which details may be added."""
    return import_extra("google.rpc.status_pb2", extra=_EXTRA).Status(code=code, message=message)


def retry_info(seconds: float) -> Any:
    """The detail that asks to be left alone for so long."""
    info = import_extra("google.rpc.error_details_pb2", extra=_EXTRA).RetryInfo()
    info.retry_delay.FromNanoseconds(round(seconds * 1e9))
    return info


def demand_statuses() -> None:
    """Raise MissingExtra where there is no such definition: at set-up, not at the first refusal."""
    rpc_status("")
