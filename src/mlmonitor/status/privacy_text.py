"""A reference's contents that may leave the process, and those withheld, as a text table."""

from mlmonitor.formats.reference import (
    CategoricalReference,
    EmbeddingReference,
    FieldEntry,
    NumericReference,
    TextReference,
)
from mlmonitor.formatting import amount, table, truncate
from mlmonitor.reference.reference import Reference

_NAME = 24


def privacy_text(reference: Reference) -> str:
    """List what the reference keeps and withholds about each field, then about segments."""
    content = reference.content
    head = ("field", "role", "kind", "may leave", "names withheld")
    rows = [_build_row(entry) for entry in content.fields]
    lines = [f"reference of {amount(content.rows, 'row')}: no row is kept", ""]
    lines += table([head, *rows], left=(0, 1, 2, 3, 4))
    if content.segments:
        named = sum(segment.values is not None for segment in content.segments)
        rest = sum(segment.rows for segment in content.segments if segment.values is None)
        lines += ["", f"segments: {named} named, {amount(rest, 'row')} in the rest, without names"]
    return "\n".join(lines)


def _build_row(entry: FieldEntry) -> tuple[str, ...]:
    kept, withheld = _describe_disclosure(entry)
    return truncate(entry.name, _NAME), entry.role, entry.kind, kept, withheld


def _describe_disclosure(entry: FieldEntry) -> tuple[str, str]:
    """Describe what a reference keeps of a field's values, and what it withholds."""
    match entry:
        case NumericReference(id_like=True):
            return "mean, sd, rounded bins", "range, quantiles: ids?"
        case NumericReference():
            return "mean, sd, range, bins", "-"
        case CategoricalReference():
            return _describe_categories(entry)
        case TextReference():
            return "Bloom filter of words", "all texts"
        case EmbeddingReference():
            return "centroid, kernel mean", "all vectors"


def _describe_categories(entry: CategoricalReference) -> tuple[str, str]:
    names = len(entry.names)
    others = sum(entry.counts[len(entry.categories) - entry.groups :])
    if entry.public:
        return f"{amount(names, 'name')}, public", "-"
    if entry.is_closed:
        return f"{amount(names, 'name')}", "-"
    reason = ": ids?" if entry.is_id_like else ""
    kept = (
        amount(names, "name")
        if entry.distinct is None
        else f"{names:,} of {amount(entry.distinct, 'name')}"
    )
    return kept, f"of {amount(others, 'row')}{reason}"
