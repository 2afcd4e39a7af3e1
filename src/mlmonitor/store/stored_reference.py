"""Fit a reference to stored predictions, for a model that was trained without a reference."""

from collections.abc import Iterator, Sequence
from itertools import tee
from typing import Any

from mlmonitor.reference.reference import Reference
from mlmonitor.store.evaluate import Outputs, read_columns
from mlmonitor.store.stored_rows import StoredModel

_Columns = dict[str, list[Any]]


def fit_stored(
    connection: Any,
    stored: StoredModel,
    *,
    segments: Sequence[str] = (),
    with_actuals: bool = False,
    bins: int = 10,
) -> Reference:
    """Fit a reference to the stored predictions of a period, without failed calls, in chunks.

    with_actuals: whether labels are used as actuals. Values are used as they are stored: a withheld
    category is `__other__`, and times are numbers of seconds.

    Raises:
        SchemaError: the period has no rows.
        ConfigError: an option is out of bounds.
    """
    chunks = tee(_read_chunks(connection, stored), 3)
    return Reference.fit(
        (features for features, _, _ in chunks[0]),
        predictions=(outputs for _, outputs, _ in chunks[1]),
        actuals=(actuals for _, _, actuals in chunks[2]) if with_actuals else None,
        segments=segments,
        bins=bins,
    )


def _read_chunks(
    connection: Any, stored: StoredModel
) -> Iterator[tuple[_Columns, Outputs, list[Any]]]:
    """Yield features, outputs and actuals; all chunks have the feature names of the first."""
    names: list[str] | None = None
    for rows in stored.read(connection):
        predictions = [row for row in rows if row["status"] != "error"]
        if not predictions:
            continue
        features, outputs = read_columns(predictions)
        names = names or list(features)
        empty = [None] * len(predictions)
        columns = {name: features.get(name, empty) for name in names}
        yield columns, outputs, [row["actual"] for row in predictions]
