"""Vectors inside rows are copied only where a model has embeddings."""

import asyncio
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mlmonitor import Monitor
from mlmonitor.capture.form import PayloadForm
from mlmonitor.capture.host.copiers import Copiers
from mlmonitor.capture.host.vector_copiers import VectorCopiers
from mlmonitor.capture.host.watch.arguments import build_feature_copier
from mlmonitor.capture.values import UNREADABLE
from support.references import fit_reference


class Tensor:
    """A vector that numpy can read and its owner can change."""

    def __init__(self) -> None:
        self.held = np.ones(2)

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        return self.held


class Broken:
    """A vector that cannot be read."""

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray[Any, Any]:
        raise RuntimeError


def zeroed(vector: Any) -> None:
    """Set a vector to zero, as a host might after the call."""
    vector[:] = [0.0] * len(vector)


@pytest.mark.parametrize("make", [lambda: [1.0, 1.0], lambda: np.ones(2)], ids=["list", "array"])
def test_a_recorded_vector_is_not_changed_by_its_owner(make: Callable[[], Any]) -> None:
    """Vectors are in a single row, or in each row of a batch."""
    copiers, vector = VectorCopiers(["v"]), make()
    _, _, row = copiers[dict]({"v": vector, "x": 1.0})
    form, _, rows = copiers[list]([{"v": vector}, None, {"x": 2.0}])
    zeroed(vector)
    assert form is PayloadForm.MAPPINGS
    assert list(row["v"]) == [1.0, 1.0]
    assert list(rows[0]["v"]) == [1.0, 1.0]
    assert rows[1:] == [{}, {"x": 2.0}]


def test_a_tensor_is_copied_and_an_uncopyable_object_is_unreadable() -> None:
    """The row is kept with any vector, and a vector too long for any model is not copied."""
    tensor = Tensor()
    row = VectorCopiers(["v", "w", "z"])[dict]({"v": tensor, "w": Broken(), "z": [0.0] * 5_000})[2]
    tensor.held[:] = 0
    assert row["v"].tolist() == [1.0, 1.0]
    assert row["w"] is UNREADABLE
    assert row["z"] is UNREADABLE


def test_a_vector_among_several_feature_arguments_is_copied() -> None:
    """Each argument of the function is one field."""

    def predict(x: float, v: list[float]) -> float:
        return x

    vector = [1.0, 2.0]
    take = build_feature_copier(predict, ["x", "v"], VectorCopiers(["v"]))
    _, _, row = take((1.0, vector), {})
    zeroed(vector)
    assert list(row["v"]) == [1.0, 2.0]


def test_models_without_embeddings_share_memory_with_the_host() -> None:
    """No vector is copied for a model without embeddings."""
    vector = [1.0]
    assert Copiers()[dict]({"v": vector})[2]["v"] is vector
    assert VectorCopiers(["other"])[dict]({"v": vector})[2]["v"] is vector


@pytest.mark.parametrize("how", ["bare", "named", "block", "async"])
def test_a_watched_call_copies_its_vector_before_it_runs(how: str) -> None:
    """What the function does to the vector is not recorded, in every way of watching."""
    rng = np.random.default_rng(0)
    reference = fit_reference({"v": rng.normal(size=(40, 2))}, schema={"v": "embedding"})
    with Monitor("m", reference=reference) as monitor:

        def spoil(features: dict[str, Any]) -> float:
            zeroed(features["v"])
            return 1.0

        async def spoil_later(features: dict[str, Any]) -> float:
            return spoil(features)

        row = {"v": np.array([3.0, 4.0])}
        match how:
            case "bare":
                monitor.watch(spoil)(row)
            case "named":
                monitor.watch(spoil)(features=row)
            case "async":
                asyncio.run(monitor.watch(spoil_later)(row))
            case _:
                with monitor.observe(row) as prediction:
                    prediction.value = spoil(row)
        assert monitor.flush(timeout_seconds=60)
        assert monitor.status().field("v.norm", role="derived").mean == 5.0
