"""Points about units of business figures, and about attributions."""

from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.export.base import Attributes, Point
from mlmonitor.export.series.call_points import finite_point


def figure_points(snapshot: ModelSnapshot, identity: Attributes) -> Iterator[Point]:
    """Yield the unit of each business figure, and the sizes and ranking of attributions."""
    for name, unit in snapshot.kpi_units.items():
        yield Point(catalog.KPI_UNIT, (*identity, ("field", name), ("unit", unit)), 1.0)
    attributions = snapshot.attributions
    if attributions is None:
        return
    for name, size in attributions.mean_absolute.items():
        labels = (*identity, ("field", name), ("basis", "live"))
        yield from finite_point(catalog.ATTRIBUTION, labels, size)
    for name, size in attributions.reference.items():
        labels = (*identity, ("field", name), ("basis", "reference"))
        yield from finite_point(catalog.ATTRIBUTION, labels, size)
    if attributions.ndcg is not None:
        yield from finite_point(catalog.ATTRIBUTION_NDCG, identity, attributions.ndcg)
