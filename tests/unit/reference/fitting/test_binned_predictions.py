"""The mean prediction in each bin of a feature, as the reference keeps it."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Role
from mlmonitor.reference.fitting.binned_predictions import primary
from support.references import fit_reference

ROWS = 3_000


def test_every_bin_has_the_mean_and_the_variance_of_the_predictions_of_its_rows(
    rng: np.random.Generator,
) -> None:
    """Covers bins of numbers and of categories, and the missing values of both."""
    age = rng.normal(45, 12, ROWS)
    age[rng.random(ROWS) < 0.1] = np.nan
    line = rng.choice(np.array(["home", "motor", None], object), ROWS)
    predicted = rng.normal(size=ROWS)
    predicted[:50] = np.nan
    reference = fit_reference({"age": age, "line": list(line)}, predictions=predicted)
    by_age, by_line = reference.entries([Role.FEATURE])
    assert reference.content.explained == "prediction"
    edges = by_age.edges if by_age.kind == "numeric" else []
    bins = np.where(np.isnan(age), len(edges) + 1, np.searchsorted(edges, age, side="left"))
    for at, (mean, variance) in enumerate(
        zip(by_age.predicted, by_age.predicted_variance, strict=True)
    ):
        rows = predicted[(bins == at) & ~np.isnan(predicted)]
        assert mean == pytest.approx(rows.mean(), abs=1e-12)
        assert variance == pytest.approx(rows.var(), abs=1e-12)
    of_home = predicted[(line == "home") & ~np.isnan(predicted)]
    of_none = predicted[(line == None) & ~np.isnan(predicted)]  # noqa: E711 - an array of objects
    assert by_line.kind == "categorical"
    assert by_line.predicted[by_line.categories.index("home")] == pytest.approx(of_home.mean())
    assert by_line.predicted[-1] == pytest.approx(of_none.mean())
    assert by_line.predicted[-2] is None  # there are no other categories


def test_a_fit_of_chunks_gives_the_same_binned_predictions_as_a_fit_of_all_rows(
    rng: np.random.Generator,
) -> None:
    """If the sample holds all rows, it does not matter how they arrived."""
    x, y = rng.normal(size=ROWS), rng.normal(size=ROWS)
    whole = fit_reference({"x": x}, predictions=y)
    parts = fit_reference(
        iter([{"x": x[:1_000]}, {"x": x[1_000:]}]), predictions=iter([y[:1_000], y[1_000:]])
    )
    assert whole.entries([Role.FEATURE])[0].predicted == parts.entries([Role.FEATURE])[0].predicted


@pytest.mark.parametrize(
    ("predictions", "options", "explained"),
    [
        (np.arange(4.0), {}, "prediction"),
        (["yes", "no", "yes", "no"], {}, None),
        (None, {}, None),
        ({"low": [1.0, 2.0, 3.0, 4.0], "high": [9.0, 1.0, 2.0, 4.0]}, {}, "prediction.high"),
        (
            [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]],
            {"output": "probabilities", "classes": ["good", "bad"]},
            "prediction.bad",
        ),
        (
            [[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.7, 0.2, 0.1], [0.7, 0.2, 0.1]],
            {"output": "probabilities", "classes": ["a", "b", "c"]},
            "prediction.a",
        ),
        ([np.nan] * 4, {}, None),
    ],
)
def test_one_numeric_prediction_is_explained(
    predictions: Any, options: dict[str, Any], explained: str | None
) -> None:
    """Of several the one with the largest variance is chosen; labels alone are not explained."""
    reference = fit_reference({"x": [1.0, 2.0, 3.0, 4.0]}, predictions=predictions, **options)
    assert reference.content.explained == explained
    at = primary(reference.content.fields)
    assert (None if at is None else reference.content.fields[at].name) == explained
    assert bool(reference.entries([Role.FEATURE])[0].predicted) == (explained is not None)


def test_predictions_whose_square_overflows_are_left_out_of_the_means() -> None:
    """The square of 1.7e308 is infinite, so it has neither a mean nor a variance."""
    reference = fit_reference({"x": [1.0, 2.0]}, predictions=[1.7e308, 2.0])
    assert reference.entries([Role.FEATURE])[0].predicted[1:4] == [None, None, 2.0]
