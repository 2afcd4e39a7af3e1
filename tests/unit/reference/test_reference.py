"""The stored reference: options, files, and the plan of a population."""

import json
import os
import threading
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mlmonitor import ConfigError, FormatError, Reference, Role, SchemaError
from mlmonitor.capture.outputs import Outputs
from mlmonitor.capture.read.prediction_columns import PredictionColumns
from mlmonitor.formats.reference import CategoricalReference, NumericReference
from mlmonitor.formats.reference import file as file_format
from mlmonitor.reference.fit_options import MOST_BINS
from support.references import fit_reference

TEXT = st.text(max_size=8)
COLUMN = st.one_of(
    st.lists(st.one_of(st.none(), st.floats()), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), st.booleans()), min_size=3, max_size=3),
    st.lists(st.one_of(st.none(), TEXT), min_size=3, max_size=3),
    st.lists(st.datetimes(), min_size=3, max_size=3),
)
NAME = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8)


@st.composite
def references(draw: st.DrawFn) -> Reference:
    """Draw references of any columns with every optional argument."""
    columns = draw(st.dictionaries(NAME, COLUMN, min_size=1, max_size=4))
    finite = st.floats(allow_nan=False, allow_infinity=False)
    return fit_reference(
        columns,
        predictions=draw(st.one_of(st.none(), COLUMN)),
        actuals=draw(st.one_of(st.none(), COLUMN)),
        trained_at=draw(st.one_of(st.none(), st.datetimes(timezones=st.just(UTC)))),
        importances=draw(st.dictionaries(st.sampled_from(sorted(columns)), finite)),
        training_metrics=draw(st.just({"mae": 0.1})),
        bins=draw(st.integers(2, 20)),
    )


@given(reference=references())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_loaded_reference_equals_the_saved_one(reference: Reference, tmp_path: Path) -> None:
    """Every number, name and time is restored exactly."""
    path = tmp_path / "claims.reference.json"
    reference.save(path)
    assert Reference.load(path) == reference
    assert Reference.load(str(path)).content == reference.content


def small() -> Reference:
    """Return a reference of two fields and a prediction."""
    return fit_reference(
        {"x": [1.0, 2.0, None, 4.0], "line": ["motor", "home", "motor", None]},
        predictions=[1.0, 2.0, 3.0, 4.0],
        trained_at=datetime(2024, 5, 1, tzinfo=UTC),
    )


def test_no_value_of_a_row_is_in_a_repr() -> None:
    """A repr ends up in logs, so it shows no categories and no quantiles."""
    reference = fit_reference(
        {"x": [1234.5, 2.0], "line": ["hush", "home"], "y": [0, 1]}, predictions=[1.0, 777.25]
    )
    assert repr(reference) == "Reference(2 rows, 3 features, 1 prediction)"
    assert str(reference) == repr(reference)
    whole = repr(reference.content) + str(reference.content.fields)
    assert "line" in whole
    for secret in ("hush", "1234.5", "777.25"):
        assert secret not in whole


PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])


@pytest.mark.parametrize(
    "predictions",
    [PROBABILITIES, PROBABILITIES.tolist(), lambda chunk: PROBABILITIES[: len(chunk["x"])]],
    ids=["array", "lists", "function"],
)
def test_the_reference_of_a_classifier_has_the_fields_of_the_watched_classifier(
    predictions: Any,
) -> None:
    """Each class is a numeric field; the most probable label is one more; actuals are unchanged."""
    reference = fit_reference(
        {"x": [1.0, 2.0, 3.0]},
        predictions=predictions,
        output="probabilities",
        classes=["low", "mid", "high"],
        actuals=["low", "mid", "mid"],
    )
    watched = Outputs(kind="probabilities", names=("low", "mid", "high"))
    given = PredictionColumns(watched).read_calls([PROBABILITIES], [3])
    entries = {e.name: e for e in reference.entries([Role.PREDICTION])}
    assert entries.keys() == given.keys()
    label = entries["prediction"]
    assert isinstance(label, CategoricalReference)
    assert sorted(label.categories) == sorted(given["prediction"])
    entry = entries["prediction.mid"]
    assert isinstance(entry, NumericReference)
    assert entry.max == 0.8
    assert [e.name for e in reference.entries([Role.ACTUAL])] == ["actual"]


