"""References fitted to Dask frames: all rows if they fit, otherwise a uniform sample."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mlmonitor import ConfigError, Reference, SchemaError
from mlmonitor.reference.distributed.row_sample import merge_samples, sample_partition
from support.shown_models import draw_claims, predict

dask = pytest.importorskip("dask")
dd = pytest.importorskip("dask.dataframe", exc_type=ImportError)

RNG = np.random.default_rng(3)
CLAIMS = draw_claims(RNG, 1_000)
FRAME = pd.DataFrame({**CLAIMS, "predicted": predict(CLAIMS), "paid": RNG.normal(0, 1, 1_000)})


def split(frame: pd.DataFrame, cuts: list[int]) -> Any:
    """Return a Dask frame with partitions between these rows."""
    bounds = [0, *cuts, len(frame)]
    parts = [frame.iloc[a:b] for a, b in pairwise(bounds)]
    return dd.from_delayed([dask.delayed(part) for part in parts], meta=frame.iloc[:0])


@pytest.fixture(autouse=True)
def one_thread() -> Any:
    """Run Dask in the calling thread."""
    with dask.config.set(scheduler="synchronous"):
        yield


@pytest.mark.parametrize("cuts", [[], [0, 10, 10, 900], list(range(0, 1_000, 50))])
def test_a_fit_of_partitions_equals_a_fit_of_all_rows(cuts: list[int]) -> None:
    """Columns are selected by name, where a frame in memory would be passed as such."""
    options: dict[str, Any] = {"thresholds": "asymptotic", "segments": ["line"]}
    fitted = Reference.fit(split(FRAME, cuts), predictions="predicted", actuals="paid", **options)
    features = FRAME.drop(columns=["predicted", "paid"])
    expected = Reference.fit(
        features, predictions=FRAME["predicted"], actuals=FRAME["paid"], **options
    )
    assert fitted == expected


def test_predictions_may_be_a_function_of_the_rows() -> None:
    """The function is called with the sampled rows."""
    features = FRAME.drop(columns=["predicted", "paid"])
    fitted = Reference.fit(split(features, [300]), predictions=predict, thresholds="asymptotic")
    assert [f.name for f in fitted.fields if f.role == "prediction"] == ["prediction"]


def test_a_sample_keeps_every_row_with_the_same_probability_whatever_its_partition() -> None:
    """400 samples of 10 are drawn from a partition of one row and a partition of 39."""
    counts = np.zeros(40)
    for seed in range(400):
        parts = [
            sample_partition([pd.DataFrame({"x": own})], partition=place, seed=seed, limit=10)
            for place, own in enumerate((np.arange(1), np.arange(1, 40)))
        ]
        merged = merge_samples([part for part in parts if part is not None], 10)
        assert merged.seen == 40
        counts[merged.rows["x"]] += 1
    assert counts.sum() == 4_000
    # A row is in a sample or not: the variance is 0.75 of that of independent draws.
    assert stats.chi2.sf(((counts - 100) ** 2).sum() / (100 * 0.75), 39) > 0.001


def test_a_partition_of_many_tables_is_sampled_as_one(rng: np.random.Generator) -> None:
    """The sample holds the rows of lowest priority, whatever the sizes of the tables."""
    cuts = np.sort(rng.integers(0, 1_000, 30))
    tables = [FRAME.iloc[a:b] for a, b in pairwise([0, *cuts, 1_000])]
    sample, whole = (
        sample_partition(parts, partition=0, seed=5, limit=70) for parts in (tables, [FRAME])
    )
    assert sample is not None
    assert whole is not None
    assert sample.seen == 1_000
    numbers = np.random.default_rng([5, 0]).random(1_000).argsort()[:70]
    for drawn in (sample.sort(), whole.sort()):
        pd.testing.assert_frame_equal(
            drawn.rows.reset_index(drop=True),
            FRAME.iloc[np.sort(numbers)].reset_index(drop=True),
        )


def test_the_number_of_rows_seen_includes_those_outside_the_sample(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The limit of the sample is lowered for the test."""
    monkeypatch.setattr("mlmonitor.reference.fitting.fit_reference.SAMPLE_ROWS", 200)
    frame = FRAME.drop(columns=["predicted", "paid"])
    fitted = Reference.fit(split(frame, [0, 100, 950]), thresholds="asymptotic")
    assert (fitted.rows, fitted.content.rows_seen) == (200, 1_000)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"predictions": "score"}, ConfigError, "predictions: there is no column 'score'"),
        ({"actuals": np.zeros(1_000)}, SchemaError, "actuals: expected the name of a column"),
    ],
)
def test_dask_arguments_that_name_no_column_are_refused(
    options: dict[str, Any], error: type[Exception], message: str
) -> None:
    """The error is raised before any partition is computed."""
    with pytest.raises(error, match=message):
        Reference.fit(split(FRAME, []), **options)


def test_a_dask_frame_without_rows_is_refused() -> None:
    """A frame in memory without rows is refused as well."""
    with pytest.raises(SchemaError, match="at least one row"):
        Reference.fit(split(FRAME.iloc[:0], [0]))
