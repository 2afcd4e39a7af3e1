"""The losses of training rows in a reference file."""

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from mlmonitor.formats.reference.entries import Count, Finite, Name, want


class LossReference(BaseModel):
    """The losses of one measure: their mean, and counts over bins of equal width from 0 to `scale`.

    Losses above `scale` are counted in the last bin.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    measure: Name
    scale: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    mean: Finite
    counts: Annotated[list[Count], Field(min_length=2, max_length=1_000)]


def check_losses(losses: Sequence[LossReference], *, rows: int) -> None:
    """Raise ValueError unless each measure occurs once, with at most `rows` losses."""
    measures = [entry.measure for entry in losses]
    want(len(set(measures)) == len(measures), "losses: expected each measure once")
    for entry in losses:
        want(sum(entry.counts) <= rows, "losses: expected at most the rows of the whole")
