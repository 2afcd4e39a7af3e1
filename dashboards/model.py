"""Dashboards as data, independent of the schema in which they are written."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "barchart", "text"]


@dataclass(frozen=True)
class Query:
    """One query of a panel: PromQL as a template of the catalogue's names, or SQL."""

    text: str
    legend: str = ""
    instant: bool = False
    """Query current values, for a table, instead of values over time."""
    exemplars: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel. description: what it shows, and what to do about it."""

    kind: Kind
    title: str
    description: str
    queries: tuple[Query, ...] = ()
    unit: str = "short"
    width: int = 12
    height: int = 8
    decimals: int | None = None
    maximum: float | None = None
    warn_above: float | None = None
    """Values from here on are red."""
    warn_below: float | None = None
    """Values up to here are red."""
    band: tuple[str, str] | None = None
    """The names of a lower and an upper series, with the space between them filled."""
    dashed: tuple[str, ...] = ()
    """Names of the series with which others are compared."""
    stacked: bool = False
    order_by: str | None = None
    """The column by which the rows of a table are sorted."""
    columns: tuple[tuple[str, str], ...] = ()
    """Columns of a table and their titles; others are hidden. `Value #B` is the second query's."""
    matrix: tuple[str, str, str] | None = None
    """Column, row and value of a table that becomes a matrix."""
    links_to_field: bool = False


@dataclass(frozen=True)
class Row:
    """A row of panels with a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A variable at the top of a dashboard, whose values a query lists."""

    name: str
    label: str
    query: str
    multi: bool = True
    all_value: str | None = ".*"
    """The value of `All`: empty for a list of all values, None if there is no `All`."""
    regex: str = ""


@dataclass(frozen=True)
class Choice:
    """A variable at the top of a dashboard with fixed values."""

    name: str
    label: str
    values: tuple[str, ...]
    first: str


@dataclass(frozen=True)
class Board:
    """A dashboard, as data."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    source: Literal["prometheus", "grafana-postgresql-datasource"] = "prometheus"
    variables: tuple[Variable | Choice, ...] = ()
    tag: str = "mlmonitor"
    since: str = "now-6h"
