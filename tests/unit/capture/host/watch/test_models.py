"""Fitted models of other packages, watched: results, records and pickles."""

import pickle
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mlmonitor import Config, ConfigError, Monitor
from mlmonitor.records import Quality, Role

ROWS = 60
X, LABELS = make_classification(ROWS, n_features=4, random_state=1)
NAMES = ["limit", "age", "claims", "years"]
FRAME = pd.DataFrame(X.astype(np.float32), columns=NAMES)
TARGET = X[:, 0] + 2 * X[:, 1]
CLASSES = np.array(["no", "yes"])[LABELS]


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor whose worker does not poll, and which learns its reference from the first batch."""
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600, baseline_rows=ROWS)
    with Monitor("m", exporters=[], features=NAMES, config=config) as monitor:
        yield monitor


def list_fields(monitor: Monitor, role: Role) -> set[str]:
    """Return the names of the fields of one role."""
    return {field.name for field in monitor.status().fields if field.role is role}


def count_valid(monitor: Monitor, name: str, role: Role = Role.PREDICTION) -> int:
    """Return the number of valid values of a field."""
    return monitor.status().field(name, role=role).quality[Quality.VALID]


def import_or_skip(package: str) -> Any:
    """Import a package, or skip the test if it is not installed or does not load."""
    reason = f"{package} is not installed, or does not load here"
    return pytest.importorskip(package, reason=reason, exc_type=ImportError)


def fit_lightgbm(target: Any) -> Any:
    """Fit a small LightGBM classifier or regressor."""
    lightgbm = import_or_skip("lightgbm")
    kind = lightgbm.LGBMClassifier if target.dtype.kind in "iU" else lightgbm.LGBMRegressor
    return kind(n_estimators=3, min_child_samples=2, n_jobs=1, verbose=-1).fit(FRAME, target)


def fit_xgboost(target: Any) -> Any:
    """Fit a small XGBoost classifier or regressor."""
    xgboost = import_or_skip("xgboost")
    kind = xgboost.XGBClassifier if target.dtype.kind in "iU" else xgboost.XGBRegressor
    return kind(n_estimators=3, n_jobs=1).fit(FRAME, target)


def fit_catboost(target: Any) -> Any:
    """Fit a small CatBoost classifier or regressor."""
    catboost = import_or_skip("catboost")
    kind = catboost.CatBoostClassifier
    if target.dtype.kind not in "iU":
        kind = catboost.CatBoostRegressor
    options = {"iterations": 3, "verbose": False, "thread_count": 1, "allow_writing_files": False}
    return kind(**options).fit(FRAME, target)


FITS = pytest.mark.parametrize("fit", [fit_lightgbm, fit_xgboost, fit_catboost])


@FITS
@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
@pytest.mark.parametrize("rows", [FRAME, FRAME.to_numpy()], ids=["frame", "array"])
def test_a_fitted_regressor_is_watched(fit: Any, rows: Any, monitor: Monitor) -> None:
    """The host receives the bare model's result, and every row is recorded by name."""
    fitted = fit(TARGET)
    model: Any = monitor.watch(fitted)
    assert isinstance(model, type(fitted))
    np.testing.assert_array_equal(model.predict(rows), fitted.predict(rows))
    assert list_fields(monitor, Role.FEATURE) == set(NAMES)
    assert count_valid(monitor, "prediction") == ROWS
    assert monitor.status().internal_errors == 0


@FITS
def test_class_probabilities_are_named_by_the_labels(fit: Any, monitor: Monitor) -> None:
    """The most probable class is the prediction, as from `predict`."""
    fitted = fit(LABELS)
    model: Any = monitor.watch(fitted)
    np.testing.assert_array_equal(model.predict_proba(FRAME), fitted.predict_proba(FRAME))
    names = {"prediction", "prediction.0", "prediction.1"}
    assert list_fields(monitor, Role.PREDICTION) == names
    assert all(count_valid(monitor, name) == ROWS for name in names)
    np.testing.assert_array_equal(model.predict(FRAME), fitted.predict(FRAME))
    assert count_valid(monitor, "prediction") == 2 * ROWS
    assert monitor.status().internal_errors == 0


