"""All exported metrics, each defined once: exporters, tests and documentation read this list.

Names follow the OpenTelemetry guidelines: a prefix of our own, lower case, and neither a unit nor
`total` in a name. Units are UCUM, with singular annotations for counts (`{row}`). Only fractions
have the unit `1`, because Prometheus turns gauges of that unit into `..._ratio`.
"""

from mlmonitor.catalog import (
    challenge_metrics,
    comparison_metrics,
    field_metrics,
    metric_spec,
    performance_metrics,
    service_metrics,
    store_metrics,
)
from mlmonitor.catalog.challenge_metrics import *  # noqa: F403 - as below
from mlmonitor.catalog.comparison_metrics import *  # noqa: F403 - one name, read as catalog.NAME
from mlmonitor.catalog.field_metrics import *  # noqa: F403 - as above
from mlmonitor.catalog.metric_spec import *  # noqa: F403 - as above
from mlmonitor.catalog.performance_metrics import *  # noqa: F403 - as above
from mlmonitor.catalog.service_metrics import *  # noqa: F403 - as above
from mlmonitor.catalog.store_metrics import *  # noqa: F403 - as above

CATALOG: tuple[metric_spec.MetricSpec, ...] = tuple(
    value
    for module in (
        service_metrics,
        field_metrics,
        comparison_metrics,
        performance_metrics,
        challenge_metrics,
        store_metrics,
    )
    for value in vars(module).values()
    if isinstance(value, metric_spec.MetricSpec)
)
