"""Compare rounds of counted rows with a reference: the snapshot for statuses and reports."""

import os
from collections.abc import Sequence
from dataclasses import replace

from mlmonitor import options
from mlmonitor.buffer.inbox import Inbox
from mlmonitor.compare.declarations import check_names
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.compare.snapshot_building import build_snapshot
from mlmonitor.config import Config
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.fleet.round_history import add_history
from mlmonitor.fleet.rounds import evaluate_rounds
from mlmonitor.reference.reference import Reference


def compare_rounds(  # noqa: PLR0913 - all but the rows by keyword
    rounds: Sequence[ProfileContent],
    reference: Reference,
    *,
    identity: tuple[str, str],
    ignore: Sequence[str],
    now: float,
    config: Config | None,
    with_history: bool = False,
) -> ModelSnapshot:
    """Evaluate rounds in order; return a snapshot at `now` whose window is the last round.

    identity: the model's name and version. with_history: whether the snapshot's history has one
    slice per round, for pages and reports.

    Raises:
        ConfigError: an argument is wrong.
        FormatError: an array does not fit the reference.
        IncompatibleSketch: rows were counted with another reference.
    """
    state = evaluate_rounds(
        rounds,
        reference,
        config=options.resolve_config(config, os.environ),
        ignore=frozenset(check_names("ignore", ignore)),
        now=now,
    )
    snapshot = build_snapshot(identity, state, Inbox(1), {}, now=now, with_history=with_history)
    calls = replace(snapshot.calls, predictions=sum(content.rows for content in rounds))
    snapshot = replace(snapshot, calls=calls)
    return add_history(snapshot, state, rounds) if with_history else snapshot
