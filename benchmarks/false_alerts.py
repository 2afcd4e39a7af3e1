"""How often mlmonitor and other tools alert without drift, and how fast they find a shift.

All run on the streams of `drift_streams.py`: 20 fields that never drift, or 20 fields, one of which
shifts half-way by a PSI of 0.11. mlmonitor runs as in a service, in a `Monitor` evaluated every 50
rows. The other tools run with their defaults, in an environment of their own (`make bench-peers`).
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

import drift_streams
from mlmonitor import Config, Monitor, Reference
from mlmonitor.testing import ManualClock

NAMES = [f"f{at}" for at in range(drift_streams.FIELDS)]
LOOK_ROWS = 50
SECONDS_A_LOOK = 5.0


def ours(reference: Reference, values: np.ndarray) -> dict[str, int]:
    """Return the row at which each field's first alert fired."""
    clock, raised = ManualClock(), {}
    config = Config(
        check_rows=LOOK_ROWS, check_interval_seconds=0, export_interval_seconds=86_400.0
    )
    with Monitor("bench", reference=reference, exporters=[], config=config, clock=clock) as monitor:
        for start in range(0, len(values), LOOK_ROWS):
            part = values[start : start + LOOK_ROWS]
            monitor.record(dict(zip(NAMES, part.T, strict=True)), np.zeros(len(part)))
            clock.advance(SECONDS_A_LOOK)
            for alert in monitor.status().alerts:
                raised.setdefault(alert.field, start + len(part))
    return raised


def all_ours(streams: int) -> dict[str, object]:
    """Return our false alerts on streams without drift, and our delays on shifted streams."""
    reference = Reference.fit(
        drift_streams.reference(), names=NAMES, predictions=np.zeros(drift_streams.REFERENCE_ROWS)
    )
    calm = [ours(reference, drift_streams.calm(at)) for at in range(streams)]
    shifted = [ours(reference, drift_streams.shifted(at)) for at in range(streams)]
    at = drift_streams.SHIFT_AT
    alerted_at = [alerts[NAMES[0]] for alerts in shifted if alerts.get(NAMES[0], 0) > at]
    delays = [row - at for row in alerted_at]
    return {
        "mlmonitor, alpha 0.01, looked at every 50 rows": {
            "fields_alerted": sum(map(len, calm)),
            "fields": streams * len(NAMES),
            "alerts": sum(map(len, calm)),
            "calm_rows": drift_streams.ROWS,
            "looks": streams * drift_streams.ROWS // LOOK_ROWS,
            "checks_alerted": sum(len(set(first_alerts.values())) for first_alerts in calm),
            "models_alerted": sum(bool(first_alerts) for first_alerts in calm),
            "models": streams,
            "shifts_found": len(delays),
            "median_delay_rows": float(np.median(delays)) if delays else None,
        }
    }


def print_table(by_way: dict[str, dict[str, float | None]]) -> None:
    """Print one line per monitor."""
    heads = "fields alerted", "alerts", "models alerted", "shifts found", "median delay"
    print(f"{'20 fields, 20,000 rows without drift':48}" + "".join(f"{h:>16}" for h in heads))
    for name, results in by_way.items():
        delay = results["median_delay_rows"]
        cells = (
            f"{results['fields_alerted']} of {results['fields']}",
            f"{results['alerts']}",
            f"{results['models_alerted']} of {results['models']}",
            f"{results['shifts_found']} of {results['models']}",
            "-" if delay is None else f"{delay:,.0f} rows",
        )
        print(f"{name:48}" + "".join(f"{cell:>16}" for cell in cells))


def main() -> None:
    """Measure, print the table, and store the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    parser.add_argument("--peers", help="the Python of an environment that holds the peers")
    options = parser.parse_args()
    by_way = all_ours(options.streams)
    if options.peers:
        script = Path(__file__).with_name("false_alerts_of_peers.py")
        command = [options.peers, str(script), "--streams", str(options.streams)]
        by_way |= json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    print_table(by_way)  # type: ignore[arg-type]  # JSON
    results = Path(__file__).with_name("results")
    results.mkdir(exist_ok=True)
    (results / "false_alerts.json").write_text(json.dumps(by_way, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
