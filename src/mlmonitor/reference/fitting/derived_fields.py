"""Fit the fields that are derived from texts, embeddings and whole rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from mlmonitor.capture.read.numbers import parse_floats
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.derived.anomaly import Distances, Scaling, shrunk_covariance
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import (
    ANOMALOUS,
    MOST_SCORED,
    SCORE,
    AnomalyReference,
    CountedEntry,
    FieldEntry,
    SegmentReference,
)
from mlmonitor.records import SOURCES, Kind, Role
from mlmonitor.reference.fitting.derived_source import Source
from mlmonitor.reference.fitting.fit import Fitted
from mlmonitor.reference.fitting.reservoir import Sample
from mlmonitor.reference.fitting.sample_halves import Derived, SampleHalves
from mlmonitor.reference.fitting.stratification import Stratification
from mlmonitor.reference.kind_inference import infer_kind
from mlmonitor.reference.thresholds import FieldOptions
from mlmonitor.reference.training_data import Chunk, Columns

ROWS = 20_000
"""The anomaly score is fitted on a uniform sample of at most this many rows."""

ANOMALOUS_SHARE = 0.01

Identity = tuple[Role, str]


class FittedReference(NamedTuple):
    """All fields in the order of the columns, then derived ones; segments; the anomaly score."""

    fields: list[FieldEntry]
    segments: list[SegmentReference]
    anomaly: AnomalyReference | None = None


class Derivations:
    """Takes texts and embeddings (sources) out of the training data, and fits derived fields.

    schema: declared kinds. strata: the segments and seasons that split the rows. scored: whether
    rows get an anomaly score from all numeric features, or the names of the features to use.
    is_lenient: whether a source without usable values is skipped instead of raising.
    """

    def __init__(
        self,
        schema: Mapping[str, Kind],
        strata: Stratification,
        *,
        scored: bool | Sequence[str] = False,
        seed: int = 0,
        is_lenient: bool = False,
    ) -> None:
        self.others: dict[str, Kind] = {n: k for n, k in schema.items() if k not in SOURCES}
        self._kinds = {name: kind for name, kind in schema.items() if kind in SOURCES}
        self._scored, self._is_lenient, self._strata = scored, is_lenient, strata
        self._rng = np.random.default_rng([seed, 1])
        self._seed = seed % (1 << 32)
        self._order: list[Identity] = []
        self._sources: dict[Identity, Source] = {}
        self._numeric: dict[str, Sample] = {}
        self._rows = SampleHalves(ROWS, self._rng, strata)

    def passing(self, parts: Iterator[Chunk]) -> Iterator[Chunk]:
        """Sample the sources of each chunk, and yield the chunk without their columns."""
        if not self._kinds and not self._scored:
            yield from parts
            return
        for chunk in parts:
            if chunk.rows:
                self._ingest(chunk)
            own = {i: values for i, values in chunk.columns.items() if i[1] not in self._kinds}
            yield chunk._replace(columns=own)

    def completed(self, fitted: Fitted, options: FieldOptions) -> FittedReference:
        """Return the fitted fields together with the derived ones.

        Raises:
            SchemaError: a source has no values of its kind, no usable feature is left for the
                anomaly score, or two derived fields would have the same name.
        """
        if not fitted.entries and not self._sources:
            raise SchemaError("features: expected at least one column with at least one row")
        if not self._order:
            return FittedReference(list(fitted.entries), fitted.segments)
        entries: dict[Identity, FieldEntry] = {(Role(e.role), e.name): e for e in fitted.entries}
        derived: list[Derived] = []
        for identity, source in self._sources.items():
            try:
                learned = source.learned(seed=self._seed, thresholds=options.thresholds)
            except SchemaError:
                if self._is_lenient:
                    continue
                raise
            entries[identity] = learned.entry
            derived += [
                source.held_out.field(name, Kind.NUMERIC, column, reasons, fitted.segments, options)
                for name, column, reasons in zip(
                    learned.names, learned.columns.numeric, learned.columns.reasons, strict=True
                )
            ]
        anomaly = None
        if self._scored:
            anomaly, judged = self._fit_anomaly(fitted, options)
            derived += judged
        _refuse_twice(derived)
        fields = [entries[identity] for identity in self._order if identity in entries]
        segments = [
            segment.model_copy(
                update={"fields": segment.fields + [field.parts[at] for field in derived]}
            )
            for at, segment in enumerate(fitted.segments)
        ]
        return FittedReference(fields + [field.entry for field in derived], segments, anomaly)

    def _ingest(self, chunk: Chunk) -> None:
        if not self._order:
            self._begin(chunk.columns)
        for identity, source in self._sources.items():
            if identity in chunk.columns:
                source.ingest(chunk.columns[identity], chunk.rows, chunk.marks)
        if self._numeric:
            self._rows.next_chunk(chunk.rows, chunk.marks)
        for name, sample in self._numeric.items():
            if (Role.FEATURE, name) in chunk.columns:
                sample.ingest(parse_floats(chunk.columns[Role.FEATURE, name])[0], self._rows.slots)

    def _begin(self, columns: Columns) -> None:
        for name in self._kinds:
            if name not in {column for _, column in columns}:
                raise SchemaError(f"schema: there is no column {name!r}")
        self._order = list(columns)
        for role, name in columns:
            if name in self._kinds:
                if role is Role.ACTUAL:
                    raise SchemaError(f"schema: {name!r}: actuals cannot be texts or embeddings")
                kind = self._kinds[name]
                self._sources[role, name] = Source(role, name, kind, self._rng, self._strata)
            elif self._scored and role is Role.FEATURE:
                kind_of_column = self.others.get(name) or infer_kind(name, columns[role, name])
                if kind_of_column in (None, Kind.NUMERIC):
                    self._numeric[name] = Sample(np.nan)

    def _fit_anomaly(
        self, fitted: Fitted, options: FieldOptions
    ) -> tuple[AnomalyReference, list[Derived]]:
        names = self._choose_scored_names(fitted.entries)
        values = np.stack([self._numeric[name].rows(self._rows.slots) for name in names])
        design, rest = self._rows.halves
        scaling = Scaling.fit(values[:, design])
        used = np.flatnonzero(scaling.scale > 0)
        if not used.size:
            raise SchemaError("anomaly_score: expected a numeric feature that is not constant")
        scaling = Scaling(scaling.centre[used], scaling.scale[used])
        covariance = shrunk_covariance(scaling.apply(values[np.ix_(used, design)]))
        score = Distances(scaling, covariance).score(values[np.ix_(used, rest)])
        scores = score[~np.isnan(score)]
        if not scores.size:
            raise SchemaError("anomaly_score: expected more rows with a number")
        threshold = float(np.quantile(scores, 1 - ANOMALOUS_SHARE, method="inverted_cdf"))
        anomaly = AnomalyReference(
            names=[names[at] for at in used.tolist()],
            centre=scaling.centre.tolist(),
            scale=scaling.scale.tolist(),
            covariance=covariance[np.tril_indices(used.size)].tolist(),
            threshold=threshold,
        )
        flags = [None if np.isnan(x) else bool(x > threshold) for x in score.tolist()]
        field, parts = self._rows.field, fitted.segments
        lost = np.where(np.isnan(score), RefusalReason.MISSING, RefusalReason.GIVEN).astype(np.int8)
        return anomaly, [
            field(SCORE, Kind.NUMERIC, score, lost, parts, options),
            field(ANOMALOUS, Kind.BOOLEAN, flags, lost, parts, options),
        ]

    def _choose_scored_names(self, entries: Sequence[CountedEntry]) -> list[str]:
        numeric = [e.name for e in entries if (e.role, e.kind) == ("feature", "numeric")]
        names = numeric if isinstance(self._scored, bool) else list(self._scored)
        for name in names:
            if name not in numeric or name not in self._numeric:
                raise SchemaError(
                    f"anomaly_score: {name!r}: expected the name of a numeric feature"
                )
        if not 1 <= len(names) <= MOST_SCORED:
            raise SchemaError(
                f"anomaly_score: expected 1 to {MOST_SCORED} numeric features, got {len(names)}: "
                "name those that matter, anomaly_score=[...]"
            )
        return names


def _refuse_twice(derived: Sequence[Derived]) -> None:
    names = [field.entry.name for field in derived]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"schema: {name!r} would be derived twice: rename a column")
