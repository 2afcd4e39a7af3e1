"""Options are bounded, closed and frozen; the environment can set or override them."""

import re
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mlmonitor import Config, ConfigError

NAMES = list(Config.model_fields)
NAN, INF = float("nan"), float("inf")

OUT_OF_BOUNDS: dict[str, list[Any]] = {
    "enabled": ["maybe", 2, None],
    "window_seconds": [0, -1.0, 0.0001, NAN, INF, "an hour"],
    "window_rows": [1, 0, -5, 2.5, 1 << 60, "many"],
    "window_slices": [0, 10_001, 1.5, None, 10**400],
    "buffer_rows": [0, -1, 1 << 40],
    "record_wait_seconds": [-1, NAN, INF, "soon"],
    "exit_wait_seconds": [-1, NAN, INF, "later"],
    "block_rows": [0, 65_537],
    "baseline_rows": [1, 1_000_001],
    "poll_interval_seconds": [0, -1, NAN, INF, 3_601],
    "export_interval_seconds": [0, 0.05, NAN, INF, 86_401],
    "pending_predictions": [-1, 1 << 40],
    "pending_seconds": [0, -1.0, NAN, INF, "a month"],
    "cohort_seconds": [0, 0.5, NAN, INF, 40_000_000],
    "outlier_deviations": [0, -3, NAN, INF, 1_001],
    "exemplars": ["maybe", 2, None],
    "resources": ["maybe", 2, None],
    "heavy_hitters": [0, 1_001],
    "max_series": [0, 99, 10_000_001],
    "alpha": [0, 1, -0.1, NAN, INF],
    "drift_tolerance": [-0.1, 101, NAN, INF],
    "quality_tolerance": [-0.1, 1.1, NAN, INF],
    "performance_tolerance": [-0.1, 101, float("nan")],
    "performance_maturity": [-0.1, 1.1, float("nan")],
    "performance_basis": ["estimated", 1, None],
    "min_rows": [-1, 2.5, 1 << 60],
    "check_rows": [0, -1, 2.5, 1 << 60],
    "check_interval_seconds": [-1.0, NAN, INF, 86_401],
    "verdict_tolerance": [-0.1, 101, NAN, INF],
    "verdict_min_labels": [0, 1, 2.5, 1 << 60],
    "max_model_age_seconds": [0, -1.0, NAN, INF, "a year"],
    "max_segments": [0, -1, 2.5, 1_001],
}

CASES = [(name, value) for name, values in OUT_OF_BOUNDS.items() for value in values]


def test_every_option_is_tested_out_of_bounds_and_described() -> None:
    """`OUT_OF_BOUNDS` above lists all options, and each option has a description."""
    assert set(OUT_OF_BOUNDS) == set(NAMES)
    assert all(field.description for field in Config.model_fields.values())


@pytest.mark.parametrize(
    ("name", "value"), CASES, ids=[f"{n}-{i}" for i, (n, _) in enumerate(CASES)]
)
def test_the_error_for_an_option_out_of_bounds_names_the_option(name: str, value: Any) -> None:
    """It is a ValueError and does not repeat the value."""
    options = {name: value}
    if name == "window_rows":
        options["window_seconds"] = None
    with pytest.raises(ConfigError, match=rf"^Config: {name}: ") as caught:
        Config(**options)
    assert isinstance(caught.value, ValueError)
    if isinstance(value, str):
        assert value not in str(caught.value)


def test_an_unknown_option_is_refused() -> None:
    """A misspelt option would otherwise be ignored silently."""
    with pytest.raises(ConfigError, match="windw_seconds"):
        Config(windw_seconds=5)


@pytest.mark.parametrize("options", [{"window_seconds": None}, {"window_rows": 10}])
def test_a_window_has_one_length(options: dict[str, Any]) -> None:
    """Seconds and rows exclude each other; with neither or both the message says what to write."""
    with pytest.raises(ConfigError, match="give the window one length") as caught:
        Config(**options)
    assert "Value error" not in str(caught.value)
    assert Config(window_rows=10, window_seconds=None).window_rows == 10


def test_a_config_is_frozen() -> None:
    """Options cannot change after they were resolved."""
    with pytest.raises(ValidationError):
        Config().window_slices = 7  # type: ignore[misc]  # that is what is tested


def test_several_mistakes_are_reported_together() -> None:
    """A user need not run the program once for each mistake."""
    with pytest.raises(ConfigError, match=r"window_slices: .*; baseline_rows: "):
        Config(window_slices=0, baseline_rows=0)


def test_an_empty_environment_changes_nothing() -> None:
    """Defaults and given options are kept."""
    assert Config.from_environment({}) == Config()
    base = Config(window_slices=7)
    assert Config.from_environment({"HOME": "/root", "MLMONITOR_WINDOW_SLICES": " "}, base) == base


def test_variables_override_the_arguments_of_the_program() -> None:
    """The operator of a service can change options without changing its code."""
    environ = {
        "MLMONITOR_WINDOW_SLICES": " 12 ",
        "MLMONITOR_WINDOW_SECONDS": "none",
        "MLMONITOR_WINDOW_ROWS": "5000",
        "MLMONITOR_ENABLED": "false",
    }
    config = Config.from_environment(environ, Config(window_slices=7, baseline_rows=50))
    assert (config.window_slices, config.window_seconds, config.window_rows) == (12, None, 5_000)
    assert (config.enabled, config.baseline_rows) == (False, 50)


@pytest.mark.parametrize("name", NAMES)
def test_an_invalid_variable_is_named_without_its_value(name: str) -> None:
    """The error names the option and the variable, so that an operator finds it."""
    with pytest.raises(ConfigError, match=rf"{name}: .*MLMONITOR_{name.upper()}") as caught:
        Config.from_environment({f"MLMONITOR_{name.upper()}": "hunter2"})
    assert "hunter2" not in str(caught.value)


