"""Families as one kind of destination takes them."""

from collections.abc import Iterable, Iterator

from mlmonitor import catalog
from mlmonitor.export.base import Attributes, Family, Histograms, Series, meant
from mlmonitor.export.otlp.backends import BackendProfile


def translate(families: Iterable[Family], profile: BackendProfile) -> Iterator[Family]:
    """The same facts in the forms that a destination takes."""
    for family in families:
        is_distribution = family.metric is catalog.DISTRIBUTION
        if is_distribution and profile.distributions == "bins":
            yield from as_bins(family)
        else:
            yield family


def as_bins(family: Family) -> Iterator[Family]:
    """Histograms as a counter a bin and, where no value was negative, a counter of their sum."""
    block = family.values
    assert isinstance(block, Histograms)  # noqa: S101 - the catalogue says histogram
    kept = family.series.kept.get("bins")
    if kept is None or kept[0] != block.bounds:
        kept = family.series.kept["bins"] = (block.bounds, _bin_series(family.series, block))
    yield Family(catalog.BIN, kept[1], block.counts[meant(block)])
    yield Family(catalog.SUM, family.series, block.sum)


def _bin_series(series: Series, block: Histograms) -> Series:
    pairs = zip(series.attributes, block.bounds, strict=True)
    return Series(
        (*attributes, ("bin", str(at)))
        for attributes, bounds in pairs
        for at in range(len(bounds) + 1)
    )


def resource_of(
    told: Iterable[tuple[str, str]], profile: BackendProfile, *, service: str, instance: str
) -> Attributes:
    """The attributes of a process: its own first, then what the environment tells of its host.

    Where a destination takes so many dimensions a point, what is told last is left out.
    """
    named = {"service.name": service, "service.instance.id": instance}
    more = {key: value for key, value in told if key not in named}
    found = (*named.items(), *more.items())
    return found if profile.dimensions is None else found[: profile.dimensions - _OWN_DIMENSIONS]


_OWN_DIMENSIONS = 16
"""Kept free for a point's own attributes, and for the scope's name and version."""
