"""The events of the log as validated models.

A new version of a schema only adds optional fields, and a reader ignores fields that it does not
know. So a reader can read all versions of a schema; an incompatible change gets a new schema name.
"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

VERSION = 1
"""The version of all schemas that this library writes."""

_NO_NUL = r"^[^\x00]*$"  # PostgreSQL cannot store U+0000

Number = Annotated[float, Field(allow_inf_nan=False)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000, pattern=_NO_NUL)]
Text = Annotated[str, StringConstraints(max_length=1_000, pattern=_NO_NUL)]
LongText = Annotated[str, StringConstraints(max_length=10_000, pattern=_NO_NUL)]
Count = Annotated[int, Field(ge=0, le=1 << 53)]
Scalar = bool | Number | Text | None
"""The value of one field: a number, a name, or null for a missing or unreadable value."""

Scalars = Annotated[dict[Name, Scalar], Field(max_length=100_000)]
Numbers = Annotated[dict[Name, Number | None], Field(max_length=100_000)]
_Hex = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16,32}$")]
_Uuid = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
]


class EventModel(BaseModel):
    """The envelope: the fields that all events share.

    event_id: does not change if the event is sent, replayed or loaded again. time: when the event
    happened. instance: the process that sent it.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="ignore",
        strict=True,
        defer_build=True,
        protected_namespaces=(),  # pydantic reserves `model_`, but `model_version` is a field
    )

    schema_version: Annotated[int, Field(ge=1)] = VERSION
    event_id: _Uuid
    time: AwareDatetime
    model: Name
    model_version: Text = ""
    instance: Text = ""

    def __repr_args__(self) -> list[tuple[str | None, object]]:
        # No other fields: features, actuals and ids are values of single rows.
        return [("event_id", self.event_id), ("model", self.model)]


class PredictionEvent(EventModel):
    """One prediction, or a call that failed to make one.

    prediction: the main output. scores: other numeric outputs, and the probabilities of classes.
    outputs: other outputs that are not numeric. features: datetimes are seconds since 1970; a
    withheld category is `__other__`; a category that is not in the reference is `__new__`; a
    withheld field is left out. derived: fields computed from other fields. invalid: the reason of
    each value that is null although it was not missing. group: a hash of the group of the row.
    sample: the share of predictions that are sent.
    """

    schema_name: Literal["prediction"] = Field("prediction", alias="schema")
    prediction_id: Name
    status: Literal["ok", "error"]
    error: Text | None = None
    latency_seconds: Number | None = None
    segment: Text = "all"
    group: Text | None = None
    trace_id: _Hex | None = None
    span_id: _Hex | None = None
    prediction: Scalar = None
    scores: Numbers = {}
    outputs: Scalars = {}
    features: Scalars = {}
    derived: Numbers = {}
    invalid: Annotated[
        dict[Name, Literal["nonfinite", "wrong_type"]], Field(max_length=100_000)
    ] = {}
    sample: Annotated[float, Field(gt=0, le=1)] = 1.0


class LabelEvent(EventModel):
    """The actual of one prediction; `time` is when it became known.

    prediction, predicted_at, segment: set only if the pair was reported without an id.
    """

    schema_name: Literal["label"] = Field("label", alias="schema")
    prediction_id: Name | None = None
    actual: Scalar
    prediction: Scalar = None
    predicted_at: AwareDatetime | None = None
    segment: Text = "all"

    @model_validator(mode="after")
    def _refers(self) -> Self:
        if self.prediction_id is None and self.predicted_at is None:
            raise ValueError("prediction_id: expected an id, or predicted_at of a pair")
        return self


class KpiEvent(EventModel):
    """Business figures: their number, and their sum."""

    schema_name: Literal["kpi"] = Field("kpi", alias="schema")
    name: Name
    value: Number | None
    count: Count = 1
    unit: Text = ""
    segment: Text = "all"


class AlertEvent(EventModel):
    """An alert that fired or resolved; both have the same `alert_id`.

    An incident is an alert with the role `incident`; its field is the cause. log10_e_value: null
    for a deterministic rule.
    """

    schema_name: Literal["alert"] = Field("alert", alias="schema")
    alert_id: Name
    state: Literal["firing", "resolved"]
    field: Name
    role: Text
    segment: Text = "all"
    measure: Name
    value: Number | None = None
    current: Number | None = None
    threshold: Number | None = None
    log10_e_value: Number | None = None
    rows: Count = 0
    started_at: AwareDatetime
    reason: LongText = ""


class VerdictEvent(EventModel):
    """Whether to keep, recalibrate or retrain the model, and why."""

    schema_name: Literal["verdict"] = Field("verdict", alias="schema")
    action: Literal["keep", "recalibrate", "retrain"]
    reasons: Annotated[list[LongText], Field(max_length=1_000)] = []
    since: AwareDatetime


class ReferenceBin(BaseModel):
    """The count of one bin of the reference: an interval `(lower, upper]`, or a category."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="ignore", strict=True, defer_build=True
    )

    label: Text
    lower: Number | None = None
    upper: Number | None = None
    count: Count


class ReferenceEvent(EventModel):
    """One field of the reference that predictions are compared with.

    A reference is sent as one event per field. reference_id, fields: the id of the reference, and
    the number of its fields. rows, bins, missing: the counts that live counts are compared with;
    the bins of categories end with `__other__` and `__new__`. withheld: whether predictions leave
    out the values of this field. quantiles: pairs of probability and value. band_low, band_high:
    the anomaly band. range_low, range_high: the range of the values. buckets: declared edges of
    buckets for performance.
    """

    schema_name: Literal["reference"] = Field("reference", alias="schema")
    reference_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
    trained_at: AwareDatetime | None = None
    reference_rows: Count
    task: Text | None = None
    fields: Count
    field: Name
    role: Text
    kind: Text
    segment: Text = "all"
    rows: Count
    missing: Count
    mean: Number | None = None
    stddev: Number | None = None
    min: Number | None = None
    max: Number | None = None
    quantiles: Annotated[list[tuple[Number, Number]], Field(max_length=1_000)] = []
    importance: Number | None = None
    withheld: bool = False
    training_metrics: Numbers = {}
    band_low: Number | None = None
    band_high: Number | None = None
    range_low: Number | None = None
    range_high: Number | None = None
    buckets: Annotated[list[Number], Field(max_length=10_000)] = []
    positive_class: Text | None = None
    bins: Annotated[list[ReferenceBin], Field(max_length=20_000)] = []


Event = PredictionEvent | LabelEvent | KpiEvent | AlertEvent | VerdictEvent | ReferenceEvent
"""One event of any schema."""

EVENT_MODELS: dict[str, type[Event]] = {
    "prediction": PredictionEvent,
    "label": LabelEvent,
    "kpi": KpiEvent,
    "alert": AlertEvent,
    "verdict": VerdictEvent,
    "reference": ReferenceEvent,
}
"""The model of each schema, by its name."""
