"""The fields of a status as a table: live and training statistics, scores and thresholds."""

from collections.abc import Sequence

from mlmonitor.formatting import (
    amount,
    counted,
    day,
    duration,
    short,
    table,
    truncate,
    wide,
    zero_if_rounding,
)
from mlmonitor.records import Kind, Quality, Role
from mlmonitor.status.field_status import FieldStatus, TrainingStats, compared_psi

WIDTH = 100
"""Maximum width of a printed status, in columns of a terminal."""

_HEAD = ("", "rows", "invalid", "  mean", "    sd", "  mean", "    sd", "psi", "threshold", "")
_LIVE, _TRAINING, _DRIFT = 3, 5, 7  # indices of the first column of each group
_GROUPS = {
    Role.FEATURE: "features",
    Role.DERIVED: "derived fields",
    Role.PREDICTION: "predictions",
    Role.ACTUAL: "actuals",
    Role.KPI: "KPIs",
    Role.ATTRIBUTION: "attributions",
}


def invalid_count(field: FieldStatus) -> int:
    """Return the number of invalid values of any kind in the window."""
    counts = field.window_quality.items()
    return sum(count for quality, count in counts if quality is not Quality.VALID)


def field_table(fields: Sequence[FieldStatus]) -> list[str]:
    """Return a table of fields by role, at most `WIDTH` columns wide; `ALERT` marks firing alerts.

    A window without rows gives one line instead of a table.
    """
    if not any(field.count or invalid_count(field) for field in fields):
        had_rows = any(sum(field.quality.values()) for field in fields)
        return [] if not fields else ["no rows in the window" if had_rows else "no rows yet"]
    rows: list[tuple[str, ...]] = [_HEAD]
    titles: dict[int, str] = {}
    for role, title in _GROUPS.items():
        group = [field for field in fields if field.role is role]
        if group:
            titles[len(rows)] = title
            rows += [("",) * len(_HEAD), *map(_build_row, group)]
    fixed = sum(max(map(wide, column)) + 2 for column in list(zip(*rows, strict=True))[1:])
    names = max(WIDTH - fixed, 8)
    rows = [(truncate(row[0], names), *row[1:]) for row in rows]
    head, _, *lines = table(rows, left=(0, len(_HEAD) - 1))
    lines = [titles.get(place) or line for place, line in enumerate(lines, start=1)]
    return ["", _write_captions(head, rows), head, *lines, ""]


def _write_captions(head: str, rows: Sequence[Sequence[str]]) -> str:
    """Return the line above the header, with the captions `now`, `at training` and `drift`."""
    widths = [max(map(wide, column)) for column in zip(*rows, strict=True)]
    starts = [sum(width + 2 for width in widths[:place]) for place in range(len(widths))]
    line = " " * len(head)
    for place, caption in ((_LIVE, "now"), (_TRAINING, "at training"), (_DRIFT, "drift")):
        end = starts[place + 1] + widths[place + 1]
        start = max(end - max(len(caption), widths[place + 1] + 1), 0)
        line = line[:start].ljust(start) + caption.rjust(end - start) + line[end:]
    return line.rstrip()


def _build_row(field: FieldStatus) -> tuple[str, ...]:
    training = field.training
    return (
        f"  {field.name}",
        counted(field.count),
        counted(invalid_count(field)),
        *_show_numbers(field, field.mean, field.stddev, field.distinct),
        *_show_training(field, training),
        *_show_drift(field),
        "ALERT" if field.has_alert else _note_kind(field),
    )


def _show_drift(field: FieldStatus) -> tuple[str, str]:
    """Format PSI and its threshold, or dashes."""
    psi, threshold = compared_psi(field)
    return (
        "-" if psi is None else f"{psi:.3f}",
        "-" if threshold is None else f"{threshold:.3f}",
    )


def _note_kind(field: FieldStatus) -> str:
    if not field.is_id_like:
        return ""
    return "advances" if field.kind is Kind.DATETIME else "id-like"


def _show_training(field: FieldStatus, training: TrainingStats | None) -> tuple[str, str]:
    if training is None:
        return "-", "-"
    return _show_numbers(field, training.mean, training.stddev, training.distinct)


def _show_numbers(
    field: FieldStatus, mean: float | None, stddev: float | None, distinct: float | None
) -> tuple[str, str]:
    """Format mean and standard deviation, or the number of categories of a categorical field."""
    if field.kind is Kind.DATETIME:
        return day(mean), "-" if stddev is None else duration(stddev)
    if field.kind in (Kind.CATEGORICAL, Kind.BOOLEAN):
        return ("-" if distinct is None else amount(round(distinct), "name")), ""
    return short(zero_if_rounding(mean, scale=stddev)), short(stddev)


def invalid_lines(fields: Sequence[FieldStatus], *, most: int) -> list[str]:
    """Return lines about invalid values in at most `most` fields, the worst field first."""
    invalid = sorted(filter(invalid_count, fields), key=invalid_count, reverse=True)
    lines = []
    for field in invalid[:most]:
        counts = field.window_quality.items()
        reasons = [f"{q} {n:,}" for q, n in counts if n and q is not Quality.VALID]
        lines.append(f"invalid in {truncate(field.name, 24)}: {', '.join(reasons)}")
    more = len(invalid) - most
    return [*lines, f"invalid in {amount(more, 'more field')}"] if more > 0 else lines
