"""The other tools' side of `power.py`; runs in their environment.

Each line of input is a request in JSON: the file of a model, and the numbers of clean rows. Each
line of output is the answer: the rows until a flag, by tool and by the number of clean rows before
the change. A tool without memory runs only on the rows after the change, and its result is repeated
for each number of clean rows.
"""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import peer_monitors
from peer_monitors import Monitor

FIELDS, ALPHA, WINDOW, WINDOWS = 20, 0.01, 1_000, 150
"""`WINDOWS` is the number of windows in 100,000 clean rows and 50,000 changed ones."""

Delays = dict[str, dict[str, int | None]]


class Peer(NamedTuple):
    """A monitor; `make` creates it from a reference, which is a frame of columns.

    view: the columns that it reads: `numbers` alone, `labels` with categories and missing values,
    or `marks`, which are labels and indicators of missing values. past_rows: how many rows before
    the change its flags depend on. is_slow: whether it runs on few models. is_ordered: whether the
    flags of one field are in the order of the rows.
    """

    make: Callable[[Any], Monitor]
    view: str
    past_rows: int = 0
    is_slow: bool = False
    is_ordered: bool = True


def test_windows(reference: Any) -> Monitor:
    """Return a Kolmogorov-Smirnov test of each window; all fields and windows share `ALPHA`."""
    level = ALPHA / (FIELDS * WINDOWS)
    return peer_monitors.kolmogorov_smirnov(reference.to_numpy(), WINDOW, level)


PEERS = {
    "Evidently, windows of 1,000": Peer(
        lambda reference: peer_monitors.evidently(reference, WINDOW), "marks", is_slow=True
    ),
    "NannyML, chunks of 500": Peer(
        lambda reference: peer_monitors.nannyml_with_quality(reference, 500),
        "labels",
        is_ordered=False,
    ),
    "ADWIN": Peer(
        lambda reference: peer_monitors.river("ADWIN", reference.shape[1]), "numbers", 1_000_000
    ),
    "KSWIN, on the field that changes": Peer(
        lambda _: peer_monitors.river("KSWIN", 1), "numbers", 500, is_slow=True
    ),
    "KS test, Bonferroni": Peer(test_windows, "numbers"),
}
OF_JOINT_CHANGES = {
    "NannyML, chunks of 500": Peer(
        lambda reference: peer_monitors.nannyml_reconstruction(reference, 500), "labels"
    )
}


def read_frames(arrays: Any, view: str) -> dict[str, Any]:
    """Return the frames of a model by part (reference, clean, changed), in a tool's view."""
    parts: dict[str, dict[str, Any]] = {}
    for key in arrays:
        part, own, name = key.split("|")
        is_mark = view == "marks" and name.endswith(" missing")
        if is_mark or own in ("both", {"marks": "labels"}.get(view, view)):
            parts.setdefault(part, {})[name] = arrays[key]
    return {part: peer_monitors.join_columns(columns) for part, columns in parts.items()}


def find_first(peer: Peer, flags: Iterator[tuple[int, int]], past_rows: int) -> int | None:
    """Return the number of rows from the end of the past to the first flag after it, or None."""
    rows = (row - past_rows for _, row in flags if row > past_rows)
    return next(rows, None) if peer.is_ordered else min(rows, default=None)


def find_delay(peer: Peer, frames: dict[str, Any], clean_rows: int) -> int | None:
    """Return the rows from the change to the first flag, after this many clean rows."""
    names = list(frames["changed"])
    parts = [names] if peer in OF_JOINT_CHANGES.values() else [[name] for name in names]
    first_flags = []
    for columns in parts:
        reference, clean, changed = (
            frames[part][columns] for part in ("reference", "clean", "changed")
        )
        past = peer_monitors.join_rows(reference, clean.head(clean_rows)).tail(peer.past_rows)
        flags = peer.make(reference)(peer_monitors.join_rows(past, changed))
        first_flags.append(find_first(peer, flags, len(past)))
    return min((rows for rows in first_flags if rows is not None), default=None)


def find_delays(peer: Peer, frames: dict[str, Any], clean_rows: list[int]) -> dict[str, int | None]:
    """Return the rows from the change to the first flag, by the clean rows before it."""
    if peer.past_rows:
        return {str(rows): find_delay(peer, frames, rows) for rows in clean_rows}
    return dict.fromkeys(map(str, clean_rows), find_delay(peer, frames, 0))


def find_false_flag(peer: Peer, frames: dict[str, Any]) -> dict[str, int | None]:
    """Return the rows until any field is flagged, by the number of clean rows."""
    names = list(frames["reference"])
    parts = [[name] for name in names] if peer.past_rows else [names]
    first_flags = []
    for columns in parts[:1] if peer.is_slow else parts:
        past = frames["reference"][columns].tail(peer.past_rows)
        rows = peer_monitors.join_rows(past, frames["clean"][columns])
        flags = peer.make(frames["reference"][columns])(rows)
        first_flags.append(find_first(peer, flags, len(past)))
    first = min((rows for rows in first_flags if rows is not None), default=None)
    return {str(len(frames["clean"])): first}


def answer(request: dict[str, Any]) -> Delays:
    """Return the rows until a flag, by tool."""
    chosen = OF_JOINT_CHANGES if request["is_joint"] else PEERS
    delays = {}
    with np.load(Path(request["path"])) as arrays:
        for name, peer in chosen.items():
            is_wanted = name.startswith(tuple(request["tools"]))
            if not is_wanted or (peer.is_slow and not request["has_slow"]):
                continue
            frames = read_frames(arrays, peer.view)
            if request["is_changed"]:
                delays[name] = find_delays(peer, frames, request["clean_rows"])
            else:
                delays[name] = find_false_flag(peer, frames)
    return delays


def main() -> None:
    """Answer each request; the output of the tools goes to standard error."""
    answers, sys.stdout = sys.stdout, sys.stderr
    for line in sys.stdin:
        print(json.dumps(answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