def test_an_unknown_variable_is_refused_with_the_valid_names() -> None:
    """A misspelt variable would otherwise never apply."""
    with pytest.raises(
        ConfigError,
        match=r"MLMONITOR_WINDOW_SLICE: no such option; did you mean MLMONITOR_WINDOW_SLICES ",
    ):
        Config.from_environment({"MLMONITOR_WINDOW_SLICE": "hunter2"})


def test_variables_set_by_kubernetes_are_ignored() -> None:
    """A Kubernetes service called mlmonitor puts variables of that prefix into every pod."""
    environ = {
        "MLMONITOR_SERVICE_HOST": "10.0.0.1",
        "MLMONITOR_SERVICE_PORT": "4318",
        "MLMONITOR_SERVICE_PORT_OTLP_HTTP": "4318",
        "MLMONITOR_PORT": "tcp://10.0.0.1:4318",
        "MLMONITOR_PORT_4318_TCP_ADDR": "10.0.0.1",
    }
    assert Config.from_environment(environ) == Config()


def test_the_standard_interval_is_only_a_default() -> None:
    """It is in milliseconds; the program overrides it, and the library's own variable both."""
    standard = {"OTEL_METRIC_EXPORT_INTERVAL": "5000"}
    own = {"MLMONITOR_EXPORT_INTERVAL_SECONDS": "7"}
    base = Config(export_interval_seconds=30)
    assert Config.from_environment(standard).export_interval_seconds == 5
    assert Config.from_environment(standard, Config(window_slices=7)).export_interval_seconds == 5
    assert Config.from_environment(standard, base).export_interval_seconds == 30
    assert Config.from_environment(standard | own).export_interval_seconds == 7


@pytest.mark.parametrize("value", ["soon", "1.5", "0", "-5", "60s", "1e3", "9" * 30, "9" * 5_000])
def test_an_invalid_standard_interval_is_ignored_with_a_warning(value: str) -> None:
    """OpenTelemetry demands it; the warning names variable and unit, but not the value."""
    warnings: list[str] = []
    config = Config.from_environment({"OTEL_METRIC_EXPORT_INTERVAL": value}, warn=warnings.append)
    assert config == Config()
    (warning,) = warnings
    assert "OTEL_METRIC_EXPORT_INTERVAL is ignored: expected" in warning
    assert "milliseconds" in warning
    assert value not in warning or value == "0"


def test_only_the_value_true_switches_everything_off() -> None:
    """OTEL_SDK_DISABLED overrides even the library's own variable; `true` may be in any case."""
    for value in ("true", "TRUE", " True "):
        environ = {"OTEL_SDK_DISABLED": value, "MLMONITOR_ENABLED": "true"}
        assert Config.from_environment(environ).enabled is False
    warnings: list[str] = []
    for value in ("", "false", "False", "1", "yes", "hunter2"):
        assert Config.from_environment({"OTEL_SDK_DISABLED": value}, warn=warnings.append).enabled
    assert warnings == ["OTEL_SDK_DISABLED counts as false: expected true or false"] * 3


@given(st.dictionaries(st.sampled_from([f"MLMONITOR_{n.upper()}" for n in NAMES]), st.text()))
def test_any_text_in_variables_gives_a_config_or_a_config_error(environ: dict[str, str]) -> None:
    """No text in a variable may raise anything else."""
    try:
        config = Config.from_environment(environ)
    except ConfigError as error:
        assert re.search("|".join(environ), str(error))  # noqa: PT017 - both outcomes are right
    else:
        assert isinstance(config, Config)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("", True), ("trace_based", True), (" Always_On ", True), ("always_off", False)],
)
def test_the_standard_variable_sets_the_filter_of_exemplars(value: str, expected: bool) -> None:  # noqa: FBT001 - a case
    """The program and the library's own variable override it."""
    environ = {"OTEL_METRICS_EXEMPLAR_FILTER": value}
    assert Config.from_environment(environ).exemplars is expected
    for said in (True, False):
        assert Config.from_environment(environ, Config(exemplars=said)).exemplars is said
        own = {**environ, "MLMONITOR_EXEMPLARS": str(said)}
        assert Config.from_environment(own).exemplars is said


def test_an_unknown_filter_of_exemplars_is_ignored_with_a_warning() -> None:
    """The warning lists the valid ones, but not the value."""
    warnings: list[str] = []
    environ = {"OTEL_METRICS_EXEMPLAR_FILTER": "hunter2"}
    assert Config.from_environment(environ, warn=warnings.append) == Config()
    (warning,) = warnings
    assert "EXEMPLAR_FILTER is ignored: expected always_off or trace_based" in warning
    assert "hunter2" not in warning


def test_a_misspelt_option_is_refused_with_the_closest_names() -> None:
    """The message links to all options; for nonsense it suggests no name."""
    with pytest.raises(ConfigError, match=r"window_secs: no such option; did you mean window_se.*"):
        Config(window_secs=3)
    with pytest.raises(ConfigError, match=r"zzz: no such option; all are in docs/configuration.md"):
        Config(zzz=3)


def test_the_signature_and_the_help_name_every_option() -> None:
    """Editors and `help(Config)` show them before the class is first used."""
    code = "import inspect, mlmonitor as m; print(inspect.signature(m.Config), m.Config.__doc__)"
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=250
    ).stdout
    for name, field in Config.model_fields.items():
        assert f"{name}: " in shown.partition("Args:")[0]
        assert f"{name}: {field.description}" in shown
