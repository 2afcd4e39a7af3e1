"""Stores what is needed of a prediction until its actual arrives."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from mlmonitor.aggregate.outcomes.class_codes import NO_CLASS, ClassCodes, ClassIndex
from mlmonitor.aggregate.outcomes.cohort_table import CohortTable
from mlmonitor.aggregate.outcomes.outcome_plan import MOST_SCORED_CLASSES
from mlmonitor.aggregate.segments import Codes
from mlmonitor.aggregate.sketches.group_sizes import Hashes, hash_row_groups
from mlmonitor.buffer.pending import Pending
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.actual_reader import list_values
from mlmonitor.compare.performance.selection.label_selection import SelectionTable
from mlmonitor.records import ABSENT, Counts, Floats, Mask

SCORE = "score."
BUCKET = "bucket."
GROUP = "group"

_SHOWN = ("predicted", "class")


class PredictionKeeper:
    """Converts predictions to columns of numbers, and stores those whose id is known.

    Columns: `predicted`, the prediction as a number; `class`, its code among `classes` if it is not
    a number; `segment`; a score for each further numeric output; the bucket of each declared field;
    and the hash of the declared group. The first rows decide which outputs there are.

    buckets: the edges between the buckets of each field. groups: the column with the group of each
    row.
    Price: for each row, `COLUMNS`, 8 bytes for each score, 2 for each bucket, 8 for the group.
    """

    COLUMNS: Mapping[str, str] = {"predicted": "f8", "class": "i4", "segment": "i2"}

    def __init__(
        self,
        pending: Pending,
        buckets: Mapping[str, Sequence[float]] | None = None,
        cohort_seconds: float = 86_400.0,
        groups: str | None = None,
    ) -> None:
        self.pending = pending
        self.classes: ClassCodes = ClassCodes()
        self.buckets: dict[str, Floats] = {
            name: np.array(edges, np.float64) for name, edges in (buckets or {}).items()
        }
        self.cohorts: CohortTable = CohortTable(cohort_seconds)
        self.selection: SelectionTable = SelectionTable(self.cohorts)
        self.new_cohorts: list[int] = []
        """Indices of cohorts that began since the list was last emptied."""
        self.groups: str | None = groups
        self._alone = 0  # rows without a group so far
        self._outputs: tuple[str, ...] | None = None
        self._label: str | None = None
        self.predicts_scores: bool = False
        """Whether the prediction is one of the scores, so that no output names a class."""
        pending.add_columns({f"{BUCKET}{name}": "i2" for name in self.buckets})
        if groups is not None:
            pending.add_columns({GROUP: "u8"})

    @property
    def scores(self) -> tuple[str, ...]:
        """The names of the outputs that are stored as scores, without their common prefix."""
        return tuple(name.removeprefix(f"{PREDICTION}.") for name in self._outputs or ())

    def remember(self, rows: Rows, codes: Codes | None, *, now: float) -> None:
        """Store the predictions of rows that have an id, and the codes of their segments."""
        if not rows.ids or not rows.predictions or not any(rows.ids):
            return
        ids = rows.ids
        if rows.failed:
            values = next(iter(rows.predictions.values()))
            is_made = [value is not ABSENT for value in values]
            ids = [name if has_id else None for name, has_id in zip(ids, is_made, strict=True)]
        predicted_at = np.full(rows.count, now)
        if rows.times is not None:
            predicted_at = np.where(np.isnan(rows.times), now, rows.times)
        columns = self.columns(rows, codes)
        self.pending.remember(ids, columns, predicted_at)
        is_named = np.fromiter((name is not None for name in ids), np.bool_, len(ids))
        named = {name: columns[name][is_named] for name in _SHOWN}
        self.count_predictions(predicted_at[is_named], named)

    def count_predictions(
        self, predicted_at: Floats, columns: Mapping[str, Column] | None = None
    ) -> None:
        """Count predictions that may get a label by cohort, and by value if `columns` is given."""
        places = self._places(predicted_at)
        self.cohorts.count_predictions(places)
        if columns is not None:
            self.selection.update(places, columns["predicted"], columns["class"], is_label=False)

    def count_labels(self, predicted_at: Floats, columns: Mapping[str, Column]) -> None:
        """Count predictions that have received a label, by cohort and value."""
        places = self._places(predicted_at)
        self.selection.update(places, columns["predicted"], columns["class"], is_label=True)

    def reset_labels(self) -> None:
        """Set the counts of labels to zero, before all labels so far are counted again."""
        self.cohorts.reset_labels()
        self.selection.reset_labels()

    def _places(self, predicted_at: Floats) -> Counts:
        places, begun = self.cohorts.places(predicted_at)
        self.new_cohorts += begun
        self.selection.reset(begun)
        return places

    def columns(self, rows: Rows, codes: Codes | None) -> dict[str, Column]:
        """Return the columns of some rows' predictions."""
        outputs = self._choose_outputs(rows.predictions)
        values = rows.predictions[self._choose_primary(rows.predictions)]
        numbers, refused = parse_floats(values)
        classes: ClassIndex = np.full(len(numbers), NO_CLASS, np.int32)
        if refused[-1] or _has_truths(values):
            named = _list_named(values, numbers)
            classes[[*named]] = self.classes.encode(named.values())
        segments = np.full(len(numbers), -1) if codes is None else codes
        columns: dict[str, Column] = {"predicted": numbers, "class": classes, "segment": segments}
        for name in outputs:
            output = rows.predictions.get(name)
            missing = np.full(len(numbers), np.nan)
            columns[f"{SCORE}{name}"] = missing if output is None else parse_floats(output)[0]
        for field, edges in self.buckets.items():
            column = rows.features.column(field)
            columns[f"{BUCKET}{field}"] = _find_buckets(column, edges, len(numbers))
        if self.groups is not None:
            columns[GROUP] = self._hash_groups(rows.features.column(self.groups), len(numbers))
        return columns

    def _hash_groups(self, values: Values | None, rows: int) -> Hashes:
        named = np.full(rows, np.nan) if values is None else values
        hashes, alone = hash_row_groups(named, alone_before=self._alone)
        self._alone += alone
        return hashes

    def silent(self, rows: Rows, columns: Mapping[str, Column]) -> tuple[Mask, Mask]:
        """Return masks of the missing and of the unreadable predictions of some rows."""
        is_silent = np.isnan(columns["predicted"]) & (columns["class"] == NO_CLASS)
        for name in self._outputs or ():
            is_silent &= np.isnan(columns[f"{SCORE}{name}"])
        is_gone = np.zeros(len(is_silent), np.bool_)
        values = list_values(rows.predictions[self._choose_primary(rows.predictions)])
        for row in np.flatnonzero(is_silent).tolist():
            is_gone[row] = is_missing(values[row])
        return is_gone, is_silent & ~is_gone

    def _choose_primary(self, predictions: Mapping[str, Values]) -> str:
        """Return the output to compare: `prediction`, or one that names a class, or the first."""
        if PREDICTION in predictions:
            return PREDICTION
        labels = (name for name, values in predictions.items() if not _is_numeric(values))
        other = self._label if self._label in predictions else None
        return next(labels, other or next(iter(predictions)))

    def _choose_outputs(self, predictions: Mapping[str, Values]) -> tuple[str, ...]:
        if self._outputs is None:
            others = [name for name in predictions if name != PREDICTION]
            numeric = [name for name in others if _is_numeric(predictions[name])]
            self._label = _find_numeric_label({name: predictions[name] for name in numeric})
            numeric = [name for name in numeric if name != self._label]
            self._outputs = tuple(numeric[:MOST_SCORED_CLASSES]) if len(predictions) > 1 else ()
            self.pending.add_columns({f"{SCORE}{name}": "f8" for name in self._outputs})
            self.predicts_scores = (
                bool(self._outputs) and self._choose_primary(predictions) in self._outputs
            )
        return self._outputs


