"""What one kind of destination takes, and in which form: the whole difference between backends."""

from typing import Literal, NamedTuple

Ambiguous = Literal["advance", "keep"]
Distributions = Literal["histograms", "bins"]
Durations = Literal["explicit", "exponential"]
Names = Literal["dots", "underscores", "underscores_and_units"]

_MIB = 1 << 20


class Limits(NamedTuple):
    """What one request may hold: points, and bytes before compression."""

    points: int
    size: int


class BackendProfile(NamedTuple):
    """One kind of destination.

    is_delta: counters and histograms are sent as what is new, not as totals.
    distributions: of numeric fields, as histograms or as a counter a bin.
    limits: of one request, before compression; `dimensions` of a point, the resource's included.
    ambiguous: whether deltas without an answer count as taken (at most once) or not (at least
    once). Totals can be sent again, so that this is no question for them.
    keeps_exemplars: whether it takes traces along with values.
    names: how queries spell the names: as they are, with `_` for dots, or also with the suffixes
    for units and types that Prometheus adds.
    """

    name: str
    is_delta: bool = False
    distributions: Distributions = "histograms"
    durations: Durations = "explicit"
    limits: Limits = Limits(points=50_000, size=16 * _MIB)
    dimensions: int | None = None
    ambiguous: Ambiguous = "keep"
    names: Names = "underscores_and_units"
    keeps_exemplars: bool = True


# A collector's gRPC receiver takes 4 MiB a message unless told otherwise.
COLLECTOR = BackendProfile("collector", limits=Limits(points=20_000, size=3_500_000))
PROMETHEUS = BackendProfile("prometheus")
MIMIR = BackendProfile("mimir", names="underscores")
GRAFANA_CLOUD = BackendProfile("grafana_cloud", limits=Limits(points=20_000, size=4 * _MIB))
DYNATRACE = BackendProfile(
    "dynatrace",
    is_delta=True,
    distributions="bins",
    limits=Limits(points=5_000, size=3_000_000),
    dimensions=50,
    ambiguous="advance",
    names="dots",
    keeps_exemplars=False,
)
