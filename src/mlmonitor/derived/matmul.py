"""Matrix products that stay in the calling thread."""

import numpy as np

from mlmonitor.records import Floats

_SLICE = 200_000
"""Multiplications in a slice; OpenBLAS starts threads at 262,144."""

_VECTOR_SLICE = 9_000
"""The same for a single row, where OpenBLAS starts threads at 9,216."""

_ROWS = 32


def product(rows: Floats, matrix: Floats) -> Floats:
    """Compute `rows @ matrix` in slices so small that BLAS stays in the calling thread.

    A product on all cores competes with the serving threads and waits for them: on a busy host with
    two cores, a block took 40 times as long as in one thread.
    """
    inner, width = matrix.shape
    if len(rows) * matrix.size <= (_SLICE if len(rows) > 1 else _VECTOR_SLICE):
        whole: Floats = rows @ matrix
        return whole
    result = np.zeros((len(rows), width))
    depth = max(min(_SLICE // (_ROWS * width), inner), 1)
    step = max(_SLICE // (depth * width), 1)
    for start in range(0, len(rows), step):
        part, into = rows[start : start + step], result[start : start + step]
        for offset in range(0, inner, depth):
            into += part[:, offset : offset + depth] @ matrix[offset : offset + depth]
    return result