@FITS
def test_a_watched_model_is_pickled_as_the_bare_model(fit: Any, monitor: Monitor) -> None:
    """The loaded object has the model's class, predicts the same, and records nothing."""
    fitted = fit(TARGET)
    loaded = pickle.loads(pickle.dumps(monitor.watch(fitted)))  # noqa: S301 - our own bytes
    assert type(loaded) is type(fitted)
    np.testing.assert_array_equal(loaded.predict(FRAME), fitted.predict(FRAME))
    assert monitor.status().predictions == 0


def test_numeric_class_labels_name_probabilities_and_predictions_alike(
    monitor: Monitor,
) -> None:
    """The class 1.0 is the label 1 in both."""
    model: Any = monitor.watch(LogisticRegression().fit(X, LABELS.astype(float)))
    model.predict_proba(X)
    expected = {"prediction", "prediction.0", "prediction.1"}
    assert list_fields(monitor, Role.PREDICTION) == expected


def test_given_names_replace_those_of_the_classes(monitor: Monitor) -> None:
    """For example, words replace the classes 0 and 1."""
    watch = monitor.watch(output="probabilities", names=["no", "yes"])
    model: Any = watch(LogisticRegression().fit(X, LABELS))
    model.predict_proba(X)
    assert "prediction.yes" in list_fields(monitor, Role.PREDICTION)


def test_a_watched_pipeline_behaves_as_a_container_of_its_steps(monitor: Monitor) -> None:
    """`len` and indexing work; a model without them still has none."""
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS)
    model: Any = monitor.watch(fitted)
    assert len(model) == 2
    assert model[-1] is fitted[-1]
    assert not hasattr(monitor.watch(fitted[-1]), "__len__")
    assert type(pickle.loads(pickle.dumps(model))) is type(fitted)  # noqa: S301 - our own bytes


@pytest.mark.parametrize("method", ["predict", "inplace_predict"])
def test_a_booster_of_xgboost_is_watched(method: str, monitor: Monitor) -> None:
    """A `DMatrix` is read with its names, and entries that it leaves out are missing."""
    xgboost = import_or_skip("xgboost")
    frame = FRAME.copy()
    frame.iloc[:20, 0] = np.nan
    frame.iloc[:20, 1] = 0.0
    booster: Any = monitor.watch(fit_xgboost(TARGET).get_booster())
    getattr(booster, method)(xgboost.DMatrix(frame) if method == "predict" else frame)
    assert list_fields(monitor, Role.FEATURE) == set(NAMES)
    status = monitor.status()
    assert status.field("limit").quality[Quality.MISSING] == 20
    assert count_valid(monitor, "age", Role.FEATURE) == count_valid(monitor, "prediction") == ROWS
    assert status.internal_errors == 0


