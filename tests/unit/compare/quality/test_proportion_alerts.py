"""Alerts on growing proportions, and evaluations without new values."""

import numpy as np

from mlmonitor.compare.quality.proportion_alerts import ProportionAlerts


def begin() -> ProportionAlerts:
    """Return alerts of three streams with one defective value in a hundred at training."""
    belief = np.tile([10.5, 990.5], (3, 1))
    return ProportionAlerts(belief, threshold=np.log(100), tolerance=0.005, min_rows=10)


def test_evaluations_without_new_values_change_no_evidence() -> None:
    """Two subjects get the same values, and one of them is evaluated more often.

    The first stream's share grows and falls again, so that its alert fires and resolves.
    """
    rng = np.random.default_rng(0)
    often, seldom, nothing = begin(), begin(), np.zeros((3, 2), np.int64)
    transitions = np.zeros(2, np.int64)
    for step in range(40):
        rates = [0.2 if 10 <= step < 15 else 0.01, 0.01, 0.0]
        defective = rng.binomial(200, rates)
        new = np.stack([defective, 200 - defective], axis=1)
        ours, theirs = (subject.evaluate(new, now=float(step)) for subject in (often, seldom))
        for mine, other in zip(ours[1:], theirs[1:], strict=True):
            np.testing.assert_array_equal(mine, other)
        for mine, other in zip(ours.transitions, theirs.transitions, strict=True):
            np.testing.assert_array_equal(mine, other)
        transitions += [int(mask.sum()) for mask in ours.transitions]
        again = [often.evaluate(nothing, now=float(step)) for _ in range(2)]
        np.testing.assert_array_equal(again[0].log10_e, again[1].log10_e)
        assert not any(mask.any() for one in again for mask in one.transitions)
    assert transitions.tolist() == [1, 1]
