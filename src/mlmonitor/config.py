"""How a model is watched: frozen, closed, resolved once. Reads `MLMONITOR_*`."""

import re
from collections.abc import Mapping
from inspect import Parameter, Signature
from typing import TYPE_CHECKING, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mlmonitor.errors import ConfigError

PAGE = "docs/configuration.md"
_PREFIX = "MLMONITOR_"
_PYDANTIC = "Value error, "  # what it puts before our own sentences
_TRUE = {"1", "true", "yes", "on"}
_FILTER = "OTEL_METRICS_EXEMPLAR_FILTER"
_FILTERS = {"always_off": False, "trace_based": True, "always_on": True}
_FALSE = {"0", "false", "no", "off", ""}
_FROM_KUBERNETES = re.compile(r"(SERVICE_HOST|SERVICE_PORT|PORT)(_.*)?")
"""Set in every pod beside a service that is called mlmonitor: these are no options of ours."""


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
        defer_build=True,  # at the first use: it is a tenth of a second that importing can spare
    )

    enabled: bool = Field(default=True, description="False makes every call of the API a no-op.")
    window_seconds: float | None = Field(
        default=3600.0,
        ge=0.001,
        description="Length of the window that is compared; None: by rows.",
    )
    window_rows: int | None = Field(
        default=None,
        ge=1,
        le=1 << 53,
        description="Length of the window in rows, in place of seconds.",
    )
    window_slices: int = Field(
        default=60, ge=1, le=10_000, description="Parts of a window; it moves on by one pane."
    )
    buffer_rows: int = Field(
        default=65_536,
        ge=1,
        le=1 << 31,
        description="Rows waiting for the worker; more are dropped, counted.",
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
        description="Without a reference, this many first rows become it.",
    )
    poll_interval_seconds: float = Field(
        default=0.25, ge=0.001, le=3_600, description="Pause between two drains."
    )
    export_interval_seconds: float = Field(
        default=60.0,
        ge=0.1,
        le=86_400,
        description="Pause between two exports; backends expect a minute.",
    )
    pending_predictions: int = Field(
        default=50_000,
        ge=0,
        le=100_000_000,
        description="Predictions remembered while they wait for a label.",
    )
    alpha: float = Field(
        default=0.01, gt=0, lt=1, description="Chance that any field ever alerts without drift."
    )
    drift_tolerance: float = Field(
        default=0.005, ge=0, le=100, description="A PSI too small to matter never alerts."
    )
    quality_tolerance: float = Field(
        default=0.001,
        ge=0,
        le=1,
        description="Growth of a share of bad values that is too small to matter.",
    )
    min_rows: int = Field(
        default=30,
        ge=0,
        le=1 << 53,
        description="Fewer rows of a change never alert, nor fewer of a run; 0 switches it off.",
    )
    check_rows: int = Field(
        default=1_000, ge=1, le=1 << 53, description="Rows between two looks at the evidence."
    )
    check_interval_seconds: float = Field(
        default=1.0,
        ge=0,
        le=86_400,
        description="Seconds between two such looks, however many rows come in them.",
    )
    max_segments: int = Field(
        default=20,
        ge=1,
        le=1_000,
        description="Segments told apart; the rest of the rows are one more.",
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
        description="Series a process exports at most, buckets counted; detail goes first.",
    )
    exemplars: bool = Field(
        default=True,
        description="Traces of the host's recording spans are sent along where they are kept.",
    )
    heavy_hitters: int = Field(
        default=16, ge=1, le=1_000, description="Unseen categories tracked by name, per field."
    )

    if not TYPE_CHECKING:  # type checkers know the options from the fields

        def __init__(self, /, **options: object) -> None:
            try:
                super().__init__(**options)
            except ValidationError as error:
                raise ConfigError(f"Config: {_reasons(error)}") from None

    @model_validator(mode="after")
    def _has_one_window(self) -> Self:
        if (self.window_seconds is None) == (self.window_rows is None):
            raise ValueError(
                "give the window one length: window_seconds, or window_rows together with "
                "window_seconds=None"
            )
        return self

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], base: Self | None = None) -> Self:
        """`base` (or the defaults) with what the environment says laid over it.

        `MLMONITOR_<OPTION>` sets the option of that name, `none` clears it, and an empty one says
        nothing. `OTEL_SDK_DISABLED=true` switches all off. `OTEL_METRIC_EXPORT_INTERVAL`
        (milliseconds) sets the export interval and `OTEL_METRICS_EXEMPLAR_FILTER` whether there
        are exemplars unless `base` did, because what a program says outranks a fleet-wide default.

        Raises:
            ConfigError: a variable names no option or its value is out of bounds.
        """
        options: dict[str, object] = {} if base is None else base.model_dump(exclude_unset=True)
        told = _options(environ)
        named = [f"{_PREFIX}{name.upper()}" for name in told]
        interval = environ.get("OTEL_METRIC_EXPORT_INTERVAL", "").strip()
        if interval and "export_interval_seconds" not in options | told:
            told["export_interval_seconds"] = _milliseconds(interval)
            named.append("OTEL_METRIC_EXPORT_INTERVAL")
        chosen = environ.get(_FILTER, "").strip().lower()
        if chosen and "exemplars" not in options | told:
            told["exemplars"] = _takes_exemplars(chosen)
            named.append(_FILTER)
        if truth(environ, "OTEL_SDK_DISABLED"):
            told["enabled"] = False
        try:
            return cls(**options | told)
        except ConfigError as error:
            raise ConfigError(f"{error} (the environment sets {', '.join(named)})") from None


