"""Translate families into the forms that one kind of destination accepts."""

from collections.abc import Iterable, Iterator

from mlmonitor import catalog
from mlmonitor.export.base import Attributes, Family, Histograms, Series, mask_buckets
from mlmonitor.export.otlp.backends import BackendProfile


def translate(families: Iterable[Family], profile: BackendProfile) -> Iterator[Family]:
    """Yield the families in the forms that a destination accepts."""
    for family in families:
        is_distribution = family.metric is catalog.DISTRIBUTION
        if is_distribution and profile.distributions == "bins":
            yield from convert_to_bins(family)
        else:
            yield family


def convert_to_bins(family: Family) -> Iterator[Family]:
    """Convert histograms to one counter per bin, and a counter of the sum where it is known."""
    block = family.values
    assert isinstance(block, Histograms)  # noqa: S101 - the catalogue says histogram
    cached = family.series.cache.get("bins")
    if cached is None or cached[0] != block.bounds:
        cached = family.series.cache["bins"] = (
            block.bounds,
            _list_bin_series(family.series, block),
        )
    yield Family(catalog.BIN, cached[1], block.counts[mask_buckets(block)])
    yield Family(catalog.SUM, family.series, block.sum)


def _list_bin_series(series: Series, block: Histograms) -> Series:
    pairs = zip(series.attributes, block.bounds, strict=True)
    return Series(
        (*attributes, ("bin", str(place)))
        for attributes, bounds in pairs
        for place in range(len(bounds) + 1)
    )


def build_resource(
    given: Iterable[tuple[str, str]], profile: BackendProfile, *, service: str, instance: str
) -> Attributes:
    """Build the resource: service name and instance id, then the attributes `given` by the user.

    A `service.instance.id` from the environment is inherited by several processes, so it becomes
    only the prefix of the instance id. If a destination limits the dimensions of a point, the last
    of the given attributes are left out.
    """
    attributes = dict(given)
    prefix = attributes.pop("service.instance.id", "")
    attributes.pop("service.name", None)
    own = f"{prefix}-{instance}" if prefix else instance
    resource = (("service.name", service), ("service.instance.id", own), *attributes.items())
    if profile.dimensions is None:
        return resource
    return resource[: profile.dimensions - _OWN_DIMENSIONS]


_OWN_DIMENSIONS = 16
"""Dimensions reserved for a point's own attributes and for the scope's name and version."""
