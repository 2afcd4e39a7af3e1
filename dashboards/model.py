"""What a dashboard is, whatever schema it is written in."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["timeseries", "stat", "table", "barchart", "text"]


@dataclass(frozen=True)
class Query:
    """One query of a panel: PromQL as a template of the catalogue's names, or SQL."""

    text: str
    legend: str = ""
    instant: bool = False
    """A table's rows now, not a line over time."""
    exemplars: bool = False


@dataclass(frozen=True)
class Panel:
    """One picture: what it shows, and what to do about what it shows."""

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
    """From here on it is red."""
    warn_below: float | None = None
    """Up to here it is red."""
    band: tuple[str, str] | None = None
    """The names of a lower and an upper series, with the space between them filled."""
    dashed: tuple[str, ...] = ()
    """Names of series that something else is compared with."""
    stacked: bool = False
    order_by: str | None = None
    """The column by which the rows of a table are in order."""
    columns: tuple[tuple[str, str], ...] = ()
    """Columns of a table and their titles; others are hidden. `Value #B` is the second query's."""
    matrix: tuple[str, str, str] | None = None
    """Column, row and value of a table that becomes a matrix."""
    links_to_field: bool = False


@dataclass(frozen=True)
class Row:
    """Panels below one heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """A choice at the head of a dashboard, read from the data."""

    name: str
    label: str
    query: str
    multi: bool = True
    all_value: str | None = ".*"
    """What the choice of all stands for; empty for all values; None where one has to be chosen."""
    regex: str = ""


@dataclass(frozen=True)
class Choice:
    """A choice among given values."""

    name: str
    label: str
    values: tuple[str, ...]
    first: str


@dataclass(frozen=True)
class Board:
    """A dashboard."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    source: Literal["prometheus", "grafana-postgresql-datasource"] = "prometheus"
    variables: tuple[Variable | Choice, ...] = ()
    tag: str = "mlmonitor"
    since: str = "now-6h"
