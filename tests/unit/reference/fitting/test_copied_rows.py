"""Copied rows are counted, and equal rows of few possible values are not mistaken for copies."""

import logging

import numpy as np
import pytest

from mlmonitor import Reference
from mlmonitor.formats.reference import dump, load
from mlmonitor.reference.fitting.copied_rows import count_copied_rows
from mlmonitor.status.reference_text import shown
from support.references import fit_reference


def columns(rng: np.random.Generator, rows: int = 400) -> dict[str, np.ndarray]:
    """Draw two features with distinct values in all rows, and a category."""
    line = np.array(["home", "motor"], object)[rng.integers(0, 2, rows)]
    return {"age": rng.normal(size=rows), "income": rng.lognormal(size=rows), "line": line}


def test_every_copy_of_an_oversampled_row_is_counted(rng: np.random.Generator) -> None:
    """All rows five times, or a class with a quarter of the rows three times, in any order."""
    data = columns(rng)
    five_times = [np.tile(column, 5) for column in data.values()]
    order = rng.permutation(2_000)
    assert count_copied_rows([column[order] for column in five_times]) == 1_600
    some = np.concatenate([np.arange(400), np.arange(100), np.arange(100)])
    assert count_copied_rows([column[some] for column in data.values()]) == 200


def test_distinct_rows_are_not_counted_as_copies(rng: np.random.Generator) -> None:
    """Values of continuous features do not repeat."""
    assert count_copied_rows(list(columns(rng, 5_000).values())) == 0


@pytest.mark.parametrize("kind", ["one number", "categories", "whole numbers", "a function"])
def test_rows_with_few_possible_values_are_not_reported_as_copies(
    kind: str, rng: np.random.Generator
) -> None:
    """Such rows are often equal by chance, so copies could not be recognised."""
    age = rng.integers(20, 80, 5_000).astype(float)
    names = np.array(["a", "b", "c", None], object)[rng.integers(0, 4, 5_000)]
    data = {
        "one number": [np.round(rng.normal(size=5_000), 2)],
        "categories": [names, names[::-1]],
        "whole numbers": [age, rng.integers(0, 30, 5_000).astype(float), names],
        "a function": [age, 20 * age],
    }
    assert count_copied_rows(data[kind]) == 0


def test_a_fit_on_copies_says_so_once_in_the_log_the_repr_the_file_and_the_terminal(
    rng: np.random.Generator, caplog: pytest.LogCaptureFixture
) -> None:
    """The count survives saving; a reference without copies does not mention any."""
    data = columns(rng)
    with caplog.at_level(logging.WARNING, "mlmonitor"):
        oversampled = fit_reference({name: np.tile(c, 3) for name, c in data.items()})
    assert caplog.text.count("800 of 1,200 rows are copies") == 1
    again = Reference(load(dump(oversampled.content)))
    assert again.copied_rows == 800
    assert "800 copied rows" in repr(again)
    assert "800 of them copies of other rows" in shown(again)
    caplog.clear()
    plain = fit_reference(data)
    assert (plain.copied_rows, caplog.text) == (0, "")
    assert "cop" not in repr(plain) + shown(plain)
