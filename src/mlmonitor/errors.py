"""The exceptions of mlmonitor, and the import of optional extras.

* MonitorError
  x ConfigError (ValueError)       an option, an address or a variable is wrong
  x SchemaError (TypeError)        data given at set-up does not fit the schema
  x IncompatibleSketch (ValueError)  two summaries of different shape cannot be merged
  x UnknownName (KeyError)         there is no field, measure or model of that name
  x FormatError (ValueError)       a saved reference or sketch cannot be trusted
  x CallbackError                  a callback of the host raised; recorded, never raised
  x MissingExtra (ImportError)     an optional client library is not installed
  x ExportError (OSError)          a destination refused or could not be reached
    + ExportTimeout (TimeoutError)   ... or did not answer in time
    + ExportClosed (ConnectionError) ... or closed the connection without an answer
    + ExportRefused                  ... or rejected the data permanently

A message names the field and the remedy. It never holds a value, which may be personal data.
The last four stay inside the worker and never reach the host.
"""

from importlib import import_module
from types import ModuleType


class MonitorError(Exception):
    """Base class of all exceptions that mlmonitor raises on purpose."""


class ConfigError(MonitorError, ValueError):
    """An option, an address or a variable is wrong; the message says how to fix it."""


class SchemaError(MonitorError, TypeError):
    """Data given at set-up does not match the schema, or no schema can be inferred from it."""


class CallbackError(MonitorError):
    """A callback of the host raised: the exception's type is reported, its text is not."""


class IncompatibleSketch(MonitorError, ValueError):
    """Two sketches of different shape or configuration cannot be merged."""


class UnknownName(MonitorError, KeyError):
    """There is no entry of that name; the message suggests similar names and lists all."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""  # a KeyError would quote its message


class FormatError(MonitorError, ValueError):
    """A saved reference or sketch is damaged, too new, or contradicts itself."""


class MissingExtra(MonitorError, ImportError):
    """An optional client library is needed but not installed."""


class ExportError(MonitorError, OSError):
    """A destination refused what was sent, or could not be reached."""


class ExportTimeout(ExportError, TimeoutError):
    """A destination did not answer in time."""


class ExportClosed(ExportError, ConnectionError):
    """A destination closed the connection after the request, without an answer."""


class ExportRefused(ExportError):
    """A destination rejected the data permanently: sending it again would not help."""


def import_extra(module: str, *, extra: str) -> ModuleType:
    """Import `module`, or raise an error that names the extra to install.

    Raises:
        MissingExtra: `module` is not installed. A module that is installed but broken keeps its
            own traceback.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise MissingExtra(
            f"{module} is not installed: pip install 'mlmonitor-sdk[{extra}]'"
        ) from error
