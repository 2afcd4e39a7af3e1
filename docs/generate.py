"""Write the pages that are made of code and of results: `make docs`."""

from pathlib import Path

from side_by_side import table

from false_alarms import false_alarms_page
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


BEGIN, END = "<!-- side_by_side.py writes this -->\n", "<!-- until here -->\n"


def dynatrace_page(page: str) -> str:
    """The guide to Dynatrace, with the comparison made anew."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


def main() -> None:
    """Write all pages."""
    docs = Path(__file__).parent
    (docs / "metrics.md").write_text(metrics_page(), encoding="utf-8")
    (docs / "false_alarms.md").write_text(false_alarms_page(), encoding="utf-8")
    guide = docs / "guides" / "dynatrace.md"
    guide.write_text(dynatrace_page(guide.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
