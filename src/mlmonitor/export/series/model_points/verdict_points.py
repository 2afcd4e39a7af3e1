"""Points about the verdict: one for each action and reason."""

from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.export.base import Attributes, Point
from mlmonitor.verdict.verdict import CODES, Verdict


def verdict_points(verdict: Verdict, identity: Attributes) -> Iterator[Point]:
    """Yield a point per action and reason: 1 for reasons of the advised action, otherwise 0.

    All pairs are always sent, so that the series of a former action falls to 0 instead of ending.
    """
    codes = {reason.code for reason in verdict.reasons}
    for action, reasons in CODES.items():
        for reason in reasons:
            is_given = action == verdict.action and reason in codes
            labels = (*identity, ("action", action), ("reason", reason))
            yield Point(catalog.VERDICT, labels, float(is_given))
