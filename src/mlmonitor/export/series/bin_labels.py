"""The bins of a numeric field as attributes, with the edges written as Prometheus writes them."""

from collections.abc import Iterator, Sequence

import numpy as np

from mlmonitor.export.base import Attributes


def bin_attributes(edges: Sequence[float]) -> Iterator[Attributes]:
    """Each bin `(gt, le]` by its place and its edges, the outermost without end.

    `le` equals the label of the bucket that the field's histogram gets in Prometheus, and `gt` that
    of the bucket before it: so a query can join them and take the difference.
    """
    labels = [edge_text(edge) for edge in edges]
    for place, (lower, upper) in enumerate(zip(["-Inf", *labels], [*labels, "+Inf"], strict=True)):
        yield ("bin", str(place)), ("gt", lower), ("le", upper)


def edge_text(edge: float) -> str:
    """The shortest decimals that are this number, without an exponent: 100, not 100.0 or 1e+02."""
    return np.format_float_positional(edge, trim="-")
