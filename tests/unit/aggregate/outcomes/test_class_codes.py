"""Class codes for columns of texts and of mixed values."""

import numpy as np

from mlmonitor.aggregate.outcomes.class_codes import MOST_CLASSES, NO_CLASS, ClassCodes


def test_a_column_of_texts_gets_the_codes_of_its_single_texts() -> None:
    """The column has more classes than codes, and a text that is too long to be stored."""
    rng = np.random.default_rng(0)
    names = [f"class {at}" for at in range(MOST_CLASSES + 20)] + ["x" * 1_000, ""]
    column = [names[at] for at in rng.integers(0, len(names), 2_000)]
    at_once, one_by_one = ClassCodes(["class 7"]), ClassCodes(["class 7"])
    codes = at_once.encode(column).tolist()
    assert codes == [one_by_one.code(text) for text in column]
    assert at_once.encode(column).tolist() == codes
    assert at_once.names == one_by_one.names


def test_a_text_and_a_number_of_one_name_are_one_class_in_every_column() -> None:
    """Columns of texts, and of texts, numbers and gaps, give them the same code."""
    codes = ClassCodes()
    assert codes.encode(["1", "true", "1"]).tolist() == [0, 1, 0]
    assert codes.encode([1, True, "1", None, 1.0]).tolist() == [0, 1, 0, NO_CLASS, 0]
    assert codes.encode([]).size == 0
