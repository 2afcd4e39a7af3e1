"""At fit: what is learned of texts, embeddings and rows, and the fields derived from them.

What a derivation learns is learned from one half of the rows, and the fields derived are fitted on
the other: a row lies nearer to a centre that it helped to make than any row to come.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.columns import Values, numbers
from mlmonitor.compare.anomaly import Distances, Scaling, shrunk_covariance
from mlmonitor.compare.embedding import (
    KERNEL_FEATURES,
    EmbeddingColumns,
    Kernel,
    kept_vector,
    median_distance,
    most_common_length,
    vectors,
)
from mlmonitor.compare.fit import Entry, FieldSample, known_kind
from mlmonitor.compare.mmd import MMD, simulated_mmd
from mlmonitor.compare.slots import Sample, Slots
from mlmonitor.compare.text import TextColumns, Vocabulary, frequent_words, kept_text
from mlmonitor.compare.training import Columns, checked_name
from mlmonitor.errors import SchemaError
from mlmonitor.records import Counts, Floats, Kind, Role
from mlmonitor.reference_format import (
    ANOMALOUS,
    MOST_SCORED,
    SCORE,
    AnomalyReference,
    EmbeddingReference,
    FieldEntry,
    TextReference,
    derived_names,
)

SAMPLE_ROWS = {Kind.TEXT: 100_000, Kind.EMBEDDING: 10_000, Kind.NUMERIC: 20_000}
"""Of more rows a uniform sample is taken, by what is derived from them."""

ANOMALOUS_SHARE = 0.01
_BANDWIDTH_ROWS = 500

Identity = tuple[Role, str]


class Options(NamedTuple):
    """How fields are fitted: see `fitted`."""

    bins: int
    has_critical: bool


class Derivations:
    """Takes the sources out of training data as it passes by, and adds the fields derived.

    schema: kinds that are declared. scored: whether rows are to be judged by all numeric features,
    or the names of those they shall be judged by. is_lenient: leave out a source of which nothing
    can be learned, in place of refusing it.
    """

    def __init__(
        self,
        schema: Mapping[str, Kind],
        *,
        scored: bool | Sequence[str] = False,
        seed: int = 0,
        is_lenient: bool = False,
    ) -> None:
        kinds = (Kind.TEXT, Kind.EMBEDDING)
        self.others: dict[str, Kind] = {n: k for n, k in schema.items() if k not in kinds}
        self._sources = {name: kind for name, kind in schema.items() if kind in kinds}
        self._scored, self._is_lenient = scored, is_lenient
        self._rng = np.random.default_rng([seed, 1])
        self._seed = seed % (1 << 32)
        self._order: list[Identity] = []
        self._samples: dict[Identity, _Source] = {}
        self._numeric: dict[str, Sample] = {}
        self._slots = Slots(SAMPLE_ROWS[Kind.NUMERIC], self._rng)

    def passing(self, parts: Iterator[tuple[Columns, int]]) -> Iterator[tuple[Columns, int]]:
        """The parts without their sources; they are sampled on the way."""
        if not self._sources and not self._scored:
            yield from parts
            return
        for columns, rows in parts:
            if rows and not self._order:
                self._begin(columns)
            for identity, source in self._samples.items():
                if rows and identity in columns:
                    source.take(columns[identity], rows)
            if rows:
                self._take_numeric(columns, rows)
            yield {i: values for i, values in columns.items() if i[1] not in self._sources}, rows

    def completed(
        self, entries: Sequence[Entry], options: Options
    ) -> tuple[list[FieldEntry], AnomalyReference | None]:
        """All fields in the order of the columns, then those derived; and what judges rows.

        Raises:
            SchemaError: a source holds nothing of its kind, or there is nothing to judge rows by.
        """
        if not entries and not self._samples:
            raise SchemaError("features: wanted at least one column with at least one row")
        if not self._order:
            return list(entries), None
        known: dict[Identity, FieldEntry] = {(Role(e.role), e.name): e for e in entries}
        derived: list[FieldEntry] = []
        for identity, source in self._samples.items():
            try:
                entry, columns = source.fitted(self._rng, self._seed, options)
            except SchemaError:
                if self._is_lenient:
                    continue
                raise
            known[identity] = entry
            derived += [_numeric_entry(name, column, options) for name, column in columns.items()]
        anomaly = None
        if self._scored:
            anomaly, fields = self._anomaly(entries, options)
            derived += fields
        _refuse_twice(derived)
        return [known[each] for each in self._order if each in known] + derived, anomaly

    def _begin(self, columns: Columns) -> None:
        for name in self._sources:
            if name not in {known for _, known in columns}:
                raise SchemaError(f"schema: there is no column {name!r}")
        self._order = list(columns)
        for role, name in columns:
            if name in self._sources:
                if role is Role.ACTUAL:
                    raise SchemaError(f"schema: {name!r}: actuals cannot be texts or embeddings")
                self._samples[role, name] = _Source(role, name, self._sources[name], self._rng)
            elif self._scored and role is Role.FEATURE:
                kind = self.others.get(name) or known_kind(name, columns[role, name])
                if kind in (None, Kind.NUMERIC):
                    self._numeric[name] = Sample(np.nan)

    def _take_numeric(self, columns: Columns, rows: int) -> None:
        self._slots.next_chunk(rows)
        for name, sample in self._numeric.items():
            if (Role.FEATURE, name) in columns:
                sample.take(numbers(columns[Role.FEATURE, name])[0], self._slots)

    def _anomaly(
        self, entries: Sequence[Entry], options: Options
    ) -> tuple[AnomalyReference, list[FieldEntry]]:
        names = self._scored_names(entries)
        values = np.stack([self._numeric[name].rows(self._slots) for name in names])
        design, rest = _halves(values.shape[1], self._rng)
        scaling = Scaling.of(values[:, design])
        used = np.flatnonzero(scaling.scale > 0)
        if not used.size or not rest.size:
            raise SchemaError("anomaly_score: wanted a numeric feature that is not constant")
        scaling = Scaling(scaling.centre[used], scaling.scale[used])
        covariance = shrunk_covariance(scaling.apply(values[np.ix_(used, design)]))
        score = Distances(scaling, covariance).score(values[np.ix_(used, rest)])
        scores = np.sort(score[~np.isnan(score)])
        if not scores.size:
            raise SchemaError("anomaly_score: wanted more rows with a number")
        threshold = float(np.quantile(scores, 1 - ANOMALOUS_SHARE, method="inverted_cdf"))
        anomaly = AnomalyReference(
            names=[names[at] for at in used.tolist()],
            centre=scaling.centre.tolist(),
            scale=scaling.scale.tolist(),
            covariance=covariance[np.tril_indices(used.size)].tolist(),
            threshold=threshold,
        )
        flags = [None if np.isnan(x) else bool(x > threshold) for x in score.tolist()]
        return anomaly, [
            _numeric_entry(SCORE, score, options),
            _entry(ANOMALOUS, Kind.BOOLEAN, flags, options),
        ]

    def _scored_names(self, entries: Sequence[Entry]) -> list[str]:
        known = [e.name for e in entries if (e.role, e.kind) == ("feature", "numeric")]
        names = known if isinstance(self._scored, bool) else list(self._scored)
        for name in names:
            if name not in known or name not in self._numeric:
                raise SchemaError(f"anomaly_score: {name!r}: wanted the name of a numeric feature")
        if not 1 <= len(names) <= MOST_SCORED or len(set(names)) < len(names):
            raise SchemaError(
                f"anomaly_score: wanted 1 to {MOST_SCORED} numeric features, each once, met "
                f"{len(names)}: name those that matter, anomaly_score=[...]"
            )
        return names


class _Source:
    """One source's training values: a uniform sample of rows of its own."""

    def __init__(self, role: Role, name: str, kind: Kind, rng: np.random.Generator) -> None:
        self._role, self._name, self._kind = role, name, kind
        self._slots = Slots(SAMPLE_ROWS[kind], rng)
        self._sample = Sample(None)

    def take(self, values: Values, rows: int) -> None:
        """Keep those rows of a chunk that the sample has slots for."""
        self._slots.next_chunk(rows)
        keep = kept_text if self._kind is Kind.TEXT else kept_vector
        wanted = {*range(self._slots.fresh), *self._slots.replaced_by.tolist()}
        column: np.ndarray[Any, Any] = np.empty(rows, object)
        for row in wanted:
            column[row] = keep(values[row])
        self._sample.take(column, self._slots)

    def fitted(
        self, rng: np.random.Generator, seed: int, options: Options
    ) -> tuple[FieldEntry, dict[str, Floats]]:
        """The source as it is saved, and the columns derived of the rows it did not learn from."""
        rows: list[object] = self._sample.rows(self._slots).tolist()
        design, rest = _halves(len(rows), rng)
        learned, others = [rows[at] for at in design], [rows[at] for at in rest]
        told = {
            "name": self._name,
            "role": self._role.value,
            "rows": len(rows),
            "missing": sum(row is None for row in rows),
        }
        entry: FieldEntry
        if self._kind is Kind.TEXT:
            entry, numeric = self._text(told, learned, others)
        else:
            entry, numeric = self._embedding(told, learned, others, seed)
            if options.has_critical:
                features = EmbeddingColumns.read_from(entry).read(others)[2]
                known = ~np.isnan(numeric[2])
                table = simulated_mmd(features[:, known], entry.design_rows, rng)
                entry = entry.model_copy(update={"critical": {MMD: table}})
        names = [checked_name(name) for name in derived_names(entry)]
        return entry, dict(zip(names, numeric, strict=True))

    def _text(
        self, told: dict[str, Any], learned: list[object], others: list[object]
    ) -> tuple[TextReference, Floats]:
        if not any(isinstance(value, str) for value in learned):
            raise SchemaError(f"column {self._name!r}: wanted texts, met too few")
        words = frequent_words(learned)
        vocabulary = Vocabulary.of(words)
        entry = TextReference(
            kind="text",
            words=len(words),
            hashes=vocabulary.hashes,
            bits=vocabulary.base64,
            **told,
        )
        return entry, TextColumns(vocabulary).read(others)[0]

    def _embedding(
        self, told: dict[str, Any], learned: list[object], others: list[object], seed: int
    ) -> tuple[EmbeddingReference, Floats]:
        dimensions = most_common_length(learned)
        found = vectors(learned, dimensions)
        matrix = found.matrix[found.known]
        if dimensions < 2 or not len(matrix) or most_common_length(others) == 0:
            raise SchemaError(
                f"column {self._name!r}: wanted vectors of 2 to 4,096 numbers, met too few"
            )
        bandwidth = median_distance(matrix[:_BANDWIDTH_ROWS])
        kernel = Kernel(
            dimensions=dimensions, bandwidth=bandwidth, seed=seed, features=KERNEL_FEATURES
        )
        entry = EmbeddingReference(
            kind="embedding",
            design_rows=len(matrix),
            centroid=matrix.mean(axis=0).tolist(),
            bandwidth=bandwidth,
            seed=seed,
            kernel_mean=kernel.features(matrix).mean(axis=1).tolist(),
            **told,
        )
        return entry, EmbeddingColumns.read_from(entry).read(others)[0]


def _halves(rows: int, rng: np.random.Generator) -> tuple[Counts, Counts]:
    """Rows drawn to learn from, and the others; of a single row, it and it."""
    drawn = rng.permutation(rows)
    half = max(rows // 2, 1)
    return np.sort(drawn[:half]), np.sort(drawn[half:] if rows > 1 else drawn)


def _numeric_entry(name: str, column: Floats, options: Options) -> Entry:
    return _entry(name, Kind.NUMERIC, column, options)


def _entry(name: str, kind: Kind, column: Values, options: Options) -> Entry:
    slots = Slots(None, np.random.default_rng(0))  # draws nothing: all rows are kept
    slots.next_chunk(len(column))
    sample = FieldSample(Role.DERIVED, name, declared=kind)
    sample.take(column, slots)
    return sample.entry(slots, bins=options.bins, has_critical=options.has_critical)


def _refuse_twice(derived: Sequence[FieldEntry]) -> None:
    names = [entry.name for entry in derived]
    for name in names:
        if names.count(name) > 1:
            raise SchemaError(f"schema: {name!r} would be derived twice: rename a column")
