"""What can be watched: futures as results, objects, partials and estimators, but no class."""

import asyncio
import concurrent.futures
import copy
import functools
import inspect
import pickle
from collections.abc import Coroutine, Iterator
from typing import Any

import cloudpickle
import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from mlmonitor import Config, ConfigError, Monitor
from mlmonitor.records import Quality, Role

ROW = {"a": 1.0}


@pytest.fixture
def monitor() -> Iterator[Monitor]:
    """A monitor whose worker does not poll, and which learns its reference from ten rows."""
    config = Config(poll_interval_seconds=3600, export_interval_seconds=3600, baseline_rows=10)
    with Monitor("m", exporters=[], config=config) as monitor:
        yield monitor


def count_valid_predictions(monitor: Monitor) -> int:
    """Record up to ten rows, and count the predictions that have a value."""
    field = monitor.status().field("prediction", role=Role.PREDICTION)
    return field.quality[Quality.VALID]


def hide_async(features: Any) -> Coroutine[Any, Any, float]:
    """Return a plain function that returns a coroutine, as some decorators do."""

    async def predict() -> float:
        await asyncio.sleep(0)
        return float(features["a"])

    return predict()


def test_a_coroutine_from_a_plain_function_is_recorded_when_awaited(monitor: Monitor) -> None:
    """The awaited value is the prediction, and the host receives it."""
    watched = monitor.watch(hide_async)

    async def serve() -> list[float]:
        return [await watched(ROW) for _ in range(12)]

    assert asyncio.run(serve()) == [1.0] * 12
    assert count_valid_predictions(monitor) == 12
    assert monitor.status().internal_errors == 0


def test_a_task_from_a_plain_function_is_recorded_when_done(monitor: Monitor) -> None:
    """The host receives the same task that the function returned."""
    tasks: list[asyncio.Task[float]] = []

    @monitor.watch
    def predict(features: Any) -> asyncio.Task[float]:
        tasks.append(asyncio.get_running_loop().create_task(hide_async(features)))
        return tasks[-1]

    async def serve() -> None:
        for _ in range(12):
            task = predict(ROW)
            assert task is tasks[-1]
            assert await task == 1.0

    asyncio.run(serve())
    assert count_valid_predictions(monitor) == 12


def test_a_future_of_a_pool_is_recorded_when_done(monitor: Monitor) -> None:
    """Its value is the prediction, and its error is counted by type."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:

        @monitor.watch
        def predict(features: Any) -> concurrent.futures.Future[float]:
            return pool.submit(lambda: 1.0 / features["a"])

        futures = [predict(ROW) for _ in range(12)] + [predict({"a": 0.0})]
    assert [future.result() for future in futures[:12]] == [1.0] * 12
    assert isinstance(futures[12].exception(), ZeroDivisionError)
    assert count_valid_predictions(monitor) == 12
    assert monitor.status().errors == {"ZeroDivisionError": 1}


def test_a_generator_from_a_plain_function_is_reported_once(monitor: Monitor) -> None:
    """Its rows have no prediction, and one error says what to do."""
    watched = monitor.watch(lambda features: (value for value in features.values()))
    for _ in range(12):
        assert list(watched(ROW)) == [1.0]
    status = monitor.status()
    assert status.internal_errors == 1
    assert status.last_error is not None
    assert "generator" in status.last_error
    assert status.predictions == 12


def test_attributes_of_a_cached_function_stay_reachable(monitor: Monitor) -> None:
    """With `watch` above `lru_cache`, calls are recorded, and the cache can be read and cleared."""

    @functools.lru_cache
    def predict(amount: float) -> float:
        return amount

    watched: Any = monitor.watch(predict)
    for _ in range(12):
        assert watched(1.0) == 1.0
    assert watched.cache_info().hits == 11
    watched.cache_clear()
    assert watched.cache_info().hits == 0
    assert inspect.signature(watched) == inspect.signature(predict)
    assert monitor.status().predictions == 12


def test_attributes_of_a_callable_object_stay_reachable(monitor: Monitor) -> None:
    """They are the object's own, also after they change."""

    class Model:
        threshold = 0.5

        def __call__(self, features: Any) -> float:
            return float(features["a"] > self.threshold)

    model = Model()
    watched: Any = monitor.watch(model)
    assert watched(ROW) == 1.0
    watched.threshold = 2.0
    assert (model.threshold, watched(ROW)) == (2.0, 0.0)
    assert isinstance(watched, Model)
    assert monitor.status().predictions == 2


