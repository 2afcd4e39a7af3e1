"""When an alert may resolve."""

import numpy as np

from mlmonitor.compare.alerts.recovery import RECOVERY_ROWS, Recovery
from mlmonitor.records import Counts, Mask


def nothing(_: Counts) -> Mask:
    """Report that no stream shows a change."""
    return np.ones(2, np.bool_)


def rows(first: int, second: int) -> Counts:
    """Return counts of two streams in two bins since the start."""
    return np.array([[first, 0], [second, 0]])


def test_each_stream_is_checked_for_recovery_once_it_has_enough_rows() -> None:
    """The next stretch of a stream begins where its last one ended."""
    recovery = Recovery((2, 2))
    first = recovery.evaluate(rows(RECOVERY_ROWS - 1, RECOVERY_ROWS), nothing)
    second = recovery.evaluate(rows(RECOVERY_ROWS, RECOVERY_ROWS + 1), nothing)
    assert first.tolist() == [False, True]
    assert second.tolist() == [True, False]


def test_recovering_takes_three_times_the_rows_that_fired_the_alert() -> None:
    """The rows are counted from the alert; the other stream is not affected."""
    recovery = Recovery((2, 2))
    recovery.restart(np.array([True, False]), rows(1_000, 0), np.array([500, 0]))
    assert recovery.evaluate(rows(2_499, 200), nothing).tolist() == [False, True]
    assert recovery.evaluate(rows(2_500, 200), nothing).tolist() == [True, False]


def test_a_stretch_with_a_change_does_not_resolve_an_alert() -> None:
    """Each stretch is checked with its own rows alone."""
    recovery = Recovery((2, 2))
    stretches: list[Counts] = []

    def second_alone(counts: Counts) -> Mask:
        stretches.append(counts.copy())
        return np.array([False, True])

    assert recovery.evaluate(rows(300, 300), second_alone).tolist() == [False, True]
    assert recovery.evaluate(rows(700, 700), second_alone).tolist() == [False, True]
    assert stretches[1].tolist() == [[400, 0], [400, 0]]
