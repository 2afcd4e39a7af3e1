"""The error tree: one root, each leaf also the builtin it resembles."""

import sys
from pathlib import Path

import pytest

from mlmonitor import errors
from mlmonitor.errors import (
    CallbackError,
    ConfigError,
    ExportClosed,
    ExportError,
    ExportRefused,
    ExportTimeout,
    FormatError,
    IncompatibleSketch,
    MissingExtra,
    MonitorError,
    SchemaError,
    UnknownName,
    import_extra,
)

BUILTINS = {
    CallbackError: Exception,
    ConfigError: ValueError,
    SchemaError: TypeError,
    IncompatibleSketch: ValueError,
    UnknownName: KeyError,
    FormatError: ValueError,
    MissingExtra: ImportError,
    ExportError: OSError,
    ExportRefused: OSError,
    ExportTimeout: TimeoutError,
    ExportClosed: ConnectionError,
}


@pytest.mark.parametrize("leaf", BUILTINS, ids=lambda leaf: leaf.__name__)
def test_each_error_is_a_monitor_error_and_the_matching_builtin_error(
    leaf: type[MonitorError],
) -> None:
    """`except MonitorError` and `except ValueError` both work, and the message survives."""
    error = leaf("claimed_amount: expected a number")
    assert isinstance(error, MonitorError)
    assert isinstance(error, BUILTINS[leaf])
    assert "claimed_amount" in str(error)


def test_every_error_is_in_the_tree_and_its_docstring() -> None:
    """The module's docstring lists exactly the classes there are."""
    errors_by_name = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, MonitorError)
    }
    assert errors_by_name == {leaf.__name__ for leaf in BUILTINS} | {"MonitorError"}
    assert all(name in (errors.__doc__ or "") for name in errors_by_name)


def test_a_timeout_is_an_export_error() -> None:
    """Whoever handles refused exports handles late ones."""
    assert issubclass(ExportTimeout, ExportError)


def test_an_absent_extra_names_how_to_get_it() -> None:
    """The message is the command to run, for a module and for one inside a package."""
    for module in ("not_a_module_of_ours", "not_a_module_of_ours.inner"):
        with pytest.raises(MissingExtra, match=r"pip install 'mlmonitor-sdk\[kafka\]'") as caught:
            import_extra(module, extra="kafka")
        assert module in str(caught.value)


def test_an_extra_that_is_there_is_imported() -> None:
    """The module itself is returned."""
    assert import_extra("json.decoder", extra="kafka") is sys.modules["json.decoder"]


def test_a_broken_extra_keeps_its_own_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is installed but lacks something of its own is not said to be missing."""
    (tmp_path / "broken_client.py").write_text("import what_the_client_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_the_client_needs") as caught:
        import_extra("broken_client", extra="kafka")
    assert not isinstance(caught.value, MissingExtra)