def test_watching_a_class_is_refused(monitor: Monitor) -> None:
    """Otherwise its name would become a function."""

    class Model:
        pass

    with pytest.raises(ConfigError, match="class"):
        monitor.watch(Model)


def test_a_model_bound_by_partial_does_not_count_as_a_feature(monitor: Monitor) -> None:
    """The first argument that the caller passes holds the features."""

    class Model:
        secret = 7.0

    def predict(model: Model, features: Any) -> float:
        return float(features["a"])

    watched = monitor.watch(functools.partial(predict, model=Model()))
    for _ in range(12):
        watched(features=ROW)
    assert {field.name for field in monitor.status().fields} == {"a", "prediction"}


def test_an_instance_parameter_called_this_does_not_count_as_a_feature(monitor: Monitor) -> None:
    """A method may give its instance any name."""

    class Model:
        secret = 7.0

        @monitor.watch
        def predict(this, features: Any) -> float:  # noqa: N805 - the situation under test
            return float(features["a"])

    model = Model()
    for _ in range(12):
        model.predict(ROW)
    assert {field.name for field in monitor.status().fields} == {"a", "prediction"}


def test_a_fitted_estimator_is_watched_by_its_methods(monitor: Monitor) -> None:
    """`predict` is recorded, and the watched model is still an instance of its class."""
    x = np.arange(20.0).reshape(-1, 1)
    model: Any = monitor.watch(LinearRegression().fit(x, 2 * x[:, 0]))
    np.testing.assert_allclose(model.predict(x), 2 * x[:, 0], atol=1e-9)
    assert isinstance(model, LinearRegression)
    assert model.coef_ == pytest.approx([2.0])
    assert monitor.status().predictions == 20


def test_probabilities_of_a_fitted_estimator_have_the_names_of_its_classes(
    monitor: Monitor,
) -> None:
    """The label of the most probable class is the prediction."""
    x = np.arange(20.0).reshape(-1, 1)
    fitted = LogisticRegression().fit(x, np.where(x[:, 0] < 10, "no", "yes"))
    model: Any = monitor.watch(fitted)
    np.testing.assert_array_equal(model.predict_proba(x), fitted.predict_proba(x))
    status = monitor.status()
    assert status.predictions == 20
    assert status.internal_errors == 0


def test_pickling_a_monitor_or_a_watched_function_says_what_to_do_instead(
    monitor: Monitor,
) -> None:
    """Copying within the process returns the same object."""
    watched = monitor.watch(lambda features: features["a"])
    model = monitor.watch(LinearRegression())
    for thing in (monitor, watched):
        with pytest.raises(TypeError, match="make it in a module"):
            cloudpickle.dumps(thing)
    assert copy.deepcopy(monitor) is monitor
    assert copy.deepcopy({"predict": watched})["predict"] is watched
    assert isinstance(copy.deepcopy(model), LinearRegression)
    with pytest.raises(TypeError, match="make it in a module"):
        pickle.dumps(monitor)


def test_annotations_in_quotes_are_evaluated_where_they_were_written(monitor: Monitor) -> None:
    """FastAPI below 0.124 would evaluate postponed annotations in our module."""

    def predict(features: "dict[str, float]") -> "Role | None":
        return None if features else Role.FEATURE

    annotations = inspect.signature(monitor.watch(predict)).parameters["features"].annotation
    assert annotations == dict[str, float]


def test_a_thread_of_a_pool_is_not_inside_the_open_call(monitor: Monitor) -> None:
    """`run_in_executor` copies no context, so the id has to be passed on."""

    @monitor.watch
    async def predict(features: Any) -> str:
        def ask() -> str:
            return monitor.prediction_id

        loop = asyncio.get_running_loop()
        with pytest.raises(LookupError, match="context"):
            await loop.run_in_executor(None, ask)
        return await asyncio.to_thread(ask)

    assert asyncio.run(predict(ROW))
