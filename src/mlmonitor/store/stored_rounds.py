"""Convert the hourly and daily rollups of the store to counts over the bins of a reference."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.aggregate.segments import ALL
from mlmonitor.aggregate.shapes import Shapes
from mlmonitor.aggregate.sketches.moments import Moments
from mlmonitor.aggregate.window import View
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.population import Population
from mlmonitor.compare.traffic import Comparing
from mlmonitor.config import Config
from mlmonitor.errors import ConfigError
from mlmonitor.fleet.profile_content import ProfileContent
from mlmonitor.fleet.rounds import ROUND_SECONDS
from mlmonitor.formats.events import clean_text
from mlmonitor.formats.reference import compute_reference_id
from mlmonitor.records import Declared, Role
from mlmonitor.reference.reference import Reference
from mlmonitor.store.backtest import drop_absent
from mlmonitor.store.stored_rows import StoredModel

_ANY = """
    select exists (
        select from mlmonitor.rollup_field
        where model = %(model)s and model_version = %(version)s and reference_id = %(reference)s
    )
"""
_FIELDS = """
    select extract(epoch from time)::double precision as at, segment, shard, role, field,
        array[valid, missing, nonfinite, wrong_type, out_of_range, new_category] as quality,
        below, above, count, mean, m2, min, max, bins
    from mlmonitor.rollup_field
    where model = %(model)s and model_version = %(version)s and reference_id = %(reference)s
        and span = %(span)s and time >= %(since)s and time < %(until)s
    order by time, segment, shard
"""
_ROWS = """
    select extract(epoch from time)::double precision, segment, sum(predictions)::bigint
    from mlmonitor.rollup_traffic
    where model = %(model)s and model_version = %(version)s and span = %(span)s
        and time >= %(since)s and time < %(until)s
    group by time, segment
"""


class StoredRounds(NamedTuple):
    """The stored counts of a model by round (an hour or a day), from oldest to newest.

    reference: the reference to compare with, without fields that the store does not contain.
    """

    reference: Reference
    rounds: list[ProfileContent]


def read_rounds(
    connection: Any, stored: StoredModel, reference: Reference, *, span: str, config: Config
) -> StoredRounds:
    """Read the rows of a period, from all processes, as counts by round (an hour or a day).

    span: the length of a round, `hour` or `day`. The store does not contain texts, embeddings and
    withheld fields, nor quantiles and the names of new categories.

    Promise: the counts equal those of one process that received all rows.
    Price: one query of rollups; individual rows are not read.

    Raises:
        ConfigError: the store has no rollups over this reference, or none of its fields.
    """
    kept = drop_absent(reference, stored.withheld(connection))
    about = {
        "model": stored.model,
        "version": stored.version,
        "reference": compute_reference_id(reference.content),
        "since": stored.since,
        "until": stored.until,
        "span": "hour" if reference.season is not None else span,
    }
    if not connection.execute(_ANY, about).fetchone()[0]:
        raise ConfigError(
            "reference: expected that of the stored predictions: a service with this file sends it "
            "to the store, which then sums up over its bins"
        )
    rows: dict[float, dict[str, int]] = defaultdict(dict)
    for at, segment, count in connection.execute(_ROWS, about):
        rows[at][segment] = count
    cursor = connection.execute(_FIELDS, about)
    names = [column.name for column in cursor.description]
    sums = (dict(zip(names, row, strict=True)) for row in cursor.fetchall())
    counting = _Counting(kept, config, ROUND_SECONDS[str(about["span"])])
    rounds: dict[int, ProfileContent] = {}
    for at, own in groupby(sums, key=lambda row: float(row["at"])):
        content = counting.build(at, list(own), rows[at])
        number = int(at // ROUND_SECONDS[span])
        if number in rounds:
            rounds[number].merge(content)
        else:
            rounds[number] = content
    return StoredRounds(kept, [rounds[number] for number in sorted(rounds)])


class _Counting:
    """Converts the rollups of one hour or day to counts over the plan of a reference."""

    def __init__(self, reference: Reference, config: Config, seconds: float) -> None:
        self._reference, self._seconds = reference, seconds
        self._options = ComparisonOptions.from_config(config)

    def build(
        self, at: float, sums: Sequence[Mapping[str, Any]], rows: Mapping[str, int]
    ) -> ProfileContent:
        """Convert the rollups that begin at `at`. rows: the number of rows of each segment."""
        declared = Declared(segments=self._reference.segments)
        comparing = Comparing.begin(self._reference, self._options, declared, now=at)
        populations, names = [comparing.population], [ALL]
        if comparing.segmentation is not None:
            populations += comparing.segmentation.split.populations
            names += comparing.segmentation.tally.names
        by_segment: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in sums:
            by_segment[row["segment"]].append(row)
        for name, population in zip(map(clean_text, names), populations, strict=True):
            profile = _build_profile(population, at, by_segment[name], rows.get(name, 0))
            shapes = Shapes(population.plan, self._options.hitters)
            population.absorb(View(profile, shapes))
        return ProfileContent.copy_from(comparing, at + self._seconds - 1.0)


def _build_profile(
    population: Population, at: float, sums: Sequence[Mapping[str, Any]], rows: int
) -> FieldProfile:
    """Add up the rollups of one segment over all shards."""
    plan = population.plan
    places = {(f.role.value, clean_text(f.name)): p for p, f in enumerate(plan.schema.fields)}
    profile = FieldProfile(plan)
    profile.rows = rows
    for _, own in groupby(sums, key=lambda row: row["shard"]):
        part = FieldProfile(plan)
        for row in own:
            place = places.get((row["role"], row["field"]))
            if place is not None:
                _add_field(part, place, row)
        part.sums = np.where(part.moments.count > 0, part.moments.sum, 0.0)
        profile.merge(part)
    if plan.season is not None:
        profile.seasons[:, plan.season.at(at)] += rows, _count_predicted(profile)
    return profile


def _add_field(profile: FieldProfile, place: int, row: Mapping[str, Any]) -> None:
    """Set the counts and moments of the field at index `place` to those of a database row."""
    numeric, bins = len(profile.bins), row["bins"][:-1]  # last: missing or refused
    profile.quality[place] = row["quality"]
    if place >= numeric:
        profile.categories[place - numeric, : len(bins)] = bins
        return
    profile.bins[place, : len(bins)] = bins
    profile.outliers[place] = row["below"], row["above"]
    moments: Moments = profile.moments
    if row["count"]:
        moments.exponent[place] = 0
        for name in ("count", "mean", "m2", "min", "max"):
            getattr(moments, name)[place] = row[name]


def _count_predicted(profile: FieldProfile) -> int:
    """Return the number of rows that have a prediction, valid or not."""
    fields, quality = profile.plan.schema.fields, profile.quality
    counts = (
        int(quality[p].sum()) for p, field in enumerate(fields) if field.role is Role.PREDICTION
    )
    return max(counts, default=0)
