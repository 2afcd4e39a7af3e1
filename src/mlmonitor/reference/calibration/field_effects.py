"""Effects of features on an outcome, beyond what the prediction explains."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats, Mask

MOST_ROWS = 20_000
MOST_FIELDS = 5
_STEPS = 40
_NEWTON_STEPS = 8
_LEAST_SCORE = 4.0
"""A feature needs a score statistic this many standard deviations above its mean."""

_LEAST_GAIN = 0.002
"""The effects must lower the loss of the rows they were not fitted to by this share."""

_PRIOR_ROWS = 10.0
_LARGEST = 30.0


class EffectCandidate(NamedTuple):
    """A feature as the bin (cell) of each row, and the number of its bins (size)."""

    cells: Counts
    size: int


class Link(NamedTuple):
    """The link function of a generalised linear model, with its variance and loss.

    mean: maps a linear predictor, `offset + effect`, to the expected outcome. weight: maps a mean
    to the variance. loss: sums half the deviance of outcomes, given their means.
    """

    mean: Callable[[Floats], Floats]
    weight: Callable[[Floats], Floats]
    loss: Callable[[Floats, Floats], float]


def logistic(offset: Floats) -> Floats:
    """Convert log odds to probabilities."""
    odds: Floats = 1.0 / (1.0 + np.exp(-np.clip(offset, -_LARGEST, _LARGEST)))
    return odds


def _compute_binomial_loss(outcome: Floats, mean: Floats) -> float:
    mean = np.clip(mean, 1e-9, 1 - 1e-9)
    return float(-(outcome * np.log(mean) + (1 - outcome) * np.log(1 - mean)).sum())


def _compute_gamma_loss(outcome: Floats, mean: Floats) -> float:
    """Return half the gamma deviance, for a standard deviation proportional to the mean."""
    ratio = np.maximum(outcome, 1e-12 * mean) / mean
    return float((ratio - np.log(ratio) - 1).sum())


CLASS_LINK = Link(logistic, lambda mean: mean * (1 - mean), _compute_binomial_loss)
ERROR_LINK = Link(lambda offset: np.exp(np.clip(offset, -700, 700)), np.square, _compute_gamma_loss)


SCORE = ""
"""The score's name among the candidates: with features, the score's effect may change as well."""


class FittedEffects(NamedTuple):
    """Effects per cell by feature, and a slope and intercept that recalibrate the predictor.

    The slope and intercept are fitted to rows that the effects were not fitted to.
    """

    by_name: dict[str, Floats]
    intercept: float = 0.0
    slope: float = 1.0


def fit_effects(
    outcome: Floats, offset: Floats, candidates: Mapping[str, EffectCandidate], link: Link
) -> FittedEffects:
    """Return the effects of features on the outcome beyond the offset; usually there are none.

    Forward stagewise fitting: each step adds the feature with the largest score statistic, with one
    effect per cell, shrunk as if ten more rows had no effect. The score itself is a candidate.
    Effects are fitted to every second row, and used only if they lower the loss of the other rows
    by 0.2%. The other rows also give the slope and intercept, which correct overfitted effects.
    Price: two sums per feature and step, over at most 20,000 rows.
    Source: Rao's score test, 1948; stagewise fitting after Friedman, "Greedy function
        approximation", 2001.
    """
    is_fitted = np.arange(outcome.size) % 2 == 0
    effects: dict[str, Floats] = {}
    current = offset.copy()
    for _ in range(_STEPS):
        best = _choose(outcome, current, candidates, link, is_fitted)
        if best is None or (best[0] not in effects and len(effects) > MOST_FIELDS):
            break
        name, step = best
        effects[name] = effects.get(name, np.zeros(step.size)) + step
        current = current + step[candidates[name].cells]
    if effects.keys() <= {SCORE}:
        return FittedEffects({})
    others = ~is_fitted
    before = link.loss(outcome[others], link.mean(offset[others]))
    after = link.loss(outcome[others], link.mean(current[others]))
    if before - after <= _LEAST_GAIN * before:
        return FittedEffects({})
    if link is ERROR_LINK:  # keep the overall mean, which more rows have determined
        lost = link.mean(offset).mean() / link.mean(current).mean()
        return FittedEffects(effects, float(np.log(lost)))
    return FittedEffects(effects, *_recalibrate(outcome[others], current[others], link))


def _recalibrate(outcome: Floats, current: Floats, link: Link) -> tuple[float, float]:
    """Return the intercept and slope that fit these rows best, by Newton's method.

    A slope below 1 corrects effects that are too large because they fit noise.
    Source: Platt, "Probabilistic outputs for support vector machines", 1999.
    """
    intercept, slope = 0.0, 1.0
    for _ in range(_NEWTON_STEPS):
        mean = link.mean(intercept + slope * current)
        residual, weight = outcome - mean, link.weight(mean)
        design = np.stack([np.ones(current.size), current])
        curvature = (design * weight) @ design.T + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, design @ residual)
        intercept, slope = intercept + float(step[0]), slope + float(step[1])
    return intercept, float(np.clip(slope, 0.1, 2.0))


def _choose(
    outcome: Floats,
    current: Floats,
    candidates: Mapping[str, EffectCandidate],
    link: Link,
    is_fitted: Mask,
) -> tuple[str, Floats] | None:
    """Return the feature with the largest score statistic and its step; None if all are small."""
    mean = link.mean(current[is_fitted])
    is_error = link is ERROR_LINK
    # With the log link of errors, the residual is relative, and its variance is estimated.
    residual = outcome[is_fitted] / mean - 1 if is_error else outcome[is_fitted] - mean
    weight = (
        np.full(mean.size, max(float(residual.var()), 1e-12)) if is_error else link.weight(mean)
    )
    best: tuple[float, str, Floats] | None = None
    for name, candidate in candidates.items():
        cells = candidate.cells[is_fitted]
        sums = np.bincount(cells, residual, candidate.size)
        variances = np.bincount(cells, weight, candidate.size)
        rows = np.bincount(cells, minlength=candidate.size)
        freedom = max(int(np.count_nonzero(rows)) - 1, 1)
        statistic = float((sums**2 / np.maximum(variances, 1e-9)).sum())
        score = (statistic - freedom) / np.sqrt(2 * freedom)
        if score > _LEAST_SCORE and (best is None or score > best[0]):
            scale = rows if is_error else variances
            prior = _PRIOR_ROWS * (1.0 if is_error else float(weight.mean()))
            best = score, name, np.clip(sums / (scale + prior), -1.0, 1.0)
    return None if best is None else best[1:]


def sample_places(rows: int) -> Sequence[int] | Counts:
    """Return the indices of at most 20,000 rows, evenly spaced."""
    places: Counts = np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.int64))
    return places
