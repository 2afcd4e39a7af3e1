"""The calibration of training predictions in a reference file."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from mlmonitor.formats.reference.entries import Count, Finite, Name, want

MOST_BINS = 1_000
MOST_EFFECTS = 100

_Row = Annotated[list[Finite], Field(max_length=100)]


class _CalibrationPart(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )


class FieldEffect(_CalibrationPart):
    """The effect of a feature on an outcome, beyond the effect of the prediction.

    `values` has one number for each bin of the feature, then one for missing values. The value for
    a row's bin is added to the log odds of the class, or to the logarithm of the expected error.
    """

    field: Name
    values: Annotated[list[Finite], Field(min_length=2, max_length=10_002)]


class OutcomeMap(_CalibrationPart):
    """The outcomes of the training rows in each bin of an output.

    `outcome` names a class or an error. For a class, `sums` counts its rows; for an error, `sums`
    and `squares` hold its sum and its sum of squares. `offsets` holds one number per bin, to which
    the effects of features are added; it is empty if there are no effects.
    """

    outcome: Name
    output: Name
    edges: Annotated[list[Finite], Field(max_length=MOST_BINS)]
    rows: Annotated[list[Count], Field(min_length=1, max_length=MOST_BINS + 1)]
    sums: Annotated[list[Finite], Field(min_length=1, max_length=MOST_BINS + 1)]
    squares: Annotated[list[Finite], Field(min_length=1, max_length=MOST_BINS + 1)]
    offsets: Annotated[list[Finite], Field(max_length=MOST_BINS + 1)] = []
    effects: Annotated[list[FieldEffect], Field(max_length=MOST_EFFECTS)] = []

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        bins = len(self.edges) + 1
        lengths = {len(self.rows), len(self.sums), len(self.squares)}
        want(lengths == {bins}, "rows, sums, squares: expected one more than edges")
        wanted = bins if self.effects else 0
        want(len(self.offsets) == wanted, "offsets: expected one per bin, if there are effects")
        ascends = all(a < b for a, b in zip(self.edges, self.edges[1:], strict=False))
        want(ascends, "edges: expected strictly ascending")
        return self


class CalibrationReference(_CalibrationPart):
    """How the predictions of the training rows relate to their actuals.

    `classes` are the names by code, empty for a regression. `label` is the output that names the
    predicted class, null if it follows from the scores. With more than two classes, `corrections`
    holds the ratio of observed to expected rows, `[actual class, predicted class]`.
    """

    task: Literal["regression", "binary", "multiclass"]
    classes: Annotated[list[Name], Field(max_length=100)] = []
    positive: Annotated[int, Field(ge=0, le=1)] = 1
    label: Name | None = None
    is_probability: bool = True
    maps: Annotated[list[OutcomeMap], Field(min_length=1, max_length=100)]
    corrections: Annotated[list[_Row], Field(max_length=100)] = []

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        wanted = {"regression": 0, "binary": 2}.get(self.task, max(len(self.classes), 3))
        want(len(self.classes) == wanted, f"classes: expected those of a {self.task} task")
        maps = {"regression": 3, "binary": 1}.get(self.task, len(self.classes))
        want(len(self.maps) == maps, f"maps: expected those of a {self.task} task")
        size = len(self.classes) if self.task == "multiclass" else 0
        are_square = all(len(row) == size for row in self.corrections)
        want(len(self.corrections) == size and are_square, "corrections: expected one per pair")
        want(all(x > 0 for row in self.corrections for x in row), "corrections: expected above 0")
        return self

    def without(self, names: frozenset[str]) -> "CalibrationReference":
        """Return a copy without the effects of every map that uses one of these features."""
        maps = [
            part
            if names.isdisjoint(effect.field for effect in part.effects)
            else part.model_copy(update={"effects": [], "offsets": []})
            for part in self.maps
        ]
        return self.model_copy(update={"maps": maps})
