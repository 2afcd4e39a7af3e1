"""Business figures that are computed from rows, a column at a time."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from mlmonitor.callables import check_function
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.values import Values, plain_values
from mlmonitor.errors import CallbackError, ConfigError
from mlmonitor.formatting import ask_similar, describe_kind
from mlmonitor.records import Floats, Kpi


class MissingColumn(KeyError):
    """Raised for a missing column; unlike other KeyErrors, it never quotes a value."""


class RowColumns(Mapping[str, Any]):
    """The columns of some rows by name: features, and `prediction` or `prediction.<output>`.

    A column of numbers is a float64 array, NaN where there is none; any other column is an array of
    objects. A name that a prediction and a feature share refers to the prediction.
    """

    def __init__(
        self,
        predictions: Mapping[str, Values],
        find_feature: Callable[[str], Values | None],
        feature_names: Callable[[], Iterator[str]],
        rows: int,
    ) -> None:
        self._predictions, self._find = predictions, find_feature
        self._feature_names, self._rows = feature_names, rows

    def __getitem__(self, name: str) -> Any:
        values = self._predictions.get(name)
        if values is None:
            values = self._find(name)
        if values is None:
            raise MissingColumn(name)
        numbers, refused = parse_floats(values)
        if refused[0] == self._rows and name not in iter(self):  # rows by position accept any name
            raise MissingColumn(name)
        if refused[-1] < self._rows and refused[-1] * 2 <= self._rows:
            return numbers
        objects = np.empty(self._rows, object)
        objects[:] = plain_values(values)
        return objects

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*self._predictions, *self._feature_names()]))

    def __len__(self) -> int:
        return len([*iter(self)])


def compute_kpi(kpi: Kpi, columns: RowColumns, rows: int) -> Floats:
    """Return the figure of each row; NaN where it cannot be computed.

    Raises:
        CallbackError: the function raised, or did not return one number per row; the message
            names the figure, and the missing column if there is one.
    """
    try:
        with np.errstate(all="ignore"):
            values = np.asarray(kpi.function(columns), np.float64)
    except MissingColumn as error:
        hint = ask_similar(error.args[0], columns)
        raise CallbackError(f"kpi {kpi.name}: there is no column {error}{hint}") from error
    except Exception as error:
        raise CallbackError(f"kpi {kpi.name}: raised {type(error).__name__}") from error
    if values.shape != (rows,):
        raise CallbackError(
            f"kpi {kpi.name}: expected one number for each of the {rows} rows, got an array of "
            f"shape {values.shape}"
        )
    return np.where(np.isfinite(values), values, np.nan)


def check_kpis(kpis: Any) -> tuple[Kpi, ...]:
    """Return declared figures as a tuple, after checking them.

    Raises:
        ConfigError: they are not a list of `Kpi`, a name is empty or occurs twice, or a function
            cannot be called.
    """
    example = (
        "such as [Kpi('savings', lambda rows: rows['claimed'] - rows['prediction'], unit='EUR')]"
    )
    if not isinstance(kpis, list | tuple):
        raise ConfigError(f"kpis: expected a list, {example}, got {describe_kind(kpis)}")
    names: set[str] = set()
    for kpi in kpis:
        if not isinstance(kpi, Kpi):
            raise ConfigError(f"kpis: expected Kpi objects, {example}, got {describe_kind(kpi)}")
        if not kpi.name or type(kpi.name) is not str:
            raise ConfigError(f"kpis: expected a name for each, {example}")
        where = f"kpis: {kpi.name!r}"
        if kpi.name in names:
            raise ConfigError(f"{where}: expected names that differ")
        check_function(where, kpi.function, ["rows"])
        if type(kpi.unit) is not str:
            raise ConfigError(f"{where}: unit: expected a text, got {describe_kind(kpi.unit)}")
        names.add(kpi.name)
    return tuple(kpis)