def test_a_dmatrix_with_category_codes_is_reported_with_advice(monitor: Monitor) -> None:
    """The error says to watch the frame, because a `DMatrix` has only codes of categories."""
    xgboost = import_or_skip("xgboost")
    frame = FRAME.assign(line=pd.Categorical(["home", "motor"] * (ROWS // 2)))
    matrix = xgboost.DMatrix(frame, TARGET, enable_categorical=True)
    booster: Any = monitor.watch(xgboost.train({"nthread": 1}, matrix, 2))
    assert len(booster.predict(matrix)) == ROWS
    assert "codes" in (monitor.status().last_error or "")


def test_a_booster_of_lightgbm_is_watched(monitor: Monitor) -> None:
    """It predicts probabilities as numbers."""
    booster: Any = monitor.watch(fit_lightgbm(LABELS).booster_)
    booster.predict(FRAME)
    assert list_fields(monitor, Role.FEATURE) == set(NAMES)
    assert count_valid(monitor, "prediction") == ROWS


def test_a_pool_of_catboost_is_read_with_its_names(monitor: Monitor) -> None:
    """A pool without names is read by position."""
    catboost = import_or_skip("catboost")
    model: Any = monitor.watch(fit_catboost(TARGET))
    model.predict(catboost.Pool(FRAME))
    model.predict(catboost.Pool(FRAME.to_numpy()))
    assert list_fields(monitor, Role.FEATURE) == set(NAMES)
    assert count_valid(monitor, "limit", Role.FEATURE) == 2 * ROWS
    assert monitor.status().internal_errors == 0


def make_session(inputs: dict[str, int]) -> Any:
    """Return a session with two outputs: the sum of each row over all inputs, and ten times it."""
    onnx = import_or_skip("onnx")
    runtime = import_or_skip("onnxruntime")
    from onnx import TensorProto, helper

    kind = TensorProto.FLOAT
    nodes = [
        helper.make_node("Concat", list(inputs), ["all"], axis=1),
        helper.make_node("ReduceSum", ["all", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "ten"], ["tenfold"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sums",
        [helper.make_tensor_value_info(name, kind, [None, n]) for name, n in inputs.items()],
        [helper.make_tensor_value_info(name, kind, [None, 1]) for name in ("sum", "tenfold")],
        [
            helper.make_tensor("axes", TensorProto.INT64, [1], [1]),
            helper.make_tensor("ten", kind, [1], [10.0]),
        ],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.checker.check_model(model)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    return runtime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def test_a_session_of_onnx_runtime_is_watched(monitor: Monitor) -> None:
    """A single matrix is read as an array, and the first output is the prediction."""
    bare = make_session({"X": 4})
    session: Any = monitor.watch(bare)
    feed = {"X": X.astype(np.float32)}
    for result, expected in zip(session.run(None, feed), bare.run(None, feed), strict=True):
        np.testing.assert_array_equal(result, expected)
    session.run(["sum"], input_feed=feed)
    assert isinstance(session, type(bare))
    assert [given.name for given in session.get_inputs()] == ["X"]
    assert list_fields(monitor, Role.FEATURE) == set(NAMES)
    assert count_valid(monitor, "prediction") == 2 * ROWS
    assert monitor.status().internal_errors == 0


def test_the_inputs_of_a_session_are_features_by_name(monitor: Monitor) -> None:
    """Each input is a column, and the columns of a matrix among them have positions."""
    session: Any = monitor.watch(prediction="tenfold")(make_session({"limit": 1, "rest": 2}))
    rows = X.astype(np.float32)
    feed = {"limit": rows[:, :1], "rest": rows[:, 1:3]}
    session.run(None, feed)
    session.run(["tenfold"], feed)
    assert list_fields(monitor, Role.FEATURE) == {"limit", "rest.0", "rest.1"}
    figures = monitor.status().field("prediction", role=Role.PREDICTION)
    assert figures.mean == pytest.approx(10 * rows[:, :3].sum(axis=1).mean(), rel=1e-3)
    session.run(["sum"], feed)
    assert "named output" in (monitor.status().last_error or "")
    assert monitor.status().predictions == 3 * ROWS


def test_unsuitable_options_for_a_session_are_refused(monitor: Monitor) -> None:
    """Examples are a misspelt output, and features that are not arguments."""
    session = make_session({"X": 4})
    with pytest.raises(ConfigError, match="sum, tenfold"):
        monitor.watch(prediction="probability")(session)
    with pytest.raises(ConfigError, match="leave features out"):
        monitor.watch(features="X")(session)


def test_a_failed_call_of_a_session_is_counted_by_its_error(monitor: Monitor) -> None:
    """The host gets ONNX Runtime's error; a call of two rows counts two."""
    session: Any = monitor.watch(make_session({"X": 4}))
    with pytest.raises(Exception, match="X"):
        session.run(None, {"X": np.zeros((2, 3), np.float32)})
    assert sum(monitor.status().errors.values()) == 2
