"""Measures of rankings, with one value a query."""

import numpy as np

from mlmonitor.records import Floats

TOP = 10
"""The number of top items of a ranking that count."""


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
