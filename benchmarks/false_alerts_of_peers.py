"""Run other tools for `false_alerts.py`, in their own environment, and print JSON.

Each tool runs with its defaults. A field that is flagged in any window counts as alerted. The first
flag after a shift counts as its detection, even if it is a false alert.
"""

import argparse
import json
import sys
from typing import NamedTuple

import numpy as np

import drift_streams
import peer_monitors


class Peer(NamedTuple):
    """A monitor. flags: yields its flags. fields: how many it checks. check_rows: rows per check.

    calm_rows: how many rows of each stream without drift it gets; fewer for a monitor that needs a
    second per check. has_memory: whether its flags depend on earlier rows.
    """

    flags: peer_monitors.Monitor
    fields: int
    check_rows: int
    calm_rows: int = drift_streams.ROWS
    has_memory: bool = True


def measured(peer: Peer, streams: int) -> dict[str, object]:
    """Count a monitor's false alerts on streams without drift and its delays on shifted streams."""
    alerted, alerts, models, loud = 0, 0, 0, 0
    delays = []
    skipped = 0 if peer.has_memory else drift_streams.SHIFT_AT
    for stream in range(streams):
        flags = list(peer.flags(drift_streams.calm(stream)[: peer.calm_rows]))
        alerts += len(flags)
        alerted += len({at for at, _ in flags})
        models += bool(flags)
        loud += len({row for _, row in flags})
        after = (
            row + skipped - drift_streams.SHIFT_AT
            for at, row in peer.flags(drift_streams.shifted(stream)[skipped:])
            if at == 0
        )
        first = next((rows for rows in after if rows > 0), None)
        delays += [] if first is None else [first]
    return {
        "fields_alerted": alerted,
        "fields": streams * peer.fields,
        "alerts": alerts,
        "calm_rows": peer.calm_rows,
        "looks": peer.calm_rows // peer.check_rows * streams,
        "checks_alerted": loud,
        "models_alerted": models,
        "models": streams,
        "shifts_found": len(delays),
        "median_delay_rows": float(np.median(delays)) if delays else None,
    }


def main() -> None:
    """Measure each tool, and print the results as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=10)
    streams = parser.parse_args().streams
    every, few = drift_streams.FIELDS, min(streams, 3)
    reference = drift_streams.reference()
    by_peer = {}
    for window, calm_rows, count in ((50, 5_000, 1), (200, 20_000, 1), (1_000, 20_000, few)):
        peer = Peer(
            peer_monitors.evidently(reference, window), every, window, calm_rows, has_memory=False
        )
        by_peer[f"Evidently, windows of {window:,} rows"] = measured(peer, count)
    for fields in (10, every):
        peer = Peer(
            peer_monitors.nannyml(reference[:, :fields], 500), fields, 500, has_memory=False
        )
        by_peer[f"NannyML, {fields} fields, chunks of 500 rows"] = measured(peer, streams)
    for name, count, fields in (
        ("ADWIN", streams, every),
        ("PageHinkley", streams, every),
        ("KSWIN", few, 1),
    ):
        title = f"river {name}" + ", on the first field" * (fields == 1)
        by_peer[title] = measured(Peer(peer_monitors.river(name, fields), fields, 1), count)
    json.dump(by_peer, sys.stdout)


if __name__ == "__main__":
    main()
