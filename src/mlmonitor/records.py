"""The types that all stages share: fields, schemas and blocks of rows."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from mlmonitor.errors import ConfigError

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


class Role(StrEnum):
    """The role of a field in the model."""

    FEATURE = "feature"
    PREDICTION = "prediction"
    ACTUAL = "actual"
    KPI = "kpi"
    DERIVED = "derived"  # computed from others: a text's length, a row's distance
    ATTRIBUTION = "attribution"  # the contribution of a feature to a prediction
    SERVICE = "service"  # the calls themselves: their failures and latency
    PERFORMANCE = "performance"  # predictions compared with their actuals


class Kind(StrEnum):
    """How a field's values are read; a datetime is read as seconds since 1970, UTC.

    Texts and embeddings (vectors of fixed length) have no bins of their own: they are monitored
    through fields derived from them.
    """

    NUMERIC = "numeric"
    CATEGORICAL = "categorical"
    BOOLEAN = "boolean"
    DATETIME = "datetime"
    TEXT = "text"
    EMBEDDING = "embedding"


SOURCES = (Kind.TEXT, Kind.EMBEDDING)
"""Kinds that are monitored only through derived fields."""

MOST_DIMENSIONS = 4_096
"""Longer vectors are refused."""

SEASONS = {"hour_of_day": 24, "hour_of_week": 168}
"""The cycles that traffic may follow, with their number of seasons."""


class Quality(StrEnum):
    """Whether a value is valid, or what is wrong with it; each value counts in one class only."""

    VALID = "valid"
    MISSING = "missing"
    NONFINITE = "nonfinite"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    NEW_CATEGORY = "new_category"


QUALITIES = tuple(Quality)
REFUSED = (Quality.MISSING, Quality.NONFINITE, Quality.WRONG_TYPE)


class Field(NamedTuple):
    """One monitored field and the rules for its values. `role` and `name` identify it.

    To declare rules, give a monitor `fields=[Field("age", minimum=0, nullable=False)]`: values that
    break one are counted, and fire an alert.

    minimum, maximum: inclusive bounds; datetimes for a datetime field.
    allowed: the values a category may have. nullable: whether values may be missing. public:
    whether a category of fewer than five rows may be named outside the process. kind: optional
    for a declared field, because the reference has it.
    """

    name: str
    role: Role = Role.FEATURE
    kind: Kind = Kind.NUMERIC
    minimum: float | datetime | None = None
    maximum: float | datetime | None = None
    allowed: Collection[object] | None = None
    nullable: bool = True
    public: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether values are read as floats, and not as categories."""
        return self.kind in (Kind.NUMERIC, Kind.DATETIME)


@dataclass(frozen=True, slots=True)
class Metric:
    """A custom measure: the mean of what `function(predicted, actual)` returns for each row.

    function: takes two arrays of equal length, of numbers or of class names; returns one number per
    row, or NaN to leave the row out. For a binary classifier the arrays hold classes, not scores:
    the numbers 0 and 1 if the actuals are numbers or booleans, and NaN where a value is missing.
    The sum and the count are stored, so the mean can be merged over a fleet.
    """

    name: str
    function: Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Objective:
    """A declared bound of a measure, checked continuously: `Objective("mae", maximum=900)`.

    measure: a performance measure (`mae`, `accuracy`, `roc_auc`, or your own `Metric`);
    `error_rate`, the share of calls that fail; a quantile of latency, such as
    `latency_p99_seconds`; `predictions_per_second`; or `label_maturity`, the share of old
    predictions that have a label.

    Raises:
        ConfigError: there is no bound, or it is not a number, or `minimum` exceeds `maximum`.
    """

    measure: str
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self) -> None:
        bounds = [bound for bound in (self.minimum, self.maximum) if bound is not None]
        example = "such as Objective('mae', maximum=900)"
        if not self.measure or type(self.measure) is not str:
            raise ConfigError(f"objectives: expected the name of a measure, {example}")
        if not bounds or not all(_is_number(bound) for bound in bounds):
            raise ConfigError(
                f"objectives: {self.measure}: expected a number as minimum or maximum, {example}"
            )
        if len(bounds) == 2 and bounds[0] > bounds[1]:
            raise ConfigError(f"objectives: {self.measure}: expected minimum to be below maximum")

    def __str__(self) -> str:
        texts = [f"at least {self.minimum:g}"] if self.minimum is not None else []
        texts += [f"at most {self.maximum:g}"] if self.maximum is not None else []
        return f"{self.measure} {' and '.join(texts)}"


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(np.isfinite(value))


@dataclass(frozen=True, slots=True)
class Kpi:
    """A business figure that the worker thread computes from rows.

    function: takes the columns of some rows by name (features, and `prediction` or
    `prediction.<output>`), as arrays; returns one number per row, or NaN to leave the row out.
    unit: such as `EUR`; exported with the figure.
    """

    name: str
    function: Callable[[Mapping[str, Any]], Any]
    unit: str = ""


