"""Write docs/metrics.md from the catalogue: `make docs`."""

from pathlib import Path

from mlmonitor.catalog import CATALOG, IDENTITY, SEGMENT


def metrics_page() -> str:
    """The table of all metrics."""
    lines = [
        "# Metrics",
        "",
        "Generated from `mlmonitor/catalog.py` by `make docs`. Every point carries "
        + " and ".join(f"`{name}`" for name in IDENTITY)
        + f", and `{SEGMENT}` where segments are declared.",
        "",
        "| name | in Prometheus | kind | unit | further attributes | meaning |",
        "|---|---|---|---|---|---|",
    ]
    for metric in CATALOG:
        attributes = ", ".join(f"`{name}`" for name in metric.attributes)
        cells = [f"`{metric.name}`", f"`{metric.prometheus}`", metric.kind, f"`{metric.unit}`"]
        lines.append("| " + " | ".join([*cells, attributes, metric.meaning]) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path(__file__).with_name("metrics.md").write_text(metrics_page(), encoding="utf-8")
