"""The bins of a numeric field as attributes, with edges in the format of Prometheus."""

from collections.abc import Iterator, Sequence

import numpy as np

from mlmonitor.export.base import Attributes


def bin_attributes(edges: Sequence[float]) -> Iterator[Attributes]:
    """Yield the index and the edges of each bin `(gt, le]`; the outermost edges are infinite.

    `le` is also the label of the field's histogram bucket in Prometheus, and `gt` the label of the
    bucket below. So a query can join both and subtract them.
    """
    labels = [edge_text(edge) for edge in edges]
    for place, (lower, upper) in enumerate(zip(["-Inf", *labels], [*labels, "+Inf"], strict=True)):
        yield ("bin", str(place)), ("gt", lower), ("le", upper)


def edge_text(edge: float) -> str:
    """Format a number with as few digits as possible, without an exponent: 100, not 100.0."""
    return np.format_float_positional(edge, trim="-")