LossName = Literal["absolute", "squared", "error", "log", "brier", "hinge"]


@dataclass(frozen=True, slots=True)
class Challenger:
    """Another version of the model, compared with the one in use: `Challenger("8", loss="log")`.

    version: its label. loss: `absolute` or `squared` for numbers; `error` for classes; `log` or
    `brier` for probabilities and `hinge` for decision values, given as one score per class or as
    the score of the second class alone; or a function of predictions and actuals, two arrays, that
    returns one loss per row. The default depends on the first predictions: `absolute` for numbers,
    `error` for classes, `log` for probabilities of several classes. margin: by how much its mean
    loss must be lower to win. alpha: the largest probability of a wrong decision. classes: the
    classes in the order of the scores. By default a single score is that of class 1, and several
    scores are named by `names=` of the call that records them. pending_predictions: how many
    predictions may wait for their labels, and how many labels for their predictions; at least 1.

    Raises:
        ConfigError: an option is wrong.
    """

    version: str
    loss: LossName | Callable[[Any, Any], Any] | None = None
    margin: float = 0.0
    alpha: float = 0.05
    classes: Sequence[object] = ()
    pending_predictions: int = 50_000

    def __post_init__(self) -> None:
        names = get_args(LossName)
        if type(self.version) is not str or not self.version:
            raise ConfigError("version: expected the label of a challenger, such as '8'")
        if self.loss is not None and not callable(self.loss) and self.loss not in names:
            raise ConfigError(
                f"loss: expected {', '.join(names)}, or a function of predictions and actuals"
            )
        if not _is_number(self.alpha) or not 0 < self.alpha < 1:
            raise ConfigError("alpha: expected a probability between 0 and 1")
        if not _is_number(self.margin) or self.margin < 0:
            raise ConfigError("margin: expected a number from 0 on")
        if not _is_number(self.pending_predictions) or not 1 <= self.pending_predictions <= 1e8:
            raise ConfigError(
                "pending_predictions: expected a number from 1 to 1e8: without any, predictions "
                "and labels that arrive separately would never be paired"
            )
        if isinstance(self.classes, str) or not isinstance(self.classes, Iterable):
            raise ConfigError("classes: expected a sequence of them, such as ['no', 'yes']")
        object.__setattr__(self, "classes", tuple(self.classes))  # an array has no truth value


@dataclass(frozen=True, slots=True)
class Declared:
    """What the user declares about monitored rows, in addition to the reference.

    ignore: features to leave out. segments: features whose values split the rows. schema: kinds by
    feature, instead of inferred kinds. fields: rules for values. buckets: the edges of a feature's
    buckets, for performance by bucket. metrics: further measures. objectives: bounds of measures.
    groups: the column that names a row's group; rows of one group depend on each other. kpis:
    business figures. challengers: other versions that are compared with the version in use.
    """

    ignore: frozenset[str] = frozenset()
    segments: tuple[str, ...] = ()
    schema: Mapping[str, Kind] = field(default_factory=dict)
    fields: tuple[Field, ...] = ()
    buckets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    metrics: tuple[Metric, ...] = ()
    objectives: tuple[Objective, ...] = ()
    groups: str | None = None
    kpis: tuple[Kpi, ...] = ()
    challengers: tuple[Challenger, ...] = ()


class Schema:
    """The fields of one population, numeric fields first. Arrays have this order on axis 0."""

    __slots__ = ("categorical", "fields", "numeric")

    def __init__(self, fields: Sequence[Field]) -> None:
        self.numeric: tuple[Field, ...] = tuple(field for field in fields if field.is_numeric)
        self.categorical: tuple[Field, ...] = tuple(f for f in fields if not f.is_numeric)
        self.fields: tuple[Field, ...] = self.numeric + self.categorical

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(slots=True)
class Block:
    """A block of parsed rows: the input of every sketch.

    numeric: float64 `[numeric fields, rows]`; NaN where there is no finite number.
    refused: int64 `[numeric fields, 3]`: counts of missing values, of values that are not finite,
        and of values of a wrong type.
    categorical: a sequence of `rows` raw values for each categorical field.
    reasons: int8 `[numeric fields, rows]`: 1 + the index in `REFUSED` of each refused value, 0 for
        accepted values; None if no value is refused, or if the block will not be split.
    season: the season of the rows, if there are seasons.
    kernels: float64 `[kernel features, rows]` of the embeddings; 0 where a row has no vector.
    """

    rows: int
    numeric: Floats
    refused: Counts
    categorical: list[Sequence[object]]
    reasons: NDArray[np.int8] | None = None
    season: int = 0
    kernels: Floats = field(default_factory=lambda: np.empty((0, 0)))


class Absent:
    """A value that is legitimately absent, such as the prediction of a failed call; not counted."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT = Absent()


Mask = NDArray[np.bool_]
