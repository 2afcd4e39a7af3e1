"""Which methods of a fitted model are watched, and how a session of ONNX Runtime is read."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mlmonitor.capture.entry import Shape
from mlmonitor.capture.form import Copied
from mlmonitor.capture.host.recorder import Recorder
from mlmonitor.capture.host.results import copy_columns
from mlmonitor.capture.host.watch.wrappers import build_opener, wrap_sync
from mlmonitor.capture.outputs import Outputs
from mlmonitor.errors import ConfigError, SchemaError

Wrap = Callable[[Any, Shape], Any]
"""Watches one method of a model, whose first argument holds the features."""

_OF_A_SESSION = ("run", "get_inputs", "get_outputs")


def is_model(target: object) -> bool:
    """Whether `target` predicts by a method: a fitted estimator, or a session of ONNX Runtime."""
    return not callable(target) and (_has(target, "predict") or is_session(target))


def is_session(target: object) -> bool:
    """Whether `target` is an `InferenceSession` of ONNX Runtime."""
    return all(_has(target, name) for name in _OF_A_SESSION)


def _has(target: object, method: str) -> bool:
    return callable(getattr(target, method, None))


def wrap_estimator(model: Any, shape: Shape, wrap: Wrap) -> dict[str, Any]:
    """Wrap the methods that predict; the model's classes name the outputs of `predict_proba`."""
    wrappers = {
        name: wrap(getattr(model, name), shape)
        for name in ("predict", "inplace_predict")  # the second is a method of XGBoost's Booster
        if _has(model, name)
    }
    if _has(model, "predict_proba"):
        outputs = shape.outputs
        if not (outputs.names or outputs.groups):
            classes = getattr(model, "classes_", None)
            outputs = Outputs.named("probabilities", () if classes is None else classes)
        by_class = shape._replace(outputs=replace(outputs, kind="probabilities"))
        wrappers["predict_proba"] = wrap(model.predict_proba, by_class)
    return wrappers


def wrap_session(
    session: Any, features: object, *, recorder: Recorder, shape: Shape
) -> dict[str, Any]:
    """Wrap `run`, whose inputs are the features; the first or a named output is the prediction.

    Raises:
        ConfigError: `features` is given, or the session has no output of the given name.
    """
    if features is not None:
        raise ConfigError("features: the inputs of a session are its features: leave features out")
    reader = _SessionReader(session, recorder, shape)
    begin = build_opener(recorder, reader.copy_inputs, None)
    return {"run": wrap_sync(session.run, recorder, reader.shape, begin, reader.choose)}


class _SessionReader:
    """Reads the inputs and the prediction of the calls of one session."""

    def __init__(self, session: Any, recorder: Recorder, shape: Shape) -> None:
        self._recorder, self._fields = recorder, frozenset(shape.names)
        self._outputs: list[str] = [output.name for output in session.get_outputs()]
        select = shape.outputs.select
        self._named = select if isinstance(select, str) else None
        if self._named is not None and self._named not in self._outputs:
            raise ConfigError(
                "prediction: expected the name of an output of the session, which has: "
                + ", ".join(self._outputs)
            )
        position = 0 if select is None else select
        outputs = replace(shape.outputs, select=None if self._named is not None else position)
        self.shape: Shape = shape._replace(outputs=outputs)

    def copy_inputs(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Copied:
        """Copy the inputs: a single matrix as positional rows, other inputs as named columns."""
        feed = args[1] if len(args) > 1 else kwargs["input_feed"]
        inputs = {str(name): np.asarray(values) for name, values in feed.items()}
        if len(inputs) == 1:
            (matrix,) = inputs.values()
            if _is_wide(matrix) and not self._fields.issuperset(inputs):
                return self._recorder.copiers[np.ndarray](matrix)
        return copy_columns(dict(self._split_columns(inputs)))

    def _split_columns(self, inputs: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield the columns of all inputs; a matrix named like a field is one column of vectors."""
        for name, values in inputs.items():
            if _is_wide(values) and name not in self._fields:
                for place in range(values.shape[1]):
                    yield f"{name}.{place}", values[:, place]
            else:
                yield name, values if values.ndim > 2 or _is_wide(values) else values.reshape(-1)

    def choose(self, args: Sequence[Any], kwargs: Mapping[str, Any], results: Any) -> Any:
        """Return the output named by the option `prediction`, or all results without it."""
        if self._named is None:
            return results
        names = (args[0] if args else kwargs["output_names"]) or self._outputs
        if self._named not in names:
            raise SchemaError("prediction: this call of run did not ask for the named output")
        return results[list(names).index(self._named)]


def _is_wide(values: Any) -> bool:
    """Whether an input is a matrix of several columns."""
    return bool(values.ndim == 2 and values.shape[1] > 1)
