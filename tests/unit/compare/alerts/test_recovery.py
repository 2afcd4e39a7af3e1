"""When an alert may be cleared."""

import numpy as np

from mlmonitor.compare.alerts.recovery import CALM_ROWS, Recovery
from mlmonitor.records import Counts, Mask


def still(_: Counts) -> Mask:
    """Nothing is ever seen."""
    return np.ones(2, np.bool_)


def rows(first: int, second: int) -> Counts:
    """Counts of two streams over two bins since the start."""
    return np.array([[first, 0], [second, 0]])


def test_a_stretch_is_judged_once_it_is_long_enough() -> None:
    """Each stream has its own, and the next begins where the last one ended."""
    calm = Recovery((2, 2))
    assert calm.look(rows(CALM_ROWS - 1, CALM_ROWS), still).tolist() == [False, True]
    assert calm.look(rows(CALM_ROWS, CALM_ROWS + 1), still).tolist() == [True, False]


def test_after_an_alert_three_times_its_rows_have_to_be_calm() -> None:
    """Counted from the alert; the other stream is left alone."""
    calm = Recovery((2, 2))
    calm.begin(np.array([True, False]), rows(1_000, 0), np.array([500, 0]))
    assert calm.look(rows(2_499, 200), still).tolist() == [False, True]
    assert calm.look(rows(2_500, 200), still).tolist() == [True, False]


def test_a_stretch_that_shows_something_is_not_calm() -> None:
    """And only its own rows are judged."""
    calm = Recovery((2, 2))
    met: list[Counts] = []

    def judge(counts: Counts) -> Mask:
        met.append(counts.copy())
        return np.array([False, True])

    assert calm.look(rows(300, 300), judge).tolist() == [False, True]
    assert calm.look(rows(700, 700), judge).tolist() == [False, True]
    assert met[1].tolist() == [[400, 0], [400, 0]]
