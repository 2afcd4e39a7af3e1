"""Render a reference as HTML for notebooks."""

from mlmonitor.display.markup import add_table, add_text, new_fragment, to_text
from mlmonitor.formats.reference import (
    CategoricalReference,
    CountedEntry,
    FieldEntry,
    NumericReference,
    ReferenceFile,
)
from mlmonitor.formatting import amount, counted, day, duration, short

_HEAD = ("field", "role", "kind", "values", "missing", "mean", "sd", "min", "median", "max", "bins")
_MIDDLE = 50  # index of the median among the quantiles at 0, 1, ... 100%


class NotebookReference:
    """The part of a reference that a notebook shows."""

    content: ReferenceFile

    def _repr_html_(self) -> str:
        return reference_html(self.content)


def reference_html(content: ReferenceFile) -> str:
    """Return HTML with rows, training time and one line per field; no names of categories."""
    trained = "" if content.trained_at is None else f", trained {content.trained_at:%Y-%m-%d}"
    root = new_fragment("Reference", f"of {amount(content.rows, 'row')}{trained}")
    if content.training_metrics:
        metrics = (f"{name} {short(value)}" for name, value in content.training_metrics.items())
        add_text(root, f"at training: {', '.join(metrics)}")
    add_table(root, _HEAD, map(_build_row, content.fields))
    return to_text(root)


def _build_row(entry: FieldEntry) -> tuple[str, ...]:
    values = sum(entry.counts) if isinstance(entry, CountedEntry) else entry.rows - entry.missing
    cells = (entry.name, entry.role, entry.kind, counted(values), counted(entry.missing))
    if not isinstance(entry, NumericReference):
        bins = str(len(entry.categories)) if isinstance(entry, CategoricalReference) else "-"
        return (*cells, *["-"] * 5, bins)
    middle = entry.quantiles[_MIDDLE] if entry.quantiles else None
    numbers = entry.mean, entry.stddev, entry.min, middle, entry.max
    texts = list(map(short, numbers))
    if entry.kind == "datetime":
        texts = list(map(day, numbers))
        texts[1] = "-" if entry.stddev is None else duration(entry.stddev)
    return (*cells, *texts, str(len(entry.counts)))
