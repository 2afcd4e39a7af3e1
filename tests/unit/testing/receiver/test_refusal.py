"""Refusals of a receiver are readable as `google.rpc` messages, but made without that package."""

import subprocess
import sys

from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

from mlmonitor.testing.receiver.refusal import refusal, retry_info

_WITHOUT = """
import sys
sys.modules["google.rpc"] = None  # as if nothing had brought it
from mlmonitor.testing import InMemoryExporter, ManualClock, OtlpReceiver
from mlmonitor.testing.receiver import grpc_server
with OtlpReceiver():
    print(InMemoryExporter().name)
"""


def test_a_refusal_needs_no_package_of_google_rpc_types() -> None:
    """No dependency of the library installs `googleapis-common-protos`."""
    command = [sys.executable, "-c", _WITHOUT]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.stdout == "memory\n", done.stderr


def test_a_refusal_is_readable_as_a_google_rpc_status() -> None:
    """It has a code, a message and the time to wait before a retry."""
    body = refusal("too müch", code=8, retry_info=retry_info(1.25)).SerializeToString()
    status = Status.FromString(body)
    info = RetryInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message) == (8, "too müch")
    assert info.retry_delay.ToMilliseconds() == 1250
    assert RetryInfo.FromString(retry_info(1.25)) == info


def test_a_refusal_may_consist_of_a_message_alone() -> None:
    """Over HTTP the status is already in the answer."""
    assert refusal("no").SerializeToString() == Status(message="no").SerializeToString()
