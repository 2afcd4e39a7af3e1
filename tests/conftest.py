"""Fixtures of all tests: a manual clock, one seed, a clean environment and hypothesis profiles."""

import os

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from mlmonitor.testing import InMemoryExporter, ManualClock

for profile, examples in (("short", 25), ("thorough", 50)):
    settings.register_profile(
        profile,
        derandomize=True,
        deadline=None,
        max_examples=examples,
        suppress_health_check=[HealthCheck.too_slow],
    )
settings.register_profile("nightly", deadline=None, max_examples=5_000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture
def rng() -> np.random.Generator:
    """A random generator with the same seed in every run."""
    return np.random.default_rng(20_240_501)


@pytest.fixture
def clock() -> ManualClock:
    """A clock that the test advances."""
    return ManualClock()


@pytest.fixture
def exporter() -> InMemoryExporter:
    """An exporter that keeps snapshots in memory."""
    return InMemoryExporter()


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove environment variables of the machine on which a test could depend."""
    for name in list(os.environ):
        if name.startswith(("MLMONITOR_", "OTEL_")):
            monkeypatch.delenv(name)
