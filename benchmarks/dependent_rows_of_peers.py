"""Run other tools for `dependent_rows.py`, in their own environment.

The folder has one file per model, with the rows of its reference and the rows it serves, in which
field 0 shifts.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import peer_monitors


class Peer(NamedTuple):
    """A monitor. make: creates it from a reference. is_slow: runs on fewer models.

    has_memory: whether its flags depend on earlier rows, and not just on the current window.
    """

    make: Callable[[np.ndarray], peer_monitors.Monitor]
    has_memory: bool = False
    is_slow: bool = False


PEERS = {
    "Evidently, windows of 1,000": Peer(
        lambda reference: peer_monitors.evidently(reference, 1_000), is_slow=True
    ),
    "NannyML, chunks of 500": Peer(lambda reference: peer_monitors.nannyml(reference, 500)),
    "ADWIN": Peer(
        lambda reference: peer_monitors.river("ADWIN", reference.shape[1]), has_memory=True
    ),
    "KSWIN, on the field that shifts": Peer(
        lambda _: peer_monitors.river("KSWIN", 1), has_memory=True, is_slow=True
    ),
}


def find_flags(peer: Peer, model: Any) -> tuple[bool, int | None]:
    """Return whether a clean row is flagged, and the rows from the shift to field 0's next flag."""
    monitor, rows, shift_at = peer.make(model["reference"]), model["rows"], int(model["shift_at"])
    first = 0 if peer.has_memory else shift_at
    after = (
        first + row - shift_at
        for place, row in monitor(rows[first:])
        if place == 0 and first + row > shift_at
    )
    is_false = next(monitor(rows[:shift_at]), None) is not None
    return is_false, next(after, None)


def main() -> None:
    """Run each tool on the models of a folder, and write the flags there as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--slow-models", type=int, default=5)
    options = parser.parse_args()
    paths = sorted(options.folder.glob("*.npz"))
    by_peer = {}
    for name, peer in PEERS.items():
        began = time.perf_counter()
        chosen = paths[: options.slow_models] if peer.is_slow else paths
        by_peer[name] = [find_flags(peer, np.load(path)) for path in chosen]
        print(f"  {name}: {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
    (options.folder / "flags.json").write_text(json.dumps(by_peer))


if __name__ == "__main__":
    main()
