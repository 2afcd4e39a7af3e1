"""State of one challenge: stored predictions, sums of losses, and the decision."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import numpy as np

from mlmonitor.aggregate.sketches.group_sizes import Hashes, hash_row_groups
from mlmonitor.buffer.id_index import hash_ids, list_texts_and_rows
from mlmonitor.buffer.pending import BLOCK_LABELS, Pending, Reading, Recalled
from mlmonitor.buffer.waiting_rows import Column
from mlmonitor.capture.entry import Ids
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.prediction_ids import read_made_at_ms
from mlmonitor.capture.values import Values
from mlmonitor.challenge.challenge_status import ChallengeStatus
from mlmonitor.challenge.early_labels import EarlyLabels
from mlmonitor.challenge.loss_comparison import LossComparison
from mlmonitor.challenge.pair_losses import OutputColumns, PairLosses, judge_actuals
from mlmonitor.challenge.score_comparison import ScoreComparison
from mlmonitor.errors import SchemaError
from mlmonitor.formatting import amount
from mlmonitor.records import Challenger, Floats, Mask

Side = Literal["champion", "challenger"]
SIDES: Final[tuple[Side, Side]] = ("champion", "challenger")

_GROUP = "group"
_SUMS_BYTES = 400_000  # for sums by group, and for predictions stored until bins are known


class ChallengeState:
    """State of the comparison of two models on the same traffic. Not thread-safe.

    Predictions of both models are paired by their ids, in any order and at any time. A label counts
    once for each model, even for a prediction that arrives after it. At most `pending_predictions`
    labels wait for a prediction with their id; beyond that, the oldest are counted as unknown.
    """

    def __init__(self, name: str, options: Challenger) -> None:
        self.name: str = name
        self._options, self._losses = options, PairLosses(options)
        self._pending = Pending(int(options.pending_predictions))
        # Each model has at least one column, so memory is bounded before the first prediction.
        self._pending.add_columns(dict.fromkeys((f"{side}.0" for side in SIDES), "f8"))
        self._pending.add_columns({_GROUP: "u8"})
        self._early = EarlyLabels(int(options.pending_predictions))
        self._compared = LossComparison(margin=options.margin, alpha=options.alpha)
        self._scores = ScoreComparison()
        self._unusable = [0, 0]
        self._alone = 0  # rows without a group so far

    @property
    def is_decided(self) -> bool:
        """Whether one of the models has won."""
        return self._compared.is_decided

    @property
    def memory_bytes(self) -> int:
        """Bytes used when the maximum number of predictions and labels wait."""
        return self._pending.memory_bytes + self._early.memory_bytes + _SUMS_BYTES

    def ingest(
        self,
        sides: Mapping[Side, OutputColumns],
        ids: Sequence[Ids | None] = (),
        *,
        now: float,
        groups: Values | None = None,
        is_counted: bool = True,
    ) -> None:
        """Add predictions of one model, or of both for the same rows.

        groups: the group of each row, if rows of a group depend on each other. is_counted: whether
        the predictions are new; False if only their ids are.

        Raises:
            SchemaError: a row lacks a prediction of a given model, or a group; nothing is added.
        """
        if not self._begin(sides):
            return
        predictions = self._read(sides)
        hashes = self._hash(groups, predictions.shape[1])
        if is_counted:
            self._count(sides, predictions)
        texts, rows = list_texts_and_rows(ids)
        newest = {text: row for text, row in zip(texts, rows.tolist(), strict=True) if text}
        if newest:
            places = np.fromiter(newest.values(), np.int64, len(newest))
            own_groups = None if hashes is None else hashes[places]
            self._keep(list(newest), predictions[:, places], own_groups, now)

    def ingest_pairs(
        self, sides: Mapping[Side, OutputColumns], actuals: Values, groups: Values | None = None
    ) -> None:
        """Add predictions together with their actuals.

        Raises:
            SchemaError: the numbers of predictions, actuals and groups differ; nothing is added.
        """
        if not self._begin(sides):
            return
        predictions = self._read(sides)
        actual = self._losses.read_actuals(actuals)
        rows = predictions.shape[1]
        if len(actual) != rows:
            raise SchemaError(
                f"record_outcomes: expected an actual for each of the {rows} predictions, got "
                f"{len(actual)}"
            )
        hashes = self._hash(groups, rows)
        self._count(sides, predictions)
        self._pending.recount(np.empty(0, np.int8), judge_actuals(actuals, actual))
        if hashes is None:  # each row is a group of its own
            hashes, alone = hash_row_groups(np.full(rows, np.nan), alone_before=self._alone)
            self._alone += alone
        self._compare_losses(predictions, actual, np.ones((2, rows), np.bool_), hashes)

    def _hash(self, groups: Values | None, rows: int) -> Hashes | None:
        """Return the hash of each row's group; None if there are no groups.

        Raises:
            SchemaError: there is not one group for each row.
        """
        if groups is None:
            return None
        if len(groups) != rows:
            raise SchemaError(
                f"groups: expected one for each of the {rows} rows, got {len(groups)}"
            )
        self._compared.groups.begin()
        hashes, alone = hash_row_groups(groups, alone_before=self._alone)
        self._alone += alone
        return hashes

    def _begin(self, sides: Mapping[Side, OutputColumns]) -> bool:
        """Return whether the outputs to compare are known from these or earlier predictions."""
        return any(self._losses.begin(outputs) for outputs in sides.values())

    def _read(self, sides: Mapping[Side, OutputColumns]) -> Floats:
        """Return predictions `[2 models, rows, outputs]`; NaN for a model without predictions."""
        columns = {side: self._losses.read(outputs) for side, outputs in sides.items()}
        lengths = {len(numbers) for numbers in columns.values()}
        if len(lengths) != 1:
            raise SchemaError("challenge: expected predictions of one model, or as many of both")
        predictions = np.full((2, lengths.pop(), self._losses.width), np.nan)
        for side, numbers in columns.items():
            predictions[SIDES.index(side)] = numbers
        return predictions

    def _count(self, sides: Iterable[Side], predictions: Floats) -> None:
        """Count the predictions of these models, and separately those that have no loss."""
        is_given = _mark_given(predictions)
        for side in map(SIDES.index, sides):
            self._unusable[side] += int(np.count_nonzero(~is_given[side]))
        self._scores.update(self._summarise(predictions), has_classes=self._losses.has_classes)

    def _summarise(self, predictions: Floats) -> Floats:
        """Return `[2, rows]`: the number of each prediction, or the code of its class."""
        return np.stack([self._losses.summarise(numbers) for numbers in predictions])

    def _keep(
        self, texts: list[str], predictions: Floats, groups: Hashes | None, now: float
    ) -> None:
        """Store predictions by id, together with those of the other model."""
        recalled = self._pending.recall(texts)
        is_new = np.ones(len(texts), np.bool_)
        is_new[recalled.rows] = False
        if is_new.any():
            new = [text for text, new in zip(texts, is_new.tolist(), strict=True) if new]
            columns = self._to_columns(predictions[:, is_new])
            self._pending.add_columns(dict.fromkeys(columns, "f8"))
            # A row without a group is a group of its own.
            columns[_GROUP] = hash_ids(new, len(new)) if groups is None else groups[is_new]
            self._pending.remember(new, columns, np.full(len(new), now))
            self._match(self._early.drain(new))
        if recalled.rows.size:
            stored = [texts[row] for row in recalled.rows.tolist()]
            if groups is not None:
                recalled.columns[_GROUP][:] = groups[recalled.rows]
                self._pending.amend(stored, {_GROUP: recalled.columns[_GROUP]})
            self._complete(stored, predictions[:, recalled.rows], recalled)

    def _complete(self, texts: Sequence[str], predictions: Floats, recalled: Recalled) -> None:
        """Add predictions to stored rows, without replacing predictions that are labelled."""
        before = self._from_columns(recalled.columns)
        is_given, was_given = _mark_given(predictions), _mark_given(before)
        is_added = is_given & ~was_given
        is_written = is_given & (is_added | ~recalled.is_labelled)
        after = np.where(is_written[:, :, None], predictions, before)
        self._pending.amend(texts, self._to_columns(after))
        is_pair = is_added.any(axis=0) & ~is_given.all(axis=0)
        self._scores.pair(self._summarise(after[:, is_pair]))
        is_late = is_added.any(axis=0) & recalled.is_labelled
        if is_late.any():
            actual = recalled.columns["actual"].view(np.float64)[is_late]
            groups = recalled.columns[_GROUP][is_late]
            self._compare_losses(after[:, is_late], actual, is_added[:, is_late], groups)

    def _to_columns(self, predictions: Floats) -> dict[str, Column]:
        return {
            f"{side}.{place}": predictions[index, :, place]
            for index, side in enumerate(SIDES)
            for place in range(self._losses.width)
        }

    def _from_columns(self, columns: Mapping[str, Column]) -> Floats:
        places = range(self._losses.width)
        stacked = [[columns[f"{side}.{place}"] for place in places] for side in SIDES]
        return np.array(stacked).transpose(0, 2, 1)

    def mark_sides(self, identities: Sequence[str]) -> Mask:
        """Return a mask `[2, ids]`: which ids the champion and the challenger have predicted."""
        recalled = self._pending.recall(identities)
        is_given = np.zeros((2, len(identities)), np.bool_)
        if recalled.rows.size:
            is_given[:, recalled.rows] = _mark_given(self._from_columns(recalled.columns))
        return is_given

    def ingest_labels(self, entries: Sequence[LabelEntry]) -> None:
        """Add labels; a label without a prediction waits for it."""
        for entry in (block for whole in entries for block in whole.blocks(BLOCK_LABELS)):
            made_at = np.fromiter(map(read_made_at_ms, entry.ids), np.int64, len(entry.ids))
            waits = ~(self._pending.find(entry.ids) | self._pending.mark_late(made_at))
            if waits.any():
                evicted = self._early.add(entry.rows(np.flatnonzero(waits)))
                self._pending.discard_evicted(evicted)
            self._match(entry.rows(np.flatnonzero(~waits)))

    def settle(self) -> None:
        """Count the labels that still wait as unmatched; no more predictions will arrive."""
        self._pending.discard_evicted(self._early.drain_all())

    def _match(self, entry: LabelEntry) -> None:
        """Match labels; a label without a prediction is counted as late or unknown."""
        if not entry.ids:
            return
        read = None

        def read_actuals(actuals: Values) -> Reading:
            nonlocal read
            read = self._losses.read_actuals(actuals)
            return Reading(judge_actuals(actuals, read), np.nan_to_num(read).view(np.int64))

        matches = self._pending.match(entry, read_actuals, is_last_try=True)
        if read is not None and matches.is_read.any():
            columns = {n: column[matches.is_read] for n, column in matches.columns.items()}
            predictions = self._from_columns(columns)
            is_new = np.ones(predictions.shape[:2], np.bool_)
            actual = read[matches.rows[matches.is_read]]
            self._compare_losses(predictions, actual, is_new, columns[_GROUP])

    def _compare_losses(
        self, predictions: Floats, actual: Floats, is_new: Mask, groups: Hashes
    ) -> None:
        """Add the losses of some rows. is_new: mask `[2, rows]` of losses not counted yet."""
        losses = np.stack([self._losses.measure(numbers, actual) for numbers in predictions])
        is_given = _mark_given(predictions)
        for side, values in enumerate(losses):
            is_unusable = is_new[side] & is_given[side] & np.isnan(values) & ~np.isnan(actual)
            self._unusable[side] += int(np.count_nonzero(is_unusable))
        self._compared.update(losses, is_new, groups, are_errors=self._losses.has_codes)

    def _describe_unusable(self) -> str | None:
        """Describe the error if none of a model's predictions can be compared; None otherwise."""
        for side, unusable in zip(SIDES, self._unusable, strict=True):
            if unusable and not self._scores.rows[side]:
                return (
                    f"{side}: expected predictions that have a loss ({self._losses.name}), got "
                    f"{amount(unusable, 'prediction')} without: record numbers or classes, as the "
                    "loss needs, or declare another loss"
                )
        return None

    def status(self, *, invalid: int = 0, last_error: str | None = None) -> ChallengeStatus:
        """Return the comparison so far. invalid, last_error: as in `ChallengeStatus`."""
        counts = {status.value: number for status, number in self._pending.counts.items()}
        waiting = {"waiting": len(self._early), "evicted": self._pending.evicted}
        return ChallengeStatus(
            name=self.name,
            loss=self._losses.name,
            score_difference=self._scores.subtract(self._options.alpha),
            score_psi=self._scores.distance(),
            has_classes=self._losses.has_classes,
            margin=self._options.margin,
            alpha=self._options.alpha,
            rows=self._scores.rows,
            labels=counts | waiting,
            unusable=dict(zip(SIDES, self._unusable, strict=True)),
            invalid=invalid,
            last_error=last_error or self._describe_unusable(),
            **self._compared.summarise()._asdict(),
        )


def _mark_given(predictions: Floats) -> Mask:
    """Return a mask `[2, rows]` of the predictions that are present."""
    return ~np.asarray(np.isnan(predictions).all(axis=2))