def test_classes_that_do_not_fit_the_predictions_are_refused() -> None:
    """Two names for three columns, a text, a single name, and an unknown output are errors."""
    features = {"x": [1.0, 2.0, 3.0]}
    fit = partial(fit_reference, features, predictions=PROBABILITIES)
    with pytest.raises(SchemaError, match=r"predictions: expected 2 columns, .*, got 3"):
        fit(output="probabilities", classes=["a", "b"])
    with pytest.raises(SchemaError, match="classes: expected a sequence"):
        fit(output="probabilities", classes="abc")
    with pytest.raises(ConfigError, match="classes: expected two or more"):
        fit(output="probabilities", classes=["a"])
    with pytest.raises(ConfigError, match="classes: expected with output"):
        fit(classes=["a", "b", "c"])
    with pytest.raises(ConfigError, match="output"):
        fit(output="odds")


def test_the_file_is_json_that_a_person_can_read(tmp_path: Path) -> None:
    """It starts with its format and version, is indented, and ends with a newline."""
    path = tmp_path / "a.json"
    small().save(path)
    text = path.read_text("utf-8")
    assert text.startswith('{\n "format": "mlmonitor.reference",\n "version": 2,\n')
    assert text.endswith("}\n")
    assert json.loads(text)["fields"][0]["mean"] == 7 / 3


def test_a_failed_save_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk fails during the write, the old reference remains without temporary files."""
    path = tmp_path / "a.json"
    small().save(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="disk full"):
        fit_reference({"x": [1]}).save(path)
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.json"]  # noqa: PTH208 - hidden files count


def test_a_concurrent_reader_never_sees_a_partly_written_reference(tmp_path: Path) -> None:
    """While one thread saves repeatedly, every load returns a complete reference."""
    path = tmp_path / "a.json"
    versions = [small(), fit_reference({"x": np.arange(1_000.0)})]
    versions[0].save(path)
    done = threading.Event()

    def save() -> None:
        for at in range(60):
            versions[at % 2].save(path)
        done.set()

    thread = threading.Thread(target=save)
    thread.start()
    while not done.is_set():
        assert Reference.load(path) in versions
    thread.join()


@pytest.mark.skipif(os.name == "nt", reason="links and modes as POSIX has them")
def test_a_saved_file_has_the_mode_of_any_other_file(tmp_path: Path) -> None:
    """A service that runs as another user can read it, and a symbolic link stays one."""
    (tmp_path / "plain").touch()
    path, link = tmp_path / "a.json", tmp_path / "link.json"
    link.symlink_to(path)
    small().save(link)
    assert link.is_symlink()
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_a_file_that_would_be_refused_on_loading_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The size limit applies to saving and to loading."""
    path = tmp_path / "a.json"
    small().save(path)
    monkeypatch.setattr(file_format, "FILE_BYTES", 1_000)
    with pytest.raises(FormatError, match="larger than"):
        small().save(tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()
    with pytest.raises(FormatError, match="larger than"):
        Reference.load(path)


def test_a_missing_file_raises_the_error_of_the_operating_system(tmp_path: Path) -> None:
    """A missing file is not an invalid format."""
    with pytest.raises(FileNotFoundError, match=r"reference: .*Reference\.save.*none\.json"):
        Reference.load(tmp_path / "none.json")
    with pytest.raises(OSError, match="none"):
        small().save(tmp_path / "none" / "a.json")


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"bins": 1}, ConfigError, "bins: expected a whole number from 2 to 1,000"),
        ({"bins": MOST_BINS + 1}, ConfigError, "bins"),
        ({"bins": 2.5}, ConfigError, "bins"),
        ({"bins": True}, ConfigError, "bins"),
        ({"seed": -1}, ConfigError, "seed"),
        ({"trained_at": "2024-01-01"}, SchemaError, "trained_at: expected a datetime, got str"),
        ({"trained_at": date(2024, 1, 1)}, SchemaError, "trained_at"),
        ({"trained_at": pd.NaT}, SchemaError, "trained_at"),
        ({"importances": np.array([1.0])}, SchemaError, "importances: expected a mapping"),
        ({"importances": {"x": float("nan")}}, SchemaError, "importances: 'x'"),
        ({"training_metrics": {"mae": None}}, SchemaError, "training_metrics: 'mae'"),
        ({"training_metrics": {"mae": "0.5x"}}, SchemaError, "training_metrics: 'mae'"),
        ({"training_metrics": {"": 1.0}}, SchemaError, "1 to 1,000"),
    ],
)
def test_an_option_out_of_bounds_is_refused(
    options: dict[str, Any], error: type[Exception], said: str
) -> None:
    """The error names the option and what was expected, but no value."""
    with pytest.raises(error, match=said) as caught:
        fit_reference({"x": [1.0, 2.0]}, **options)
    assert "0.5x" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        datetime(2024, 5, 1, 12),  # noqa: DTZ001 - naive on purpose
        datetime(2024, 5, 1, 12, tzinfo=UTC),
        datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2))),
        pd.Timestamp("2024-05-01 14:00", tz="Europe/Berlin"),
    ],
    ids=["naive", "utc", "offset", "pandas"],
)
def test_the_time_of_training_is_kept_in_utc(given: datetime) -> None:
    """A naive time is taken as UTC; any other is converted."""
    trained_at = fit_reference({"x": [1]}, trained_at=given).trained_at
    assert trained_at == datetime(2024, 5, 1, 12, tzinfo=UTC)
    assert trained_at is not None
    assert trained_at.utcoffset() == timedelta(0)


