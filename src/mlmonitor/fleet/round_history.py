"""Use the rounds of a fleet as the history of a snapshot, instead of the slices of a window."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlmonitor.aggregate.history import History
from mlmonitor.compare.model_state import ModelState
from mlmonitor.compare.population import Population
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.fleet.population_content import PopulationContent
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.records import Floats


def add_history(
    snapshot: ModelSnapshot, state: ModelState, rounds: Sequence[ProfileContent]
) -> ModelSnapshot:
    """Return the snapshot with one history slice per round.

    A slice begins at the time of the newest rows of the previous round; the first slice is as long
    as the second. The snapshot is returned unchanged if there is only one round, or if the times of
    the rounds are missing or do not ascend.
    """
    traffic, comparing = snapshot.traffic, state.traffic.comparing
    times = np.array([np.nan if r.last_at is None else r.last_at for r in rounds], np.float64)
    is_ordered = len(rounds) > 1 and (np.diff(times) > 0).all()  # False with a NaN
    if not is_ordered or traffic is None or comparing is None:
        return snapshot
    starts = np.concatenate([[2 * times[0] - times[1]], times[:-1]])
    populations = [comparing.population]
    if comparing.segmentation is not None:
        populations += comparing.segmentation.split.populations
    contents = list(zip(*(content.populations for content in rounds), strict=True))
    whole, *parts = [
        _replace_history(own, population, counted, starts)
        for own, population, counted in zip(
            (traffic, *(segment.populations[0] for segment in snapshot.segments)),
            populations,
            contents,
            strict=True,
        )
    ]
    segments = [
        replace(segment, populations=(part, *segment.populations[1:]))
        for segment, part in zip(snapshot.segments, parts, strict=True)
    ]
    return replace(snapshot, traffic=whole, segments=tuple(segments))


def _replace_history(
    snapshot: PopulationSnapshot,
    population: Population,
    contents: Sequence[PopulationContent],
    starts: Floats,
) -> PopulationSnapshot:
    profiles = [content.view(population.plan).profile for content in contents]
    arrays = [profile.arrays() for profile in profiles]
    history = History.from_arrays(
        starts,
        np.array([profile.rows for profile in profiles], np.int64),
        {name: np.stack([own[name] for own in arrays]) for name in arrays[0]},
    )
    drift = population.drift
    return replace(
        snapshot,
        history=history,
        drift_history=None if drift is None else drift.history(history),
    )
