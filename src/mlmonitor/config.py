"""Options of a monitor: immutable, complete, resolved once. Reads `MLMONITOR_*`."""

import re
from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlmonitor.environment.argument_checks import refuse_booleans
from mlmonitor.environment.parsers import Warn, read_boolean, read_choice, read_duration, warn_once
from mlmonitor.environment.watch_settings import WATCH_VARIABLES
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import find_similar

PAGE, _PREFIX = "docs/configuration.md", "MLMONITOR_"
_PYDANTIC = "Value error, "  # the prefix of our own sentences
_INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
_FILTER = "OTEL_METRICS_EXEMPLAR_FILTER"
_FILTERS = {"always_off": False, "trace_based": True, "always_on": True}
_NO_OPTION = re.compile("|".join(["(SERVICE_HOST|SERVICE_PORT|PORT)(_.*)?", *WATCH_VARIABLES]))
"""Not options: set by Kubernetes for a service `mlmonitor`, or read by the instrumentor."""


class Config(BaseModel):
    """Tuning of one monitor. Every option has a default that suits a service of any size.

    Raises:
        ConfigError: an option is unknown or out of bounds; the message names it.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        hide_input_in_errors=True,
        defer_build=True,  # building takes a tenth of a second, so importing does not do it
    )

    enabled: bool = Field(default=True, description="False makes every call of the API a no-op.")
    window_seconds: float | None = Field(
        default=3600.0,
        ge=0.001,
        description="Length of the window that is compared; None: by rows.",
    )
    window_rows: int | None = Field(
        default=None,
        ge=2,
        le=1 << 53,
        description="Length of the window in rows, instead of seconds.",
    )
    window_slices: int = Field(
        default=60, ge=1, le=10_000, description="Parts of a window; it moves by one slice."
    )
    buffer_rows: int = Field(
        default=65_536,
        ge=1,
        le=1 << 31,
        description="Rows waiting for the worker; more are dropped and counted.",
    )
    record_wait_seconds: float = Field(
        default=10.0,
        ge=0,
        le=86_400,
        description="How long `record` may wait for room in a full buffer.",
    )
    exit_wait_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="How long the exit of a process that used `record` may wait for its rows.",
    )
    block_rows: int = Field(
        default=256, ge=1, le=65_536, description="Rows the worker reads at once."
    )
    baseline_rows: int = Field(
        default=1_000,
        ge=2,
        le=1_000_000,
        description="Without a reference, this many first rows become the reference.",
    )
    poll_interval_seconds: float = Field(
        default=0.25, ge=0.001, le=3_600, description="Pause between reads of the buffer."
    )
    export_interval_seconds: float = Field(
        default=60.0, ge=0.1, le=86_400, description="Time between exports; backends want a minute."
    )
    pending_predictions: int = Field(
        default=50_000,
        ge=0,
        le=100_000_000,
        description="Predictions remembered while they wait for a label.",
    )
    pending_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Longest time that a prediction waits for its label; None: no limit.",
    )
    cohort_seconds: float = Field(
        default=86_400.0,
        ge=1,
        le=366 * 86_400,
        description="Length of a cohort: performance is kept by time of prediction.",
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=1, description="Chance that any field ever alerts without drift."
    )
    drift_tolerance: float = Field(
        default=0.005,
        ge=0,
        le=100,
        description="A PSI too small to matter; in rare bins, the same relative change.",
    )
    quality_tolerance: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Growth of a share of invalid values that is too small to matter.",
    )
    performance_tolerance: float = Field(
        default=0.02, ge=0, le=100, description="Growth of a loss that is ignored; 0.02 is 2%."
    )
    performance_maturity: float = Field(
        default=0, ge=0, le=1, description="Share of its labels a cohort needs to alert; 0: none."
    )
    performance_basis: Literal["realised", "projected"] = Field(
        default="realised",
        description="Alerts use labels that arrived, or cohorts projected to all their labels.",
    )
    min_rows: int = Field(
        default=30,
        ge=0,
        le=1 << 53,
        description="Rows of a change, or of a run, that an alert needs; 0 switches this off.",
    )
    check_rows: int = Field(
        default=1_000,
        ge=1,
        le=1 << 53,
        description="Rows between two checks of the evidence; fewer wait ten check intervals.",
    )
    check_interval_seconds: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="Least time between two such checks; at 0, fewer rows wait for an export.",
    )
    verdict_tolerance: float = Field(
        default=0.1,
        ge=0,
        le=100,
        description="Rise of the loss, relative to that at training, that needs no retraining.",
    )
    verdict_min_labels: int = Field(
        default=100,
        ge=2,
        le=1 << 53,
        description="Mature labels that a verdict on retraining needs.",
    )
    max_model_age_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Age beyond which a model should be retrained in any case; None: no limit.",
    )
    max_segments: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="Segments with a name; all other rows form one more.",
    )
    outlier_deviations: float = Field(
        default=3.0,
        gt=0,
        le=1_000,
        description="Half width of the anomaly band in standard deviations.",
    )
    max_series: int = Field(
        default=20_000,
        ge=100,
        le=10_000_000,
        description="Most series a process exports, with buckets; detail is left out first.",
    )
    exemplars: bool = Field(
        default=True,
        description="Send traces of the host's recording spans to destinations that keep them.",
    )
    resources: bool = Field(default=False, description="Export CPU, memory, GC and GPU figures.")
    heavy_hitters: int = Field(
        default=16, ge=1, le=1_000, description="Unseen categories tracked by name, per field."
    )

    if not TYPE_CHECKING:  # type checkers know the options from the fields

        def __init__(self, /, **options: object) -> None:
            refuse_booleans(options, type(self).model_fields)
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise ConfigError(f"Config: {_describe_errors(error)}") from None

    @model_validator(mode="after")
    def _has_one_window(self) -> Self:
        if (self.window_seconds is None) == (self.window_rows is None):
            raise ValueError(
                "give the window one length: window_seconds, or window_rows together with "
                "window_seconds=None"
            )
        return self

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], base: Self | None = None, *, warn: Warn = warn_once
    ) -> Self:
        """Overlay `base` (or the defaults) with the environment.

        `MLMONITOR_<OPTION>` sets the option of that name, `none` clears it, and an empty variable
        counts as unset. `OTEL_SDK_DISABLED=true` switches everything off.
        `OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) sets the export interval and
        `OTEL_METRICS_EXEMPLAR_FILTER` the exemplars unless `base` did, because a program's own
        setting outranks a fleet-wide default. A standard variable that is not understood is
        ignored, and `warn` gets a sentence about it.

        Raises:
            ConfigError: an `MLMONITOR_*` variable is unknown, or its value is out of bounds.
        """
        options: dict[str, object] = {} if base is None else base.model_dump(exclude_unset=True)
        own, standard = _read_options(environ), _read_standard(environ, warn)
        if read_boolean(environ, "OTEL_SDK_DISABLED", warn=warn):
            own["enabled"] = False
        try:
            return cls(**standard | options | own)
        except ConfigError as error:
            names = ", ".join(f"{_PREFIX}{name.upper()}" for name in own)
            raise ConfigError(f"{error} (the environment sets {names})") from None


def _read_options(environ: Mapping[str, str]) -> dict[str, object]:
    """Read the options set by `MLMONITOR_*` variables; an empty variable counts as unset."""
    options: dict[str, object] = {}
    for key, value in environ.items():
        name = key.removeprefix(_PREFIX)
        if not key.startswith(_PREFIX) or not value.strip() or _NO_OPTION.fullmatch(name):
            continue
        if name.lower() not in Config.model_fields:
            raise ConfigError(f"{key}: {_describe_unknown(name.lower(), _PREFIX)}")
        options[name.lower()] = None if value.strip().lower() == "none" else value.strip()
    return options


def _read_standard(environ: Mapping[str, str], warn: Warn) -> dict[str, object]:
    """Read options from standard OpenTelemetry variables; an invalid value only gives a warning."""
    seconds = read_duration(environ, _INTERVAL, least=0.1, most=86_400, warn=warn)
    word = read_choice(environ, _FILTER, choices=tuple(_FILTERS), warn=warn)
    options: dict[str, object] = {}
    if seconds is not None:
        options["export_interval_seconds"] = seconds
    if word is not None:
        options["exemplars"] = _FILTERS[word]
    return options


def _describe_errors(error: ValidationError) -> str:
    """Describe pydantic's errors without quoting the values."""
    descriptions = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(map(str, item["loc"])) or "options"
        is_unknown = item["type"] == "extra_forbidden"
        reason = _describe_unknown(name) if is_unknown else item["msg"].removeprefix(_PYDANTIC)
        descriptions.append(f"{name}: {reason}")
    return "; ".join(descriptions)


def _describe_unknown(name: str, prefix: str = "") -> str:
    """Say that an option does not exist; suggest similar names and the page that lists all."""
    close = find_similar(name, Config.model_fields, most=3)
    spelled = " or ".join(f"{prefix}{option.upper()}" if prefix else option for option in close)
    question = f"did you mean {spelled}? " if close else ""
    return f"no such option; {question}all are in {PAGE}"


def _document_fields() -> None:
    """Add the signature and the descriptions of the fields to `Config`, for `help` and the docs."""
    fields = Config.model_fields
    Config.__signature__ = Signature(
        [
            Parameter(
                name,
                Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Config.__annotations__[name],
            )
            for name, field in fields.items()
        ]
    )
    lines = [f"        {name}: {field.description}" for name, field in fields.items()]
    head, raises, tail = (Config.__doc__ or "").partition("    Raises:")
    Config.__doc__ = "\n".join([f"{head}    Args:", *lines, "", f"{raises}{tail}"])


_document_fields()
