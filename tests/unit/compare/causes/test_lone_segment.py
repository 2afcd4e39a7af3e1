"""One segment that changed alone, and changes of more than one segment."""

import numpy as np
import pytest

from mlmonitor import Incident, Monitor, Reference
from mlmonitor.compare.causes.lone_segment import standardise_difference

ROWS = 3_000


def observe(changed: tuple[str, ...]) -> tuple[Incident, ...]:
    """Return the incidents of rows whose amounts are tripled in these lines."""
    names = ["fire", "water", "theft"]
    samples = []
    for seed in (0, 1):
        rng = np.random.default_rng(seed)
        samples.append({"amount": rng.gamma(4, 10, ROWS), "line": rng.choice(names, ROWS)})
    trained, live = samples
    live["amount"] = np.where(np.isin(live["line"], changed), 3 * live["amount"], live["amount"])
    ones = np.ones(ROWS)
    reference = Reference.fit(trained, predictions=ones, segments=["line"], thresholds="asymptotic")
    with Monitor("m", reference=reference, segments=["line"], exporters=[]) as monitor:
        monitor.record(live, ones)
        monitor.flush()
        return monitor.status().incidents


def test_a_change_of_one_segment_names_the_segment_with_its_cause() -> None:
    """The factor is that of the segment and not that of all rows."""
    (incident,) = observe(("theft",))
    assert incident.title.startswith("only in theft: all values of amount multiplied by about ")
    assert float(incident.title.rsplit(" ", 1)[1]) == pytest.approx(3, rel=0.1)
    assert incident.cause == "scaled"


@pytest.mark.parametrize("changed", [("fire", "theft"), ("fire", "water", "theft")])
def test_a_change_of_several_segments_names_no_segment(changed: tuple[str, ...]) -> None:
    """Two of the three segments have changed, or all of them."""
    for incident in observe(changed):
        assert "only in" not in incident.title


def test_the_standardised_difference_of_counts_shows_a_change() -> None:
    """It is near zero for unchanged counts, large for others, and unknown for few rows."""
    rng = np.random.default_rng(0)
    shares = np.full(10, 0.1)
    expected = rng.multinomial(3_000, shares)
    calm = [standardise_difference(expected, rng.multinomial(300, shares)) for _ in range(200)]
    assert np.mean(calm) == pytest.approx(0, abs=0.3)
    assert standardise_difference(expected, np.array([300, *[0] * 9])) > 100
    assert np.isnan(standardise_difference(expected, np.array([29, *[0] * 9])))
