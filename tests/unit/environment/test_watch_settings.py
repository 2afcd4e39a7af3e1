"""The variables that name what `opentelemetry-instrument` watches."""

import pytest

from mlmonitor import Config, ConfigError
from mlmonitor.environment.watch_settings import WatchSettings, read_watch_settings

NAMED = {"MLMONITOR_WATCH": "shop.pricing:Service.predict", "MLMONITOR_MODEL": "claims"}


def test_nothing_is_watched_unless_a_callable_is_named() -> None:
    """The name of a model alone is not enough."""
    assert read_watch_settings({"MLMONITOR_MODEL": "claims"}) is None


def test_a_callable_and_a_model_are_enough_to_watch_a_service() -> None:
    """All other settings have the defaults of `Monitor` and `watch`."""
    expected = WatchSettings("shop.pricing", "Service.predict", "claims")
    assert read_watch_settings(NAMED) == expected


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("VERSION", "7", "version", "7"),
        ("REFERENCE", "/models/claims.json", "reference", "/models/claims.json"),
        ("FEATURES", "row", "features", "row"),
        ("FEATURES", "age, line", "features", ("age", "line")),
        ("PREDICTION", "price", "prediction", "price"),
        ("PREDICTION", "0", "prediction", 0),
        ("ID_FROM", "claim_id", "id_from", "claim_id"),
    ],
)
def test_each_argument_of_watch_has_a_variable(
    name: str, text: str, field: str, value: object
) -> None:
    """Commas separate several arguments, and a number is an index of the result."""
    settings = read_watch_settings(NAMED | {f"MLMONITOR_{name}": text})
    assert settings is not None
    assert getattr(settings, field) == value


@pytest.mark.parametrize(
    ("change", "variable"),
    [
        ({"MLMONITOR_WATCH": "predict"}, "MLMONITOR_WATCH"),
        ({"MLMONITOR_WATCH": "app:"}, "MLMONITOR_WATCH"),
        ({"MLMONITOR_WATCH": "app.py:predict()"}, "MLMONITOR_WATCH"),
        ({"MLMONITOR_WATCH": "__main__:predict"}, "__main__ is not imported"),
        ({"MLMONITOR_MODEL": ""}, "MLMONITOR_MODEL"),
    ],
)
def test_an_invalid_variable_is_named_in_the_error(change: dict[str, str], variable: str) -> None:
    """The message says what is expected."""
    with pytest.raises(ConfigError, match=variable):
        read_watch_settings(NAMED | change)


def test_config_ignores_the_variables_of_the_watched_callable() -> None:
    """They are neither options of `Config` nor misspelt ones."""
    assert Config.from_environment(NAMED) == Config()
