"""A reference is logged to MLflow with its model, and loaded by the model's URI.

The tracking store and the registry are files. MLflow alone takes two seconds to import.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
import pytest

from mlmonitor import ConfigError, Monitor, Reference
from mlmonitor.integrations.mlflow import load_reference, log_reference

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default"),  # MLflow warns of its own types when it is imported
]


def fit(start: int) -> Reference:
    """Fit a reference whose values depend on the argument."""
    values = [float(start + i % 10) for i in range(100)]
    return Reference.fit({"age": values}, predictions=values, thresholds="asymptotic")


class Logged(NamedTuple):
    """A run with a registered model, and the URIs of its two references."""

    run_id: str
    logged_model_uri: str
    reference_uri: str
    other_uri: str


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """MLflow with a store of its own."""
    store = tmp_path_factory.mktemp("mlflow") / "store"  # made by MLflow
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
        patch.setenv("MLFLOW_TRACKING_URI", store.as_uri())
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.setenv("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        patch.setenv("GIT_PYTHON_REFRESH", "quiet")
        yield pytest.importorskip("mlflow", reason="extra mlflow")


@pytest.fixture(scope="module")
def logged(mlflow: Any, tmp_path_factory: pytest.TempPathFactory) -> Logged:
    """A run that logs a model, its reference, and the reference of another model."""
    script = tmp_path_factory.mktemp("model") / "model.py"
    script.write_text(
        "import mlflow\n"
        "class Model(mlflow.pyfunc.PythonModel):\n"
        "    def predict(self, context, model_input): return model_input['age'] * 2\n"
        "mlflow.models.set_model(Model())\n",
        encoding="utf-8",
    )
    with mlflow.start_run() as run:
        reference_uri = log_reference(fit(0))
        other_uri = log_reference(fit(50), artifact_file="other/reference.json")
        info = mlflow.pyfunc.log_model(
            name="model",
            python_model=str(script),
            pip_requirements=[],
            registered_model_name="claims",
        )
    mlflow.MlflowClient().set_registered_model_alias("claims", "champion", "1")
    return Logged(run.info.run_id, info.model_uri, reference_uri, other_uri)


@pytest.mark.parametrize(
    "uri",
    [
        "models:/claims/1",
        "models:/claims@champion",
        "{0.logged_model_uri}",
        "runs:/{0.run_id}/model",
        "{0.reference_uri}",
    ],
)
def test_every_uri_of_a_model_loads_its_reference(uri: str, logged: Logged) -> None:
    """The content is that of the logged reference, and a monitor accepts it."""
    reference = load_reference(uri.format(logged))
    assert reference.content == fit(0).content
    assert Monitor("claims", reference=reference, exporters=[]).reference is reference


def test_a_loaded_model_is_watched_against_its_reference(mlflow: Any, logged: Logged) -> None:
    """One URI gives the model and its reference, as in the guide."""
    assert logged.logged_model_uri
    uri = "models:/claims@champion"
    monitor = Monitor("claims", reference=load_reference(uri), exporters=[])
    model = monitor.watch(mlflow.pyfunc.load_model(uri))
    predictions = model.predict(pd.DataFrame({"age": [1.0, 2.0, 3.0]}))
    assert list(predictions) == [2.0, 4.0, 6.0]
    status = monitor.status()
    assert status.predictions == 3
    assert status.last_error is None


def test_a_run_can_have_several_references(logged: Logged) -> None:
    """Each is found by its file in the run, or by its own URI."""
    by_file = load_reference("models:/claims/1", artifact_file="other/reference.json")
    assert by_file.content == load_reference(logged.other_uri).content == fit(50).content


def test_a_reference_can_be_logged_to_a_finished_run(mlflow: Any) -> None:
    """The run is given by its id."""
    with mlflow.start_run() as run:
        pass
    uri = log_reference(fit(7), run_id=run.info.run_id)
    assert load_reference(uri).content == fit(7).content


def test_without_a_run_nothing_is_logged(mlflow: Any) -> None:
    """MLflow itself would start a run and leave it open."""
    with pytest.raises(ConfigError, match=r"mlflow\.start_run"):
        log_reference(fit(0))
    assert mlflow.active_run() is None


@pytest.mark.parametrize("file", ["reference.pkl", "../reference.json", "/reference.json"])
def test_an_artifact_file_outside_the_run_is_refused(file: str) -> None:
    """Nothing is written."""
    with pytest.raises(ConfigError, match="artifact_file"):
        log_reference(fit(0), artifact_file=file)


def test_a_run_without_a_reference_is_reported_with_the_missing_file(logged: Logged) -> None:
    """The error is MLflow's own."""
    with pytest.raises(Exception, match=r"missing\.json"):
        load_reference(f"runs:/{logged.run_id}/model", artifact_file="missing.json")


def test_loading_a_reference_leaves_no_downloaded_file(logged: Logged, tmp_path: Path) -> None:
    """The temporary copy is removed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tempfile.tempdir", str(tmp_path))
        load_reference(logged.reference_uri)
    assert list(tmp_path.iterdir()) == []
