"""A reference as text for a terminal."""

from mlmonitor.formats.reference import CountedEntry, FieldEntry, NumericReference
from mlmonitor.formatting import amount, counted, day, duration, short, table, truncate
from mlmonitor.reference.reference import Reference
from mlmonitor.status.lines import ids_lines

_NAME = 32
_MIDDLE = 50  # of the quantiles at 0, 1, ... 100 %


def shown(reference: Reference) -> str:
    """Rows, training time and one line per field of a reference; no names of categories."""
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
    head = ("field", "role", "kind", "values", "missing", "mean", "sd", "min", "p50", "max", "bins")
    rows = [_row(entry) for entry in content.fields]
    ids = ids_lines([truncate(name, _NAME) for name in reference.id_like])
    return "\n".join([*lines, "", *table([head, *rows], left=(0, 1, 2)), *ids])


def _row(entry: FieldEntry) -> tuple[str, ...]:
    if not isinstance(entry, CountedEntry):
        # A text or an embedding: its derived fields have lines of their own.
        values, missing = counted(entry.rows - entry.missing), counted(entry.missing)
        return (truncate(entry.name, _NAME), entry.role, entry.kind, values, missing, *["-"] * 6)
    cells = (truncate(entry.name, _NAME), entry.role, entry.kind, counted(sum(entry.counts)))
    missing = counted(entry.missing)
    if not isinstance(entry, NumericReference):
        return (*cells, missing, *["-"] * 5, str(len(entry.categories)))
    middle = entry.quantiles[_MIDDLE] if entry.quantiles else None
    numbers = entry.mean, entry.stddev, entry.min, middle, entry.max
    if entry.kind == "datetime":
        spread = "-" if entry.stddev is None else duration(entry.stddev)
        texts = [day(entry.mean), spread, *map(day, numbers[2:])]
    else:
        texts = list(map(short, numbers))
    return (*cells, missing, *texts, str(len(entry.counts)))
