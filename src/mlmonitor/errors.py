"""What mlmonitor raises on purpose, and how an absent extra is named.

* MonitorError
  x ConfigError (ValueError)       an option, an address or a variable is wrong
  x SchemaError (TypeError)        data handed over at set-up does not fit the schema
  x IncompatibleSketch (ValueError)  two summaries of different shape cannot be merged
  x FormatError (ValueError)       a saved reference or sketch cannot be trusted
  x CallbackError                  a function of the host's that we called has raised; never raised
  x MissingExtra (ImportError)     an optional client library is not installed
  x ExportError (OSError)          a destination refused or could not be reached
    + ExportTimeout (TimeoutError)   ... or did not answer in time
    + ExportClosed (ConnectionError) ... or closed the connection without an answer
    + ExportRefused                  ... or will not have it, now or later

A message names the field and what to do. It never holds a value: values may be personal data.
The last four stay inside the worker; the host never meets them.
"""

from importlib import import_module
from types import ModuleType


class MonitorError(Exception):
    """Root of everything mlmonitor raises on purpose."""


class ConfigError(MonitorError, ValueError):
    """An option, an address or a variable is wrong; the message says how to mend it."""


class SchemaError(MonitorError, TypeError):
    """Data handed over at set-up is not what the schema declares, or cannot be given one."""


class CallbackError(MonitorError):
    """A function of the host, called by us, raised: its type is reported, its text is not."""


class IncompatibleSketch(MonitorError, ValueError):
    """Two sketches of different shape or configuration were to be merged."""


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
    """A destination has read what was sent, and will not have it: asking again is no use."""


def import_extra(module: str, *, extra: str) -> ModuleType:
    """Import `module`, or say which extra of this distribution brings it.

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
