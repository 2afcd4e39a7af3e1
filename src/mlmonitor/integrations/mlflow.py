"""Store a model's reference as an artifact in MLflow, and load it by the model's URI."""

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from mlmonitor.errors import ConfigError, import_extra
from mlmonitor.reference.reference import Reference

__all__ = ["ARTIFACT_FILE", "load_reference", "log_reference"]

ARTIFACT_FILE = "mlmonitor.reference.json"
"""Where a run keeps the reference, unless another file is named."""


def log_reference(
    reference: Reference, *, run_id: str | None = None, artifact_file: str = ARTIFACT_FILE
) -> str:
    """Log a reference as an artifact of a run; return its URI, such as `runs:/<id>/<file>`.

    Args:
        reference: the reference of the model that the run logs.
        run_id: the run; by default the active run, which should also log the model.
        artifact_file: the file within the artifacts of the run, for a run with several models.

    Raises:
        ConfigError: no run is active, or the file does not end in `.json`.
        MissingExtra: MLflow is not installed.
        mlflow.exceptions.MlflowException: there is no such run, or the server refuses it.
    """
    place = _check_file(artifact_file)
    mlflow: Any = import_extra("mlflow", extra="mlflow")
    if run_id is None:
        run = mlflow.active_run()
        if run is None:
            raise ConfigError(
                "log_reference: expected an active run, as in `with mlflow.start_run():`, or a "
                "run_id"
            )
        run_id = run.info.run_id
    folder = None if place.parent == PurePosixPath() else str(place.parent)
    with TemporaryDirectory() as directory:
        path = Path(directory) / place.name
        reference.save(path)
        mlflow.MlflowClient().log_artifact(run_id, str(path), artifact_path=folder)
    return f"runs:/{run_id}/{place}"


def load_reference(model_uri: str, *, artifact_file: str = ARTIFACT_FILE) -> Reference:
    """Load the reference of a model from the run that logged the model.

    Promise: only the model's metadata and the reference are read; the model is not loaded.

    Args:
        model_uri: any URI of a model in MLflow, such as `models:/claims@champion`,
            `models:/claims/3` or `runs:/<id>/model`; or what `log_reference` has returned.
        artifact_file: the file that was given to `log_reference`.

    Raises:
        ConfigError: the model was logged outside of a run.
        FormatError: the file is damaged, too new, or contradicts itself.
        MissingExtra: MLflow is not installed.
        mlflow.exceptions.MlflowException, OSError: there is no such model, or its run has no
            reference.
    """
    place = _check_file(artifact_file)
    artifacts: Any = import_extra("mlflow.artifacts", extra="mlflow")
    uri = model_uri if model_uri.endswith(".json") else f"runs:/{_find_run(model_uri)}/{place}"
    with TemporaryDirectory() as directory:
        return Reference.load(artifacts.download_artifacts(uri, dst_path=directory))


def _find_run(model_uri: str) -> str:
    """Find the run that logged a model."""
    models: Any = import_extra("mlflow.models", extra="mlflow")
    run_id: str | None = models.Model.load(model_uri).run_id
    if run_id is None:
        raise ConfigError(
            "load_reference: the model was logged outside of a run; give the URI that "
            "log_reference returned"
        )
    return run_id


def _check_file(artifact_file: str) -> PurePosixPath:
    place = PurePosixPath(artifact_file)
    if place.suffix != ".json" or place.is_absolute() or ".." in place.parts:
        raise ConfigError("artifact_file: expected a relative path that ends in .json")
    return place
