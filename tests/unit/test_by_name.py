"""A look-up of an unknown name lists the valid names, and never prints personal data."""

import copy
import dataclasses
import pickle
from typing import Any

import numpy as np
import pytest

from mlmonitor import Challenger, Config, Monitor, MonitorError, Status, UnknownName
from mlmonitor.by_name import ByName
from support.references import fit_reference

PERSON = "Jane Doe"
ROWS = 600


@pytest.fixture(scope="module")
def status() -> Status:
    """Return a status with fields, segments, labels and a challenger."""
    rng = np.random.default_rng(1)
    columns: dict[str, Any] = {
        "age": rng.normal(size=ROWS),
        "line": rng.choice(["motor", "travel"], ROWS),
    }
    predictions = rng.normal(size=ROWS)
    reference = fit_reference(
        columns, predictions=predictions, segments=["line"], training_metrics={"rmse": 1.0}
    )
    ids = [str(row) for row in range(ROWS)]
    with Monitor(
        "m",
        version="7",
        reference=reference,
        segments=["line"],
        exporters=[],
        challengers=[Challenger("8")],
        config=Config(cohort_seconds=3600),
    ) as monitor:
        monitor.record(columns, predictions, ids=ids)
        monitor.flush(timeout_seconds=20)
        monitor.label(ids, predictions + rng.normal(size=ROWS))
        monitor.flush(timeout_seconds=20)
        return monitor.status()


NAMED = {
    "measure": (lambda s: s.performance["rmsee"], "no measure is called 'rmsee'; .*'rmse'"),
    "cohort": (lambda s: s.cohorts[0].performance["mea"], "no measure is called 'mea'; .*'mae'"),
    "cohort's estimate": (lambda s: s.cohorts[0].estimated["mae"], "there is no measure yet"),
    "auc": (lambda s: s.performance.auc_error["roc"], "there is no measure yet"),
    "dimension": (lambda s: s.performance.by("segments"), "did you mean 'segment'"),
    "risk": (lambda s: s.risks["rmsee"], "measure"),
    "metric at training": (lambda s: s.training_metrics["rmsee"], "did you mean 'rmse'"),
    "challenge": (lambda s: s.challenges["9"], "no challenger is called '9'; .*there are '8'"),
    "field": (lambda s: s.field("agee"), r"no feature is called 'agee'; .*'age'\? there are 'age'"),
    "role": (lambda s: s.field("age", role="featur"), "no role is called 'featur'; .*'feature'"),
    "score": (lambda s: s.field("age").scores["PSI "], "did you mean 'psi'"),
    "segment's field": (lambda s: s.segments["motor"].field("agee"), "did you mean 'age'"),
    "outcome": (lambda s: s.labels["match"], "no such outcome; there are .*'matched'"),
    "quantile": (
        lambda s: s.field("age").quantiles[0.51],
        "no such quantile; there are 0.01, 0.05",
    ),
    "error": (lambda s: s.errors["KeyError"], "there is no type of error yet"),
    "destination": (lambda s: s.exports["otlp"], "there is no destination yet"),
    "figure": (lambda s: s.kpis["margin"], "there is no business figure yet"),
    "webhook": (lambda s: s.notifications["hook"], "there is no webhook yet"),
    "rule": (lambda s: s.violations["age minimum"], "there is no rule yet"),
    "model": (lambda s: s.challenges["8"].rows["champio"], "no such model; there are 'champion'"),
}


@pytest.mark.parametrize("name", NAMED)
def test_an_unknown_name_is_an_error_that_lists_the_valid_names(status: Status, name: str) -> None:
    """It is also a KeyError, as a mapping promises, and its message is not quoted again."""
    look_up, message = NAMED[name]
    with pytest.raises(UnknownName, match=message) as caught:
        look_up(status)
    assert isinstance(caught.value, KeyError)
    assert isinstance(caught.value, MonitorError)
    assert not str(caught.value).startswith(('"', "'"))


@pytest.mark.parametrize(
    "look_up",
    [
        lambda s: s.segments[PERSON],
        lambda s: s.performance.by("segment")[PERSON],
        lambda s: s.kpis[PERSON],
        lambda s: s.labels[PERSON],
    ],
    ids=["segment", "bucket", "figure", "outcome"],
)
def test_an_error_never_repeats_a_value(status: Status, look_up: Any) -> None:
    """Segments are named by values of the data, so their error only states their number."""
    with pytest.raises(UnknownName) as caught:
        look_up(status)
    assert PERSON not in str(caught.value)
    assert "motor" not in str(caught.value)


def test_a_disabled_monitor_answers_look_ups_like_any_other() -> None:
    """Its status is empty, so every name is unknown."""
    monitor = Monitor("m", config=Config(enabled=False))
    with pytest.raises(UnknownName, match="there is no challenger yet"):
        monitor.status().challenges["8"]


def test_entries_by_name_behave_like_a_dictionary() -> None:
    """Membership, defaults, copies and pickles work as usual."""
    entries = ByName({"mae": 1.0}, "measure")
    assert entries == {"mae": 1.0}
    assert repr(entries) == "{'mae': 1.0}"
    assert "rmse" not in entries
    assert entries.get("rmse") is None
    pickled = pickle.loads(pickle.dumps(entries))  # noqa: S301 - its own bytes
    for copied in (copy.copy(entries), copy.deepcopy(entries), pickled):
        with pytest.raises(UnknownName, match="no measure is called 'rmse'; there are 'mae'"):
            copied["rmse"]


def test_a_status_with_entries_by_name_is_still_a_plain_dataclass(status: Status) -> None:
    """`asdict` copies all its mappings."""
    assert dataclasses.asdict(status.field("age"))["scores"] == status.field("age").scores


def test_a_name_of_another_type_is_described_by_its_type() -> None:
    """Its text may contain a personal value."""
    with pytest.raises(UnknownName, match="expected the name of a measure, got int; there are"):
        ByName({"mae": 1.0}, "measure")[4711]


def test_a_long_list_of_names_is_truncated() -> None:
    """The message shows ten of them."""
    with pytest.raises(UnknownName, match=r"'f9' and 990 more$"):
        ByName({f"f{n}": n for n in range(1_000)}, "field")["zzz"]
