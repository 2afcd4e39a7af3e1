"""Invalid paths, numbers and timeouts are refused before any work is done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Config, ConfigError, Monitor, Otlp, Profile, Reference
from mlmonitor.environment.argument_checks import read_timeout
from support.references import fit_reference

PERSON = "Jane Doe"
NO_PATHS = [None, 4711, b"r.json", Path]

REFERENCE = fit_reference({"x": np.arange(100.0)})

USES_OF_PATHS: dict[str, Callable[[Any], object]] = {
    "load a reference": Reference.load,
    "save a reference": REFERENCE.save,
    "load a profile": Profile.load,
    "save a profile": lambda path: Profile().save(path),
}


@pytest.mark.parametrize("use", USES_OF_PATHS)
@pytest.mark.parametrize("path", NO_PATHS, ids=repr)
def test_an_argument_that_is_not_a_path_is_refused_by_its_type(use: str, path: Any) -> None:
    """The message names the argument and what to pass, but not the value."""
    with pytest.raises(ConfigError, match=r": expected the path of a file, as a str") as caught:
        USES_OF_PATHS[use](path)
    assert "4711" not in str(caught.value)


@pytest.mark.parametrize(
    ("load", "argument"), [(Reference.load, "reference"), (Profile.load, "profile")]
)
def test_a_folder_or_a_missing_file_is_refused_by_its_name(
    load: Callable[[Any], object], argument: str, tmp_path: Path
) -> None:
    """Both messages say which file was expected."""
    with pytest.raises(IsADirectoryError, match=f"{argument}: expected the file .*got a folder"):
        load(tmp_path)
    with pytest.raises(FileNotFoundError, match=f"{argument}: expected the file .*found none"):
        load(tmp_path / "none")


@pytest.mark.parametrize("seconds", [PERSON, True, float("nan"), float("inf"), [1.0]], ids=repr)
@pytest.mark.parametrize("name", ["flush", "close"])
@pytest.mark.parametrize("enabled", [True, False])
def test_a_timeout_that_is_not_a_number_of_seconds_is_refused(
    seconds: Any, name: str, *, enabled: bool
) -> None:
    """A disabled monitor refuses it, too, so that tests show the mistake; it stays open."""
    with Monitor("m", exporters=[], config=Config(enabled=enabled)) as monitor:
        with pytest.raises(ConfigError, match="timeout_seconds: expected a number") as caught:
            getattr(monitor, name)(timeout_seconds=seconds)
        assert PERSON not in str(caught.value)
        assert monitor.status().state != "closed"


@pytest.mark.parametrize(
    ("seconds", "waited"),
    [(2, 2.0), (0, 0.0), (-0.1, 0.0), (np.float32(1), 1.0), (np.int64(1), 1.0)],
    ids=repr,
)
def test_any_number_is_accepted_as_a_timeout_and_negative_ones_count_as_zero(
    seconds: Any, waited: float
) -> None:
    """The time left until a deadline that has passed is negative, which is no error."""
    assert read_timeout(seconds) == waited
    with Monitor("m", exporters=[]) as monitor:
        monitor.record({"x": [1.0]}, [0.5])
        monitor.flush(timeout_seconds=seconds)
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().predictions == 1


@pytest.mark.parametrize(
    "name", ["window_seconds", "alpha", "baseline_rows", "pending_seconds", "window_rows"]
)
def test_a_boolean_is_refused_as_a_number_of_an_option(name: str) -> None:
    """Python would count it as 1."""
    with pytest.raises(ConfigError, match=f"{name}: expected a number, got bool"):
        Config(**{name: True})


def test_a_boolean_is_refused_as_the_timeout_of_a_destination() -> None:
    """Destinations follow the same rule as options."""
    with pytest.raises(ConfigError, match="timeout_seconds: expected a number of seconds"):
        Otlp.collector("http://127.0.0.1:4318", timeout_seconds=True)
