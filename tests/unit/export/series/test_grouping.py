"""Points are grouped into families and back without change; unchanged series are shared."""

from hypothesis import given

from mlmonitor import catalog
from mlmonitor.export.base import Point, Snapshot
from mlmonitor.export.series.grouping import SnapshotCache, group_points
from support.export_strategies import points


@given(points)
def test_points_are_ungrouped_as_they_were_grouped(drawn: list[Point]) -> None:
    """Each keeps its own type."""
    snapshot = Snapshot("i", "s", 1, 2, group_points(drawn))
    assert sorted(map(repr, snapshot.points)) == sorted(map(repr, _as_told(drawn)))
    assert snapshot.size == len(drawn)


def _as_told(points: list[Point]) -> list[Point]:
    """Return the points with gauges as floats."""
    return [
        point._replace(value=float(point.value))
        if point.metric.kind == "gauge" and isinstance(point.value, int)
        else point
        for point in points
    ]


def test_series_are_shared_while_they_stay_the_same() -> None:
    """Exporters cache data with them; series not used in a snapshot are dropped."""
    book = SnapshotCache()

    def series(*statuses: str) -> object:
        book.begin_snapshot()
        points = [Point(catalog.PREDICTIONS, (("status", status),), 1) for status in statuses]
        return group_points(points, book)[0].series

    first = series("a", "b")
    assert series("a", "b") is first
    assert series("a", "c") is not first
    kept = series("a", "b")
    assert kept is not first
    book.begin_snapshot()
    book.begin_snapshot()
    assert series("a", "b") is not kept


def test_integers_and_floats_of_one_metric_are_two_families() -> None:
    """They have different types in OTLP."""
    points = [
        Point(catalog.PREDICTIONS, (("status", str(at)),), value)
        for at, value in enumerate((1, 2.5, 3))
    ]
    assert [len(family.series) for family in group_points(points)] == [2, 1]
