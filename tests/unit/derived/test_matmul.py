"""Matrix products in slices."""

import numpy as np
import pytest

from mlmonitor.derived.matmul import product


@pytest.mark.parametrize(
    "shape",
    [(0, 3, 2), (1, 3, 2), (1, 200, 200), (512, 64, 64), (513, 1_536, 64), (40, 4_096, 512)],
    ids=str,
)
def test_a_matrix_product_in_slices_equals_the_whole_product(
    shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    """Slices are of rows, of rows and columns, or absent."""
    rows, inner, width = shape
    a, b = rng.normal(size=(rows, inner)), rng.normal(size=(inner, width))
    np.testing.assert_allclose(product(a, b), a @ b, rtol=1e-9, atol=1e-9)