def _options(environ: Mapping[str, str]) -> dict[str, object]:
    """What `MLMONITOR_*` variables set; an empty one sets nothing."""
    found: dict[str, object] = {}
    for key, value in environ.items():
        name = key.removeprefix(_PREFIX)
        if not key.startswith(_PREFIX) or not value.strip() or _FROM_KUBERNETES.fullmatch(name):
            continue
        if name.lower() not in Config.model_fields:
            raise ConfigError(f"{key}: {_no_such(name.lower(), _PREFIX)}")
        found[name.lower()] = None if value.strip().lower() == "none" else value.strip()
    return found


def truth(environ: Mapping[str, str], name: str) -> bool:
    """Whether the variable `name` says yes; raises ConfigError where it says neither."""
    value = environ.get(name, "").strip().lower()
    if value in _TRUE:
        return True
    if value in _FALSE:
        return False
    raise ConfigError(f"{name}: expected true or false")


def _takes_exemplars(chosen: str) -> bool:
    if chosen not in _FILTERS:
        raise ConfigError(f"{_FILTER}: expected {', '.join(_FILTERS)}")
    return _FILTERS[chosen]


def _milliseconds(text: str) -> float:
    try:
        return int(text) / 1000
    except ValueError:
        raise ConfigError("OTEL_METRIC_EXPORT_INTERVAL: expected whole milliseconds") from None


def _reasons(error: ValidationError) -> str:
    """What pydantic found, without the values it met."""
    found = []
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        name = ".".join(map(str, item["loc"])) or "options"
        is_unknown = item["type"] == "extra_forbidden"
        told = _no_such(name) if is_unknown else item["msg"].removeprefix(_PYDANTIC)
        found.append(f"{name}: {told}")
    return "; ".join(found)


def _no_such(name: str, prefix: str = "") -> str:
    """Which options a misspelt one may have meant, and where all are."""
    from difflib import get_close_matches

    near = get_close_matches(name, Config.model_fields)
    spelled = " or ".join(f"{prefix}{each.upper()}" if prefix else each for each in near)
    meant = f"did you mean {spelled}? " if near else ""
    return f"no such option; {meant}all are in {PAGE}"


def _described() -> None:
    """Give the class the signature and the documentation that its fields are."""
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
    told = [f"        {name}: {field.description}" for name, field in fields.items()]
    head, raises, tail = (Config.__doc__ or "").partition("    Raises:")
    Config.__doc__ = "\n".join([f"{head}    Args:", *told, "", f"{raises}{tail}"])


_described()
