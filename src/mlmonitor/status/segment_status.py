"""The status of one segment: its numbers as attributes, and one line of text as `str`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlmonitor.compare.performance.performance import Performance
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Role
from mlmonitor.status.field_status import FieldStatus, field_named
from mlmonitor.status.performance_text import performance_text

_NAME = 40  # columns of a terminal for a segment's name
_NAMED = 5  # fields named in a line
_LINES = 25  # segments that have a line; the others are counted


@dataclass(frozen=True)
class SegmentStatus:
    """One segment over the window; `fields` are those of the model, computed from its rows.

    predictions, failed: rows since the start. reference_rows: the rows of this segment in the
    reference; if 0, nothing is compared. alerts: number of firing alerts, of drift and quality.
    """

    name: str
    predictions: int
    failed: int
    window_rows: int
    reference_rows: int
    fields: tuple[FieldStatus, ...] = field(default=(), repr=False)
    performance: Performance | None = None
    alerts: int = 0

    @property
    def rows(self) -> int:
        """Rows since the start, including those of failed calls."""
        return self.predictions + self.failed

    def field(self, name: str, *, role: Role | str = Role.FEATURE) -> FieldStatus:
        """Return the status of a field by name and role; raise UnknownName if there is none."""
        return field_named(name, role, self.fields)

    def __str__(self) -> str:
        text = f"{amount(self.predictions, 'prediction')}, {self.failed:,} failed, "
        text += f"{self.window_rows:,} in the window"
        if not self.reference_rows:
            return f"{text}; not in the reference, so not compared"
        names = {field.name: 1 for field in self.fields if field.has_moved}
        text += f"; {len(names)} moved{_list_named(names)}, {amount(self.alerts, 'alert')}"
        if self.performance is not None:
            text += f"; {performance_text(self.performance, most=1)} on {self.performance.count:,}"
        return text


def segment_lines(segments: Mapping[str, SegmentStatus]) -> list[str]:
    """Return a line for each of the first segments, and how many more there are."""
    active = [segment for segment in segments.values() if segment.reference_rows or segment.rows]
    shown: Sequence[SegmentStatus] = active[:_LINES]
    lines = [f"segment {truncate(segment.name, _NAME)}: {segment}" for segment in shown]
    more = len(active) - len(shown)
    return [*lines, f"{amount(more, 'more segment')}"] if more else lines


def _list_named(names: Mapping[str, int]) -> str:
    if not names:
        return ""
    shown = ", ".join(truncate(name, _NAME) for name in list(names)[:_NAMED])
    return f" ({shown}{_count_more(names)})"


def _count_more(names: Mapping[str, int]) -> str:
    return f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
