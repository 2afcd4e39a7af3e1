"""Write the dashboards and rules that ship with the package: `make dashboards`."""

import sys
from pathlib import Path

from classic import write_classic
from dynatrace_alerts import dynatrace_files
from metrics_drift import DRIFT
from metrics_field import FIELD_BOARD
from metrics_kpis import KPIS
from metrics_overview import OVERVIEW
from metrics_performance import PERFORMANCE
from mlmonitor.present.dashboards.shipped_files import render_files
from model import Board
from provisioning import PROVISIONING
from rule_files import alert_rules, fleet_rules, grafana_rules
from schema_v2 import write_v2
from sql_boards import SQL_BOARDS

PRESENT = Path(__file__).parents[1] / "src" / "mlmonitor" / "present"
EXAMPLE = Path(__file__).parents[1] / "examples" / "collectors" / "fleet.rules.yml"
METRIC_BOARDS: tuple[Board, ...] = (OVERVIEW, DRIFT, FIELD_BOARD, PERFORMANCE, KPIS)


def shipped() -> dict[str, str]:
    """Return the text of every generated file, by path below `present/`."""
    texts = {}
    for board in METRIC_BOARDS:
        name = board.uid.removeprefix("mlmonitor-")
        texts[f"dashboards/grafana/metrics/{name}.json"] = write_classic(board)
        texts[f"dashboards/grafana/metrics-v2/{name}.json"] = write_v2(board)
    for board in SQL_BOARDS:
        name = board.uid.removeprefix("mlmonitor-sql-")
        texts[f"dashboards/grafana/events/{name}.json"] = write_classic(board)
        texts[f"dashboards/grafana/events-v2/{name}.json"] = write_v2(board)
    texts |= PROVISIONING
    texts |= dynatrace_files()
    texts["alerts/prometheus/fleet.rules.yml"] = fleet_rules()
    texts["alerts/prometheus/alerts.rules.yml"] = alert_rules()
    texts["alerts/grafana/alerts.yml"] = grafana_rules()
    return {path: text.rstrip("\n") + "\n" for path, text in texts.items()}


def main() -> int:
    """Replace all generated files; with --check, report stale files and return their number."""
    texts = shipped()
    folders = {PRESENT / Path(path).parent for path in texts}
    present = {path for folder in folders for path in folder.glob("*") if path.is_file()}
    if "--check" in sys.argv:
        stale = {PRESENT / path for path, text in texts.items() if _read(PRESENT / path) != text}
        stale |= {path for path in present if path.relative_to(PRESENT).as_posix() not in texts}
        for path in sorted(stale):
            print(f"stale: {path.relative_to(PRESENT)}; run make dashboards")
        return len(stale)
    for path in present:
        path.unlink()
    for path, text in texts.items():
        target = PRESENT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    write_example()
    return 0


def write_example() -> None:
    """Write the recording rules of the examples, with Prometheus' names."""
    for path, text in render_files("alerts", naming="prometheus"):
        if path.name == EXAMPLE.name:
            EXAMPLE.write_text(text, encoding="utf-8")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
