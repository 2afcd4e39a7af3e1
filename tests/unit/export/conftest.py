"""A fixture of all tests of exports."""

import pytest


@pytest.fixture(autouse=True)
def retries_without_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the only retry within an export follow immediately; one test sets its own pause."""
    monkeypatch.setattr("mlmonitor.export.otlp.exporter._RETRY_SECONDS", 0.0)
