"""Profiles of destinations: the requirements in which backends differ."""

from typing import Literal, NamedTuple

Ambiguous = Literal["advance", "keep"]
Distributions = Literal["histograms", "bins"]
Durations = Literal["explicit", "exponential"]
Names = Literal["dots", "underscores", "underscores_and_units"]

_MIB = 1 << 20


class Limits(NamedTuple):
    """Limits of one request: points, and bytes before compression."""

    points: int
    size: int


class BackendProfile(NamedTuple):
    """The requirements of one kind of destination.

    is_delta: whether counters and histograms are sent as deltas, not as totals.
    distributions: how numeric fields are sent: as histograms, or as one counter per bin.
    durations: how latencies are sent: in explicit or in exponential buckets.
    limits: limits of one request, before compression.
    dimensions: the maximum number of dimensions of a point, including those of the resource.
    ambiguous: whether deltas without an answer count as stored (`advance`: at most once) or are
    sent again (`keep`: at least once, as OTLP specifies). Totals can always be sent again.
    keeps_exemplars: whether the destination stores exemplars.
    names: the form of metric names in queries: unchanged, with `_` for dots, or also with the
    suffixes that Prometheus adds for units and types.
    limits_resource: whether the backend turns attributes of the resource into dimensions, so that
    their names and values must be legalized; otherwise they are sent unchanged.
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
    limits_resource: bool = False


# A collector's gRPC receiver accepts 4 MiB per message by default.
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
    names="dots",
    keeps_exemplars=False,
    limits_resource=True,
)