def test_training_metrics_are_kept() -> None:
    """Importances and metrics become plain floats, whatever numeric type was passed."""
    reference = fit_reference(
        {"x": [1]}, importances={"x": np.float32(0.5)}, training_metrics={"mae": 41}
    )
    assert reference.content.importances == {"x": 0.5}
    assert reference.content.training_metrics == {"mae": 41.0}


def test_numeric_fields_come_first_in_a_plan() -> None:
    """Entries follow the order of the schema of the plan, so that both tables line up."""
    reference = fit_reference(
        {"a": ["p", "q"], "b": [1.0, 2.0], "c": [True, False], "d": [3.0, 4.0]},
        predictions=[5.0, 6.0],
    )
    roles = [Role.FEATURE, Role.PREDICTION]
    plan = reference.plan(roles, deviations=3.0)
    assert [f.name for f in plan.schema.fields] == ["b", "d", "prediction", "a", "c"]
    assert [e.name for e in reference.entries(roles)] == ["b", "d", "prediction", "a", "c"]
    assert [f.name for f in reference.fields] == ["a", "b", "c", "d", "prediction"]
    assert reference.entries([Role.ACTUAL]) == []


def test_the_band_is_the_mean_plus_and_minus_n_deviations() -> None:
    """The range also comes from the reference; a field without values has neither."""
    reference = fit_reference({"x": [1.0, 3.0], "none": [None, None]}, schema={"none": "numeric"})
    x, none = reference.plan([Role.FEATURE], deviations=2.0).numeric
    bounds = x.low, x.high, x.band_low, x.band_high
    assert bounds == pytest.approx((1.0, 3.0, 0.0, 4.0), rel=2**-21)
    assert x.low <= np.float32(1.0) * (1 - 2**-23)
    assert x.high >= np.float32(3.0) * (1 + 2**-23)
    assert (none.low, none.high) == (-np.inf, np.inf)


@pytest.mark.parametrize("thresholds", ["simulated", "asymptotic"])
def test_critical_values_of_a_reference_of_one_row_are_zero(thresholds: Any) -> None:
    """The single row has a category that is too rare to be named."""
    reference = Reference.fit(
        {"amount": [1.0], "line": ["fire"]}, predictions=[1.0], thresholds=thresholds
    )
    points = [entry.critical["psi"] for entry in reference.content.fields]
    assert [set(row) for row in points] == [{0.0}] * 3  # two features and the prediction
