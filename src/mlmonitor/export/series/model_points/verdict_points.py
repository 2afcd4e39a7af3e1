"""The verdict as points: one for each action and reason."""

from collections.abc import Iterator

from mlmonitor import catalog
from mlmonitor.export.base import Attributes, Point
from mlmonitor.verdict.verdict import CODES, Verdict


def verdict_points(verdict: Verdict, identity: Attributes) -> Iterator[Point]:
    """1 for the reasons of the action that is advised, 0 for all others.

    All pairs are always sent, so that a series of a past action falls to 0 and does not just end.
    """
    codes = {reason.code for reason in verdict.reasons}
    for action, reasons in CODES.items():
        for reason in reasons:
            is_given = action == verdict.action and reason in codes
            labels = (*identity, ("action", action), ("reason", reason))
            yield Point(catalog.VERDICT, labels, float(is_given))
