"""The text of a bin's edges: exact, and as Prometheus writes the bounds of a bucket."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.export.series.bin_labels import bin_attributes, edge_text

FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(FINITE)
def test_an_edge_reads_back_as_the_same_number(edge: float) -> None:
    """In decimals without an exponent, however small or large."""
    assert float(edge_text(edge)) == edge
    assert set(edge_text(edge)) <= set("-.0123456789")


@pytest.mark.parametrize(
    ("edge", "text"), [(100.0, "100"), (-0.5, "-0.5"), (1e-6, "0.000001"), (1e21, "1" + "0" * 21)]
)
def test_an_edge_is_written_as_a_bucket_is(edge: float, text: str) -> None:
    """What Go's FormatFloat makes of it with 'f' and the fewest digits."""
    assert edge_text(edge) == text


@given(st.lists(FINITE, max_size=20, unique=True).map(sorted))
def test_every_bin_begins_where_the_one_before_it_ends(edges: list[float]) -> None:
    """Without a gap, from one end of the numbers to the other, in order."""
    bins = [dict(attributes) for attributes in bin_attributes(edges)]
    assert [label["bin"] for label in bins] == [str(at) for at in range(len(edges) + 1)]
    assert (bins[0]["gt"], bins[-1]["le"]) == ("-Inf", "+Inf")
    assert [label["le"] for label in bins[:-1]] == [label["gt"] for label in bins[1:]]
    np.testing.assert_array_equal([float(label["le"]) for label in bins[:-1]], edges)
