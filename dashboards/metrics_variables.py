"""The variables at the top of the dashboards on metrics."""

from mlmonitor.catalog import PREDICTIONS, VALUES
from model import Choice, Variable
from promql import select

_LAST_LABEL = '/="(.*)"\\} /'
"""The value of the one label of a `query_result` line: works for names with dots too."""


def _labels(label: str, series: str) -> str:
    return f"query_result(group by ({label}) ({series}))"


_ENVIRONMENT = '<deployment.environment.name>=~"$environment"'
_MODEL = '<model.name>=~"$model"'
_VERSION = f'{_ENVIRONMENT},{_MODEL},<model.version>=~"$version"'

WINDOW = Choice("window", "Window", ("15m", "1h", "6h", "1d", "7d", "30d"), "1h")


def model_variables(*, single: bool = False) -> tuple[Variable | Choice, ...]:
    """Return variables for environment, models, versions, segments and window."""
    everything = None if single else ".*"
    return (
        Variable(
            "environment",
            "Environment",
            _labels("<deployment.environment.name>", select(PREDICTIONS, chosen="")),
            regex=_LAST_LABEL,
        ),
        Variable(
            "model",
            "Model",
            _labels("<model.name>", select(PREDICTIONS, chosen=_ENVIRONMENT)),
            multi=not single,
            all_value=everything,
            regex=_LAST_LABEL,
        ),
        Variable(
            "version",
            "Version",
            _labels("<model.version>", select(PREDICTIONS, chosen=f"{_ENVIRONMENT},{_MODEL}")),
            multi=not single,
            all_value=everything,
            regex=_LAST_LABEL,
        ),
        Variable(
            "segment",
            "Segment",
            _labels("segment", select(VALUES, 'segment!="all"', chosen=_VERSION)),
            all_value="all|",  # all rows, whether or not the model has segments
            regex=_LAST_LABEL,
        ),
        WINDOW,
    )


def field_variables(*, single: bool = False) -> tuple[Variable | Choice, ...]:
    """Return `model_variables`, and variables for role and fields. single: allow one value each."""
    everything = None if single else ".*"
    return (
        *model_variables(single=single),
        Variable(
            "role",
            "Role",
            _labels("role", select(VALUES, chosen=_VERSION)),
            multi=not single,
            all_value=everything,
            regex=_LAST_LABEL,
        ),
        Variable(
            "field",
            "Field",
            _labels("field", select(VALUES, 'role=~"$role"', chosen=_VERSION)),
            multi=not single,
            all_value=everything,
            regex=_LAST_LABEL,
        ),
    )
