"""The error classes: one root, and each error is also the builtin that it resembles."""

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
    """Both `except MonitorError` and `except ValueError` work, and the message is kept."""
    error = leaf("claimed_amount: expected a number")
    assert isinstance(error, MonitorError)
    assert isinstance(error, BUILTINS[leaf])
    assert "claimed_amount" in str(error)


def test_the_docstring_of_the_module_lists_every_error() -> None:
    """It lists exactly the classes that exist."""
    errors_by_name = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, MonitorError)
    }
    assert errors_by_name == {leaf.__name__ for leaf in BUILTINS} | {"MonitorError"}
    assert all(name in (errors.__doc__ or "") for name in errors_by_name)


def test_a_timeout_is_an_export_error() -> None:
    """Code that handles refused exports also handles late ones."""
    assert issubclass(ExportTimeout, ExportError)


def test_a_missing_extra_is_reported_with_the_command_that_installs_it() -> None:
    """The module may be a package or inside one."""
    for module in ("not_a_module_of_ours", "not_a_module_of_ours.inner"):
        with pytest.raises(MissingExtra, match=r"pip install 'mlmonitor-sdk\[kafka\]'") as caught:
            import_extra(module, extra="kafka")
        assert module in str(caught.value)


def test_an_installed_extra_is_imported() -> None:
    """The module itself is returned."""
    assert import_extra("json.decoder", extra="kafka") is sys.modules["json.decoder"]


def test_a_broken_extra_keeps_its_own_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installed module that lacks a dependency of its own is not reported as missing."""
    (tmp_path / "broken_client.py").write_text("import what_the_client_needs\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_the_client_needs") as caught:
        import_extra("broken_client", extra="kafka")
    assert not isinstance(caught.value, MissingExtra)
