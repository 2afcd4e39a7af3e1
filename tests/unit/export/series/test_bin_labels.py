"""The labels of a bin's edges are exact, and written as Prometheus writes bounds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.export.series.bin_labels import bin_attributes, edge_text

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_the_label_of_an_edge_reads_back_as_the_same_number(edge: float) -> None:
    """It is a decimal without an exponent, for numbers of any size."""
    assert float(edge_text(edge)) == edge
    assert set(edge_text(edge)) <= set("-.0123456789")


@pytest.mark.parametrize(
    ("edge", "text"), [(100.0, "100"), (-0.5, "-0.5"), (1e-6, "0.000001"), (1e21, "1" + "0" * 21)]
)
def test_an_edge_is_written_like_a_bucket_bound_of_prometheus(edge: float, text: str) -> None:
    """It equals Go's FormatFloat with 'f' and the fewest digits."""
    assert edge_text(edge) == text


@given(st.lists(FINITE, max_size=20, unique=True).map(sorted))
def test_every_bin_begins_where_the_previous_one_ends(edges: list[float]) -> None:
    """In order, they cover all numbers without a gap."""
    bins = [dict(attributes) for attributes in bin_attributes(edges)]
    assert [label["bin"] for label in bins] == [str(at) for at in range(len(edges) + 1)]
    assert (bins[0]["gt"], bins[-1]["le"]) == ("-Inf", "+Inf")
    assert [label["le"] for label in bins[:-1]] == [label["gt"] for label in bins[1:]]
    np.testing.assert_array_equal([float(label["le"]) for label in bins[:-1]], edges)
