"""Recording rules for performance: measures of a whole fleet, from additive sums."""

from mlmonitor import catalog
from rules import KEYS, Recording, total, whole

SCORE_BINS = 20
ERROR_COUNT = total(whole(catalog.LABELLED, 'field=""'))
"""Labelled predictions, counted once; `field=""` excludes counts by buckets of declared fields."""


def _mean(metric: catalog.MetricSpec) -> str:
    summed = total(whole(metric, 'field=""'))
    return f"{summed}\n/ {ERROR_COUNT}"


def _confusion(keys: str) -> str:
    return total(whole(catalog.CONFUSION), keys)


def _right(keys: str) -> str:
    """Return the number of correctly classified predictions."""
    cells = f"{KEYS}, actual, predicted"
    same = (
        f"label_replace(group by ({KEYS}, actual) ({whole(catalog.CONFUSION)}), "
        '"predicted", "$1", "actual", "(.*)")'
    )
    right = f"{_confusion(cells)} and on ({cells}) {same}"
    return f"sum by ({keys}) ({right})"


def _by_class(vector: str, label: str) -> str:
    return f'label_replace({vector}, "class", "$1", "{label}", "(.*)")'


def _share_of(label: str) -> str:
    """Return, per class, the correct predictions divided by all with that class in `label`.

    This is the recall for the label `actual`, and the precision for `predicted`.
    """
    right = _by_class(_right(f"{KEYS}, {label}"), label)
    every = _by_class(_confusion(f"{KEYS}, {label}"), label)
    return f"sum by ({KEYS}, class) ({right})\n/ sum by ({KEYS}, class) ({every})"


def _scores(is_class: str, *bins: int) -> str:
    matchers = [f'actual="{is_class}"']
    if bins:
        names = "|".join(map(str, bins))
        matchers.append(f'bin=~"{names}"')
    return total(whole(catalog.SCORE_BIN, *matchers), f"{KEYS}, class")


def _auc() -> str:
    """Return the ROC AUC from binned scores; a positive and a negative in one bin count half."""
    pairs = []
    for place in range(SCORE_BINS):
        below = f"{_scores('false', place)} / 2"
        if place:
            below = f"{_scores('false', *range(place))} + {below}"
        pairs.append(f"{_scores('true', place)} * ({below})")
    whole_pairs = f"{_scores('true')} * {_scores('false')}"
    return "(\n  " + "\n  + ".join(pairs) + f"\n)\n/ ({whole_pairs})"


PERFORMANCE: tuple[Recording, ...] = (
    Recording("mlmonitor:mae", _mean(catalog.ERROR_ABSOLUTE), "The mean absolute error."),
    Recording("mlmonitor:rmse", f"sqrt({_mean(catalog.ERROR_SQUARED)})", "The root mean square."),
    Recording("mlmonitor:bias", _mean(catalog.ERROR_SIGNED), "The mean of predicted minus actual."),
    Recording(
        "mlmonitor:accuracy",
        f"{_right(KEYS)}\n/ {_confusion(KEYS)}",
        "The share of right classes, among those of five rows or more.",
    ),
    Recording("mlmonitor:precision", _share_of("predicted"), "Of those predicted as each class."),
    Recording("mlmonitor:recall", _share_of("actual"), "Of those that are of each class."),
    Recording("mlmonitor:roc_auc", _auc(), "From twenty bins of each class's score."),
)