def _find_numeric_label(numeric: Mapping[str, Values]) -> str | None:
    """Return the first output that looks like the class, 0 or 1, of a score; None if none does.

    An output is a score if it has other values, or if it is a float while another is an integer.
    """
    labels = [name for name, values in numeric.items() if _are_zero_or_one(values[:16])]
    if not labels or len(numeric) == 1:
        return None
    if len(labels) < len(numeric):
        return labels[0]
    whole = [name for name in labels if _are_integers(numeric[name][:16])]
    return whole[0] if 0 < len(whole) < len(labels) else None


def _are_zero_or_one(values: Values) -> bool:
    numbers = parse_floats(values)[0]
    present = numbers[~np.isnan(numbers)]
    return bool(present.size and np.isin(present, (0.0, 1.0)).all())


def _are_integers(values: Values) -> bool:
    if isinstance(values, np.ndarray):
        return values.dtype.kind in "iu"
    return all(isinstance(value, int | np.integer) for value in values)


def _is_numeric(values: Values) -> bool:
    """Whether the first values are numbers or missing, and not booleans."""
    return not parse_floats(values[:16])[1][-1] and not _has_truths(values[:16])


def _has_truths(values: Values) -> bool:
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return bool(values.dtype.kind == "b")
    return not {bool, np.bool_}.isdisjoint(map(type, values))


def _list_named(values: Values, numbers: Floats) -> dict[int, object]:
    """Return the values that name classes, by row: texts and booleans among numbers."""
    listed = list_values(values)
    if isinstance(values, np.ndarray) and values.dtype.kind == "b":
        return dict(enumerate(listed))
    is_missing = np.isnan(numbers).tolist()
    return {
        row: value
        for row, value in enumerate(listed)
        if is_missing[row] or isinstance(value, bool | np.bool_)
    }


def _find_buckets(values: Values | None, edges: Floats, rows: int) -> Codes:
    """Return the bucket of each value: `i` if in `(edge i - 1, edge i]`, -1 if unknown."""
    if values is None:
        return np.full(rows, -1)
    numbers, _ = parse_floats(values)
    return np.where(np.isnan(numbers), -1, np.searchsorted(edges, numbers, side="left"))


def bucket_names(edges: Sequence[float]) -> tuple[str, ...]:
    """Return the names of the buckets between some edges, as intervals."""
    texts = ["-inf", *(f"{edge:.15g}" for edge in edges), "inf"]
    return tuple(f"({low}, {high}{')' if high == 'inf' else ']'}" for low, high in pairwise(texts))
