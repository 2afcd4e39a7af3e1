"""Write the pages that are generated from code and stored results: `make docs`."""

from pathlib import Path

from false_alerts import false_alerts_page
from mlmonitor.catalog import CATALOG, IDENTITY, SEGMENT, MetricSpec
from mlmonitor.catalog.resource_metrics import RESOURCES
from mlmonitor.config import Config
from power_page import power_page
from side_by_side import table


def metrics_page() -> str:
    """Return the page with a table of all metrics."""
    lines = [
        "# Metrics",
        "",
        "Generated from `mlmonitor/catalog/` by `make docs`. Every point carries "
        + " and ".join(f"`{name}`" for name in IDENTITY)
        + f", and `{SEGMENT}` where segments are declared.",
        "",
        *_METRICS_HEAD,
        *map(_describe_metric, CATALOG),
        "",
        "## Of the process",
        "",
        f"With {_OPTION}, under OpenTelemetry's own names. They carry `{IDENTITY[0]}` alone.",
        "",
        *_METRICS_HEAD,
        *map(_describe_metric, RESOURCES),
    ]
    return "\n".join(lines) + "\n"


_OPTION = "[`Config(resources=True)`](guides/opentelemetry.md)"
_METRICS_HEAD = (
    "| name | in Prometheus | kind | unit | further attributes | meaning |",
    "|---|---|---|---|---|---|",
)


def _describe_metric(metric: MetricSpec) -> str:
    attributes = ", ".join(f"`{name}`" for name in metric.attributes)
    cells = [f"`{metric.name}`", f"`{metric.prometheus}`", metric.kind, f"`{metric.unit}`"]
    return "| " + " | ".join([*cells, attributes, metric.meaning]) + " |"


_CONFIGURATION = """# Configuration

Generated from `mlmonitor/config.py` by `make docs`. Give options to
`Monitor(config=Config(window_slices=30))`. The variable of an option takes precedence over the
program. The value `none` sets an option to None, where that is allowed; an empty variable is
ignored.

`OTEL_SDK_DISABLED=true` switches everything off. If the program does not set them,
`OTEL_METRIC_EXPORT_INTERVAL` (milliseconds) sets `export_interval_seconds`, and
`OTEL_METRICS_EXEMPLAR_FILTER` sets `exemplars`. [Destinations](guides/destinations.md) describes
where metrics are sent.

| option | kind | default | bounds | meaning | variable |
|---|---|--:|---|---|---|
"""


def configuration_page() -> str:
    """Return the page with a table of all options."""
    lines = []
    for name, field in Config.model_fields.items():
        kind = field.annotation.__name__ if isinstance(field.annotation, type) else field.annotation
        default = f"{field.default:,}" if type(field.default) is int else field.default
        bounds = ", ".join(filter(None, map(_bound, field.metadata)))
        type_name = str(kind).replace(" | ", " or ")
        cells = [f"`{name}`", type_name, f"{default}", bounds, field.description]
        lines.append("| " + " | ".join([*cells, f"`MLMONITOR_{name.upper()}`"]) + " |")
    return _CONFIGURATION + "\n".join(lines) + "\n"


_SIGNS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def _bound(rule: object) -> str:
    """Describe one validation rule of an option; empty if the rule is not a bound."""
    bounds = ((words, getattr(rule, sign, None)) for sign, words in _SIGNS.items())
    return ", ".join(f"{words} {value:,}" for words, value in bounds if value is not None)


BEGIN, END = "<!-- side_by_side.py writes this -->\n", "<!-- until here -->\n"


def dynatrace_page(page: str) -> str:
    """Return the guide to Dynatrace with its comparison table recomputed."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> None:
    """Write all generated pages."""
    docs = Path(__file__).parents[1]
    (docs / "metrics.md").write_text(metrics_page(), encoding="utf-8")
    (docs / "configuration.md").write_text(configuration_page(), encoding="utf-8")
    (docs / "false_alerts.md").write_text(false_alerts_page(), encoding="utf-8")
    (docs / "power.md").write_text(power_page(), encoding="utf-8")
    guide = docs / "guides" / "dynatrace.md"
    guide.write_text(dynatrace_page(guide.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
