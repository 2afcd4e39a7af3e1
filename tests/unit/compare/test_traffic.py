"""The transition from learning a reference to comparing with it."""

import math
from typing import Any

import numpy as np
import pytest

from mlmonitor import Reference, SchemaError
from mlmonitor.aggregate.window import Span
from mlmonitor.capture.read.rows import Rows
from mlmonitor.capture.read.tables import ColumnTable, MappingTable, SequenceTable
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.traffic import Traffic
from mlmonitor.records import ABSENT, Declared
from mlmonitor.status.field_status import field_statuses
from support.references import fit_reference

SPAN = Span(3_600.0, None, 60)


def watched(reference: Reference | None, baseline_rows: int = 10) -> Traffic:
    """Return new traffic at time zero."""
    return Traffic(
        reference,
        ComparisonOptions(SPAN, Significance(alpha=0.01, fields=1, tolerance=0.005), hitters=4),
        Declared(),
        baseline_rows=baseline_rows,
    )


def calls(values: list[Any], name: str = "x") -> Rows:
    """Return single calls of one feature, with its double as the prediction."""
    rows = [{name: value} for value in values]
    return Rows(len(rows), MappingTable(rows), {"prediction": list(values)}, [], [], None)


def test_rows_that_became_the_reference_are_counted_but_not_compared() -> None:
    """They are in the total and not in the window."""
    subject = watched(None)
    subject.ingest(calls([float(x) for x in range(10)]), now=1.0)
    assert subject.learner is None
    assert subject.reference is not None
    population = subject.population
    assert population is not None
    compared = population.snapshot(now=2.0)
    assert (compared.total.rows, compared.view.profile.rows) == (10, 0)
    subject.ingest(calls([1.0, 2.0]), now=3.0)
    compared = population.snapshot(now=4.0)
    assert (compared.total.rows, compared.view.profile.rows) == (12, 2)


@pytest.mark.parametrize(("batch", "times"), [(10_000, 1), (20_000, 3), (300, 4), (500, 2)])
def test_rows_after_the_learned_ones_are_compared(batch: int, times: int) -> None:
    """The window has all of them, also those in the batch that completes the reference."""
    subject = watched(None, baseline_rows=1_000)
    for _ in range(times):
        x = np.arange(float(batch))
        table = ColumnTable({"x": x, "new": x}, batch)
        subject.ingest(Rows(batch, table, {"prediction": 2 * x}, [], [], None), now=1.0)
    population = subject.population
    assert population is not None
    compared = population.snapshot(now=2.0)
    came = times * batch
    assert (compared.total.rows, compared.view.profile.rows) == (came, came - 1_000)


def test_a_batch_is_split_after_the_row_that_completes_the_reference() -> None:
    """Missing, mistyped, absent and unknown values stay with their rows."""
    rows = [{"x": 1.0}, {"x": None}, {"x": 3.0}, {"x": "?"}, {"x": math.nan}, {"x": 6.0, "y": 1}]
    predictions = [1.0, 2.0, 3.0, ABSENT, 5.0, None]
    failed = [prediction is ABSENT for prediction in predictions]
    subject = watched(None, baseline_rows=3)
    subject.ingest(
        Rows(6, MappingTable(rows), {"prediction": predictions}, [], failed, None), now=1.0
    )
    population = subject.population
    assert population is not None
    assert subject.comparing is not None
    compared = population.snapshot(now=2.0)
    # valid, missing, nonfinite, wrong type, out of range, unseen
    assert compared.view.profile.quality.tolist() == [[0, 1, 0, 1, 1, 0], [0, 1, 0, 0, 1, 0]]
    assert compared.total.quality.sum(axis=1).tolist() == [6, 5]
    assert subject.comparing.reader.unknown == {"y": 1}


def test_unnamed_values_of_a_split_batch_are_counted_as_unknown() -> None:
    """Their rows come before or after the split."""
    subject = watched(None, baseline_rows=2)
    rows = [[1.0], [2.0], [3.0], [4.0, 5.0], [6.0, 7.0]]
    subject.ingest(Rows(5, SequenceTable(rows, ["x"]), {}, [], [], None), now=1.0)
    assert subject.comparing is not None
    assert subject.comparing.reader.unknown == {"[1]": 2}


def test_a_learned_reference_is_used_like_a_given_one() -> None:
    """The scores are those of a reference fitted to the same rows."""
    first, then = [float(x) for x in range(50)], [float(x) for x in range(25, 60)]
    taught = watched(fit_reference({"x": first}, predictions=first))
    taught.begin_comparing(now=1.0)
    learner = watched(None, baseline_rows=50)
    learner.ingest(calls(first), now=1.0)
    for subject in (taught, learner):
        subject.ingest(calls(then), now=2.0)
    ours, theirs = (s.population for s in (learner, taught))
    assert ours is not None
    assert theirs is not None
    for status, expected in zip(
        field_statuses(ours.snapshot(now=3.0)),
        field_statuses(theirs.snapshot(now=3.0)),
        strict=True,
    ):
        assert (status.psi, status.jensen_shannon) == (expected.psi, expected.jensen_shannon)
        assert status.count == expected.count == 35


def test_nothing_is_compared_while_a_reference_is_learned() -> None:
    """Without a reference there is no population, even after `begin_comparing`."""
    subject = watched(None)
    subject.ingest(calls([1.0]), now=1.0)
    subject.begin_comparing(now=2.0)
    assert subject.population is None
    given = watched(fit_reference({"x": [1.0]}))
    assert given.population is None
    given.begin_comparing(now=0.0)
    assert given.population is not None


def test_failed_learning_starts_again_and_keeps_no_rows() -> None:
    """Rows from which nothing can be learned are dropped, so memory stays bounded."""
    subject = watched(None, baseline_rows=3)
    nothing = Rows(3, MappingTable([{"tags": [1]}] * 3), {}, [], [], None)
    for _ in range(3):
        with pytest.raises(SchemaError):
            subject.ingest(nothing, now=1.0)
        assert subject.learner is not None
        assert subject.learner.learned == 0
    subject.ingest(calls([1.0, 2.0, 3.0]), now=2.0)
    assert subject.reference is not None


def test_a_column_that_was_not_learned_is_unknown() -> None:
    """In the learned rows its values count as unknown as well."""
    subject = watched(None, baseline_rows=2)
    rows = [{"x": 1.0, "tags": [1]}, {"x": 2.0, "tags": [2]}]
    subject.ingest(Rows(2, MappingTable(rows), {}, [], [], None), now=1.0)
    assert subject.comparing is not None
    assert subject.comparing.reader.unknown == {"tags": 2}


def test_a_learned_reference_has_the_bins_of_its_rows(rng: np.random.Generator) -> None:
    """A thousand rows give ten bins of a hundred."""
    subject = watched(None, baseline_rows=1_000)
    subject.ingest(calls(rng.normal(size=1_000).tolist()), now=1.0)
    assert subject.reference is not None
    assert [e.counts for e in subject.reference.content.fields] == [[100] * 10] * 2
