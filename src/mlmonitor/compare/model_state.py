"""Everything observed of one model: its calls, rows, labels and figures, beside the reference."""

from collections.abc import Iterator, Sequence

from mlmonitor.aggregate.call_stats import CallStats
from mlmonitor.aggregate.exemplars import rows_with_origin
from mlmonitor.aggregate.window import Span
from mlmonitor.buffer.pending import Pending
from mlmonitor.capture.entry import Entry
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.read.rows import rows_of
from mlmonitor.compare.alerts.alert import Alert
from mlmonitor.compare.alerts.significance import Significance
from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.kpis import Kpis
from mlmonitor.compare.performance.labels import LabelledOutcomes, PredictionKeeper
from mlmonitor.compare.population import Population
from mlmonitor.compare.traffic import Traffic
from mlmonitor.config import Config
from mlmonitor.gil import yield_gil
from mlmonitor.records import Declared
from mlmonitor.reference.reference import Reference

OTHER_FIELDS = "__unknown__"


class ModelState:
    """What a process knows of its model, fed by the pipeline; times are seconds that never fall."""

    def __init__(
        self,
        config: Config,
        reference: Reference | None,
        *,
        declared: Declared,
        started_at: float,
    ) -> None:
        self.has_segments: bool = bool(declared.segments)
        span = Span(config.window_seconds, config.window_rows, config.window_slices)
        level = Significance(
            config.alpha, 1, config.drift_tolerance, config.min_rows, config.quality_tolerance
        )
        self._lens = ComparisonOptions(span, level, config.heavy_hitters, config.outlier_deviations)
        self._started_at = started_at
        self.calls: CallStats = CallStats(span, now=started_at)
        self.pending: Pending = Pending(config.pending_predictions, PredictionKeeper.COLUMNS)
        self._keeper = PredictionKeeper(self.pending)
        self.kpis: Kpis = Kpis(span)
        self.watched: Traffic = Traffic(
            reference,
            self._lens,
            declared,
            baseline_rows=config.baseline_rows,
            most_segments=config.max_segments,
        )
        self._labels: LabelledOutcomes | None = None
        self._moment_ns = 0

    def count(self, entries: Sequence[Entry], *, now: float, is_traced: bool = False) -> None:
        """Take in calls as such; of their rows, `take` does.

        is_traced: whether some may have an origin. No two drains' exemplars share a time: so it
        tells those that were exported from those that were not.
        """
        self.calls.update(entries, now=now)
        if is_traced:
            self._moment_ns = max(int(now * 1e9), self._moment_ns + 1)
            self.calls.update_exemplars(entries, self._moment_ns)

    def take(self, run: Sequence[Entry], *, now: float, is_traced: bool = False) -> None:
        """Take in calls of one form; raises, with none of them taken, if one cannot be read."""
        rows = rows_of(run)
        codes = self.watched.codes(rows, now=now)
        self._keeper.remember(rows, codes, now=now)
        yield_gil()
        block = self.watched.take(rows, codes, now=now)
        if is_traced and block is not None and self.watched.population is not None:
            traced = rows_with_origin(run, block.rows)
            self.watched.population.note(block, *traced, self._moment_ns)

    def is_forgotten(self, entry: Entry) -> bool:
        """Whether a call that was named late had been taken by then, and so waits under no name."""
        return entry[-1][0] not in self.pending

    def remember(self, run: Sequence[Entry], *, now: float) -> None:
        """Keep the predictions of calls of one form, which were counted before they had a name."""
        rows = rows_of(run)
        self._keeper.remember(rows, self.watched.codes(rows, now=now), now=now)

    @property
    def labels(self) -> LabelledOutcomes | None:
        """Labels can be taken once there is a reference: its bins are the errors' buckets."""
        if self._labels is None and self.watched.reference is not None:
            self._labels = LabelledOutcomes(
                self.watched.reference,
                self.pending,
                self._lens,
                has_segments=self.has_segments,
            )
        return self._labels

    def match_unread(self, entries: Sequence[LabelEntry]) -> None:
        """Match labels that there is no reference for: they are counted, but make no errors."""
        for entry, is_last_try in self.pending.due(entries):
            self.pending.match(entry, is_last_try=is_last_try)

    def populations(self, *, now: float) -> Iterator[Population]:
        """All there are: those of the whole, then those of each segment."""
        yield from self.whole(now=now)
        for place in range(len(self.segment_names)):
            yield from self.segment(place)

    @property
    def segment_names(self) -> tuple[str, ...]:
        """The segments, in the order of their codes; none before there is a reference."""
        segmented = self.watched.segmented
        return () if segmented is None else segmented.tally.names

    def segment(self, place: int) -> Iterator[Population]:
        """The populations of one segment: features and predictions, then actuals."""
        for known in (self.watched.segmented, self.labels):
            if known is not None and known.split is not None:
                yield known.split.populations[place]

    def whole(self, *, now: float) -> Iterator[Population]:
        """Features and predictions, then actuals, then each figure: those there are."""
        ready = self.watched.ready(now=now)
        if ready is not None:
            yield ready
        labels = self.labels
        actuals = labels.ready(now=now) if labels is not None else None
        if actuals is not None:
            yield actuals
        yield from self.kpis.populations.values()

    def due(self, *, rows: int, seconds: float, now: float) -> Iterator[Population]:
        """The populations whose last look was so many rows and so many seconds ago."""
        for population in self.populations(now=now):
            if population.unweighed >= rows and now - population.looked_at >= seconds:
                yield population

    def simulate_next(self, *, now: float) -> None:
        """Work out a part of what chance makes of a learned reference, where some is left."""
        for population in self.populations(now=now):
            if population.drift is not None and population.drift.simulate_next():
                return

    def alerts(self, *, now: float) -> Iterator[Alert]:
        """The alerts that hold."""
        for population in self.populations(now=now):
            yield from population.alerts

    def unknown(self) -> dict[str, int]:
        """Values of fields that the reference does not know, by name."""
        reader = self.watched.reader
        if reader is None:
            return {}
        return {name or OTHER_FIELDS: count for name, count in reader.unknown.items()}

    @property
    def memory_bytes(self) -> int:
        """What is held at most, as a function of the configuration and the reference."""
        populations = list(self.populations(now=self._started_at))
        held = sum(population.memory_bytes for population in populations)
        drifts = [each.drift for each in populations if each.drift is not None]
        held += max((drift.simulation_nbytes for drift in drifts), default=0)
        sums = [] if self.labels is None else [self.labels.errors, *self.labels.segment_errors]
        held += sum(each.nbytes for each in sums)
        watched = self.watched
        of_rows = watched.reference, watched.deriver, watched.segmented
        held += sum(each.nbytes for each in of_rows if each is not None)
        return held + self.calls.latency.memory_bytes + self.pending.memory_bytes
