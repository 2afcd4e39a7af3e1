"""The bins of a numeric field as attributes, with the edges written as Prometheus writes them."""

from collections.abc import Iterator, Sequence

import numpy as np

from mlmonitor.export.base import Attributes


def bin_attributes(edges: Sequence[float]) -> Iterator[Attributes]:
    """Describe each bin `(gt, le]` by its place and its edges; the outermost edges are infinite.

    `le` equals the label of the field's histogram bucket in Prometheus, and `gt` that of the bucket
    before it: so a query can join the two and take the difference.
    """
    labels = [edge_text(edge) for edge in edges]
    for place, (lower, upper) in enumerate(zip(["-Inf", *labels], [*labels, "+Inf"], strict=True)):
        yield ("bin", str(place)), ("gt", lower), ("le", upper)


def edge_text(edge: float) -> str:
    """Format a number with the fewest digits and no exponent: 100, not 100.0 or 1e+02."""
    return np.format_float_positional(edge, trim="-")
