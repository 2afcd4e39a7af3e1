"""Reads a column of actuals once: numbers, reasons for refusals, and a block to ingest."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.buffer.pending import IS_MISSING, IS_UNREADABLE, SAYS_SOMETHING, Reading
from mlmonitor.capture.canonical import category_name, is_missing
from mlmonitor.capture.host.label_entries import select_rows
from mlmonitor.capture.outputs import ACTUAL, PREDICTION
from mlmonitor.capture.read.class_values import unify_classes
from mlmonitor.capture.read.numbers import name_or_none, parse_datetimes, parse_floats
from mlmonitor.capture.read.refusals import RefusalReason, column_reasons, refused_counts
from mlmonitor.capture.values import Values, plain_values
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Block, Field, Floats, Kind
from mlmonitor.reference.kind_inference import infer_kind

_NO_COUNTS = np.zeros((0, 3), np.int64)


class ActualColumn(NamedTuple):
    """Actuals of one kind, as they were read.

    numbers: NaN for refused values and for categories. reasons: the code of each refusal, else 0.
    raw: the values if they are categories, otherwise empty.
    """

    actuals: Values
    reading: Reading
    numbers: Floats
    reasons: NDArray[np.int8]
    raw: Values

    def block(self, rows: NDArray[np.int64], *, keeps_reasons: bool) -> Block:
        """Return some of the actuals as a block of one field."""
        if len(self.raw):
            values = list(select_rows(self.raw, rows))
            return Block(len(rows), np.empty((0, len(rows))), _NO_COUNTS, [values])
        reasons = self.reasons[rows][None, :]
        return Block(
            len(rows),
            self.numbers[rows][None, :],
            refused_counts(reasons),
            [],
            reasons if keeps_reasons and reasons.any() else None,
        )


def read_actuals(values: Values, field: Field, dictionary: Dictionary | None) -> ActualColumn:
    """Read a column of actuals as its field's kind; `dictionary` holds the known classes.

    Equal numbers and booleans are the same class, under the name that the dictionary has for it.
    """
    if dictionary is not None and not field.is_numeric:
        return _read_categories(values, dictionary)
    read = parse_datetimes if field.kind is Kind.DATETIME else parse_floats
    numbers, refused = read(values)
    reasons = column_reasons(read, values, numbers, refused)
    verdicts = np.where(
        reasons == 0,
        SAYS_SOMETHING,
        np.where(reasons == RefusalReason.MISSING, IS_MISSING, IS_UNREADABLE),
    )
    identities = (numbers + 0.0).view(np.int64)  # -0.0 + 0.0 is 0.0
    reading = Reading(verdicts.astype(np.int8), identities)
    return ActualColumn(values, reading, numbers, reasons, [])


def _read_categories(values: Values, dictionary: Dictionary) -> ActualColumn:
    values = unify_classes(values, (*dictionary.top, *dictionary.other))
    listed = list_values(values)
    encoded = dictionary.encode(listed)
    codes = encoded.codes
    is_silent = codes < 0
    verdicts = np.where(is_silent, IS_UNREADABLE, SAYS_SOMETHING).astype(np.int8)
    for row in np.flatnonzero(is_silent).tolist():
        if is_missing(listed[row]):
            verdicts[row] = IS_MISSING
    identities = codes.astype(np.int64)
    for row in np.flatnonzero(codes >= len(dictionary.top)).tolist():  # rare and new share a code
        identities[row] = hash(name_or_none(listed[row], category_name)) | 1 << 62
    reasons = np.zeros(len(listed), np.int8)
    reading = Reading(verdicts, identities)
    return ActualColumn(values, reading, np.full(len(listed), np.nan), reasons, listed)


def list_values(values: Values) -> list[Any]:
    """Return the values of a column as a list."""
    return list(plain_values(values))


def infer_actual_kind(actuals: Values, predictions: Sequence[CountedEntry]) -> Kind:
    """Infer the kind from the actuals, or else from the reference's predictions."""
    try:
        kind = infer_kind(ACTUAL, actuals)
    except SchemaError:
        kind = None
    predicted = (entry.kind for entry in predictions if entry.name == PREDICTION)
    return kind or Kind(next(predicted, Kind.NUMERIC))
