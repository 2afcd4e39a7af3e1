"""A reference as text for a terminal."""

from mlmonitor.compare.snapshot import TrainingInfo
from mlmonitor.formats.reference import CountedEntry, FieldEntry, NumericReference
from mlmonitor.formatting import amount, counted, day, duration, short, table, truncate, wide
from mlmonitor.reference.reference import Reference
from mlmonitor.status.field_table import WIDTH
from mlmonitor.status.lines import advancing_lines, describe_training, fit_line, ids_lines

_NAME = 32
_LEAST_NAME = 20
_DISPENSABLE = ("p50", "sd", "mean")
_MIDDLE = 50  # index of the median among the quantiles at 0, 1, ... 100%


def shown(reference: Reference) -> str:
    """Format a reference: rows, training, and a line per field without the names of categories."""
    content = reference.content
    trained = "" if content.trained_at is None else f", trained {content.trained_at:%Y-%m-%d}"
    lines = [f"reference of {amount(content.rows, 'row')}{trained}"]
    if content.copied_rows:
        lines.append(f"{counted(content.copied_rows)} of them copies of other rows: oversampled?")
    if content.training_metrics:
        metrics = (
            f"{truncate(name, _NAME)} {short(x)}" for name, x in content.training_metrics.items()
        )
        lines.append(f"at training: {', '.join(metrics)}")
    training = TrainingInfo(content.training_seconds, content.training_rows, content.parent_version)
    facts = describe_training(training)
    lines += [f"trained {facts}"] if facts else []
    head = ("field", "role", "kind", "values", "missing", "mean", "sd", "min", "p50", "max", "bins")
    rows = _fit_names([head, *map(_build_row, content.fields)])
    ids = ids_lines([truncate(name, _NAME) for name in reference.id_like])
    ids += advancing_lines([truncate(name, _NAME) for name in reference.advancing])
    text = [*map(fit_line, lines), "", *table(rows, left=(0, 1, 2)), *map(fit_line, ids)]
    return "\n".join(text)


def _fit_names(rows: list[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Fit rows to a terminal: drop columns to make room for names, then truncate the names."""
    needed = min(max(wide(row[0]) for row in rows), _LEAST_NAME)
    for column in _DISPENSABLE:
        if _measure_room(rows) < needed and column in rows[0]:
            place = rows[0].index(column)
            rows = [(*row[:place], *row[place + 1 :]) for row in rows]
    return [(truncate(row[0], max(_measure_room(rows), needed)), *row[1:]) for row in rows]


def _measure_room(rows: list[tuple[str, ...]]) -> int:
    """Return the number of terminal columns left for the first column of a table."""
    return WIDTH - sum(max(map(wide, column)) + 2 for column in list(zip(*rows, strict=True))[1:])


def _build_row(entry: FieldEntry) -> tuple[str, ...]:
    if not isinstance(entry, CountedEntry):
        # A text or an embedding: its derived fields have lines of their own.
        values, missing = counted(entry.rows - entry.missing), counted(entry.missing)
        return (truncate(entry.name, _NAME), entry.role, entry.kind, values, missing, *["-"] * 6)
    cells = (truncate(entry.name, _NAME), entry.role, entry.kind, counted(sum(entry.counts)))
    missing = counted(entry.missing)
    if not isinstance(entry, NumericReference):
        return (*cells, missing, *["-"] * 5, str(len(entry.categories) - entry.groups))
    middle = entry.quantiles[_MIDDLE] if entry.quantiles else None
    numbers = entry.mean, entry.stddev, entry.min, middle, entry.max
    if entry.kind == "datetime":
        spread = "-" if entry.stddev is None else duration(entry.stddev)
        texts = [day(entry.mean), spread, *map(day, numbers[2:])]
    else:
        texts = list(map(short, numbers))
    return (*cells, missing, *texts, str(len(entry.counts)))
