"""Measures of rankings, with one value for each query."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.aggregate.outcomes.outcome_plan import OutcomeBlock
from mlmonitor.buffer.pending import IS_MISSING, IS_UNREADABLE, SAYS_SOMETHING, Pending, Reading
from mlmonitor.capture.canonical import is_missing
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import LEAVE_OUT_ITEMS, mark_complete
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.values import Values
from mlmonitor.compare.performance.prediction_keeper import SCORE
from mlmonitor.records import Floats

TOP = 10
"""The number of top items of a ranking that count."""

ROWS_OF_ACTUALS = (
    "label: expected one actual for each prediction, got a row of them: a ranking may "
    "have one if its prediction was a row of as many scores, at most 32; pass other rankings to "
    "record_outcomes(scores, relevances)"
)

INCOMPLETE_ROWS = (
    f"label: expected a relevance for each score of a ranking, got more or fewer: {LEAVE_OUT_ITEMS}"
)

SINGLE_ACTUALS = (
    "label: expected a row of relevances for each query, as before, got single actuals: use "
    "another Monitor for another model"
)


def are_places(names: Sequence[str]) -> bool:
    """Whether scores are named by their position in a row and not by class; False if empty."""
    return bool(names) and all(name.isdigit() for name in names)


def has_rows(actuals: Values) -> bool:
    """Whether the first actual that is not missing is a row of values, such as relevances."""
    if isinstance(actuals, np.ndarray):
        return actuals.ndim > 1
    present = (value for value in actuals if not is_missing(value))
    first = next(present, None)
    return (
        isinstance(first, list | tuple | np.ndarray)
        and getattr(first, "ndim", 1) == 1
        and len(first) > 1
    )


class MatchedRankings(NamedTuple):
    """Rankings whose relevances are known.

    scores, relevances: `[queries, items]`. times: `[2, queries]`, predicted and labelled.
    mistake: why other rows could not be read; None if there were none.
    """

    scores: Floats
    relevances: Floats
    times: Floats
    mistake: str | None


def match_rankings(
    pending: Pending, names: Sequence[str], entry: LabelEntry, *, is_last_try: bool, now: float
) -> MatchedRankings:
    """Match rows of relevances with the stored scores; `names` are those of the scores."""
    relevances, reading = read_relevances(entry.actuals, len(names))
    mistake = ROWS_OF_ACTUALS if (reading.verdicts == IS_UNREADABLE).any() else None
    matches = pending.match(entry, lambda _: reading, is_last_try=is_last_try)
    rows = matches.rows[matches.is_read]
    if not rows.size:
        nothing = np.empty((0, len(names)))
        return MatchedRankings(nothing, nothing, np.empty((2, 0)), mistake)
    kept = [matches.columns[f"{SCORE}{PREDICTION}.{name}"] for name in names]
    scores = np.stack(kept, axis=1)[matches.is_read]
    labelled_at = entry.observed_at(now)
    times = np.stack([matches.columns["predicted_at"][matches.is_read], labelled_at[rows]])
    is_complete = mark_complete(scores, relevances[rows])
    if not is_complete.all():
        mistake = mistake or INCOMPLETE_ROWS
        verdicts = np.where(is_complete, SAYS_SOMETHING, IS_UNREADABLE).astype(np.int8)
        pending.recount(reading.verdicts[rows], verdicts)
    kept_rows = rows[is_complete]
    return MatchedRankings(
        scores[is_complete], relevances[kept_rows], times[:, is_complete], mistake
    )


def read_relevances(actuals: Values, items: int) -> tuple[Floats, Reading]:
    """Read rows of relevances `[queries, items]`; rows of another length are unreadable.

    Returns the relevances, and how each row was read.
    """
    relevances = np.full((len(actuals), items), np.nan)
    verdicts = np.full(len(actuals), IS_UNREADABLE, np.int8)
    for place, row in enumerate(actuals):
        if isinstance(row, list | tuple | np.ndarray) and len(row) == items:
            try:
                relevances[place] = row
            except (TypeError, ValueError):
                continue
            verdicts[place] = SAYS_SOMETHING
        elif not isinstance(row, list | tuple | np.ndarray) and is_missing(row):
            verdicts[place] = IS_MISSING
    identities = [hash(row.tobytes()) for row in relevances]
    return relevances, Reading(verdicts, np.array(identities, np.int64))


def measure_rankings(scores: Floats, relevances: Floats, top: int = TOP) -> dict[str, Floats]:
    """Return the nDCG and reciprocal rank of each query, among its `top` highest scores.

    scores, relevances: `[queries, items]`, NaN where a query has fewer items. Items of relevance
    above 0 are relevant; equal scores keep the order given. A query without relevant items has no
    nDCG and a reciprocal rank of 0.
    Source: Järvelin, Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    is_item = ~(np.isnan(scores) | np.isnan(relevances))
    gains = np.where(is_item, np.maximum(relevances, 0.0), 0.0)
    order = np.argsort(np.where(is_item, -scores, np.inf), axis=1, kind="stable")
    ranked = np.take_along_axis(gains, order, axis=1)[:, :top]
    best = -np.sort(-gains, axis=1)[:, :top]
    discount = 1.0 / np.log2(np.arange(ranked.shape[1]) + 2.0)
    reached, possible = ranked @ discount, best @ discount
    with np.errstate(all="ignore"):
        ndcg = np.where(possible > 0, reached / possible, np.nan)
    is_relevant = ranked > 0
    first = np.argmax(is_relevant, axis=1)
    reciprocal = np.where(is_relevant.any(axis=1), 1.0 / (first + 1.0), 0.0)
    return {"ndcg": ndcg, "mrr": np.where(is_item.any(axis=1), reciprocal, np.nan)}


def build_ranking_block(scores: Floats, relevances: Floats) -> OutcomeBlock:
    """Return a block with the measures of each query, and neither numbers nor classes."""
    queries = len(scores)
    nothing, codes = np.full(queries, np.nan), np.full(queries, -1)
    means = measure_rankings(scores, relevances)
    return OutcomeBlock(nothing, nothing, codes, codes, np.empty((0, queries)), means)
