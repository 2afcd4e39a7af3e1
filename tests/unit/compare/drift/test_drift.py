"""Drift of a population: what it counts, when it alerts, and what the alert says."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Alert, Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.count_table import bin_names, entry_counts, possible_bins, profile_counts
from mlmonitor.compare.drift.drift import Drift
from support.references import fit_reference

LEVEL = Significance(alpha=0.01, fields=3, tolerance=0.005)
Columns = dict[str, Any]


class Stream:
    """A reference of a number, a category and a boolean, and rows that arrive in batches."""

    def __init__(self, rng: np.random.Generator, level: Significance = LEVEL) -> None:
        self.rng = rng
        reference = fit_reference(self.rows(5_000))
        self.plan = reference.plan([Role.FEATURE], deviations=3.0)
        self.entries = reference.entries([Role.FEATURE])
        self.drift = Drift(self.plan, self.entries, level)
        self.total = FieldProfile(self.plan)
        self._reader = Reader(self.plan.schema)

    def rows(self, count: int, *, shift: float = 0.0, missing: float = 0.01) -> Columns:
        """Draw rows like those of the reference, or changed ones."""
        amount = self.rng.normal(shift, 1, count)
        amount[self.rng.random(count) < missing] = np.nan
        return {
            "amount": amount,
            "line": self.rng.choice(["home", "motor", "pet"], count, p=[0.5, 0.3, 0.2]),
            "flag": self.rng.random(count) < 0.3,
        }

    def take(self, columns: Columns, *, now: float = 1.0) -> list[Alert]:
        """Add a batch, and return the transitions of an evaluation."""
        rows = len(columns["amount"])
        table = Rows(rows, ColumnTable(columns, rows), {}, [], [], None)
        self.total.update(self._reader.read_block(table))
        return self.drift.evaluate(self.total, now=now)


@pytest.fixture
def stream(rng: np.random.Generator) -> Stream:
    """A stream before its first row."""
    return Stream(rng)


def test_the_table_of_counts_has_every_value_once(stream: Stream) -> None:
    """Bins, categories and missing values add up to the rows, in the reference too."""
    stream.take(stream.rows(700, missing=0.2))
    counts = profile_counts(stream.total)
    assert counts.sum(axis=1).tolist() == [700, 700, 700]
    assert (counts[~possible_bins(stream.plan)] == 0).all()
    reference = entry_counts(stream.entries, stream.plan)
    assert reference.sum(axis=1).tolist() == [5_000, 5_000, 5_000]
    for at in range(3):
        assert len(bin_names(stream.plan, at)) == counts.shape[1]


def test_an_unchanged_distribution_fires_no_alert(stream: Stream) -> None:
    """Forty evaluations with rows like the reference's raise no alert."""
    alerts = [alert for _ in range(40) for alert in stream.take(stream.rows(250))]
    assert alerts == []
    assert (stream.drift.log10_e_value < 2).all()


def test_a_shift_is_reported_once_with_the_field_and_the_bin_that_moved(stream: Stream) -> None:
    """The alert has the field, its PSI, the rows, and the bin that changed most."""
    for _ in range(10):
        stream.take(stream.rows(500))
    alerts = [f for _ in range(10) for f in stream.take(stream.rows(200, shift=0.5), now=9.0)]
    assert [(f.field, f.state) for f in alerts] == [("amount", "firing")]
    (alert,) = alerts
    assert alert.value > alert.threshold > 0
    assert alert.log10_e_value > np.log10(3 / 0.01)
    assert 200 <= alert.rows <= 2_000
    assert alert.started_at == 9.0
    assert "before" in alert.reason
    assert "amount" in str(alert)
    assert stream.drift.is_firing.tolist() == [True, False, False]
    assert list(stream.drift.alerts) == alerts


def test_more_missing_values_are_detected_as_drift(stream: Stream) -> None:
    """They rise from 1% to 6%, and the reason says so."""
    alerts = [f for _ in range(20) for f in stream.take(stream.rows(250, missing=0.06))]
    assert [f.field for f in alerts] == ["amount"]
    assert "missing" in alerts[0].reason


def test_a_new_category_and_a_lost_one_are_detected_as_drift(stream: Stream) -> None:
    """Both change the counts of the dictionary."""

    def changed() -> Columns:
        rows = stream.rows(250)
        rows["line"] = stream.rng.choice(["home", "motor", "boat"], 250, p=[0.6, 0.3, 0.1])
        return rows

    alerts = [f for _ in range(10) for f in stream.take(changed())]
    assert [f.field for f in alerts] == ["line"]
    assert "pet" in alerts[0].reason


def test_an_alert_resolves_after_more_rows_than_fired_it(stream: Stream) -> None:
    """It fires again if the shift returns."""
    raised = [f for _ in range(20) for f in stream.take(stream.rows(250, shift=0.5))]
    assert [f.state for f in raised] == ["firing"]
    assert stream.take(stream.rows(100)) == []
    cleared = [f for _ in range(24) for f in stream.take(stream.rows(250))]
    assert [(f.field, f.state) for f in cleared] == [("amount", "resolved")]
    assert len(stream.drift.alerts) == 0
    again = [f for _ in range(8) for f in stream.take(stream.rows(250, shift=0.5))]
    assert [f.state for f in again] == ["firing"]


def test_a_change_within_the_tolerance_never_alerts_for_drift(rng: np.random.Generator) -> None:
    """With a tolerated PSI of 1, a shift by half a standard deviation is evident and harmless."""
    stream = Stream(rng, LEVEL._replace(tolerance=1.0))
    alerts = [f for _ in range(20) for f in stream.take(stream.rows(500, shift=0.5))]
    assert alerts == []
    assert stream.drift.log10_e_value[0] > 10


def test_skipped_rows_give_no_evidence(stream: Stream) -> None:
    """They became the reference, so they do not count as evidence."""
    before = stream.drift.log10_e_value
    table = stream.rows(2_000, shift=3.0)
    rows = Rows(2_000, ColumnTable(table, 2_000), {}, [], [], None)
    stream.total.update(Reader(stream.plan.schema).read_block(rows))
    stream.drift.skip(stream.total)
    assert stream.drift.evaluate(stream.total, now=1.0) == []
    np.testing.assert_allclose(stream.drift.log10_e_value, before, atol=1e-9)


def test_counts_far_beyond_32_bits_do_not_overflow(stream: Stream) -> None:
    """Ten billion rows cause no warning and do not affect other fields."""
    stream.take(stream.rows(1_000))
    stream.total.bins *= 10**7
    transitions = stream.drift.evaluate(stream.total, now=1.0)
    assert np.isfinite(stream.drift.log10_e_value).all()
    assert {f.field for f in transitions} <= {"amount"}


def test_the_memory_of_drift_does_not_grow_with_rows(stream: Stream) -> None:
    """A hundred evaluations do not add a byte."""
    before = stream.drift.nbytes
    for _ in range(100):
        stream.take(stream.rows(60))
    assert stream.drift.nbytes == before
