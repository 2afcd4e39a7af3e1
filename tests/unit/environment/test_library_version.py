"""The library without its package metadata, as in a frozen program."""

from importlib import metadata

import pytest

import mlmonitor
from mlmonitor import Monitor, Otlp
from mlmonitor.testing import OtlpReceiver


def test_a_program_without_metadata_exports_without_a_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PyInstaller omits metadata by default."""

    def find_none(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", find_none)
    assert mlmonitor.__version__ == ""
    with OtlpReceiver() as receiver, Monitor("m", exporters=[Otlp.collector(receiver.url)]) as own:
        own.record({"x": [1.0]}, [1.0])
        assert own.flush(timeout_seconds=60)
        assert receiver.ledger.total("mlmonitor.predictions", {"status": "ok"}) == 1
