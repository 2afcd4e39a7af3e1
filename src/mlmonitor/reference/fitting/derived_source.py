"""Fit the entry of a text or embedding, and compute the columns derived from it."""

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mlmonitor.capture.values import Values
from mlmonitor.derived.columns import DerivedColumns
from mlmonitor.derived.embedding import (
    KERNEL_FEATURES,
    EmbeddingColumns,
    Kernel,
    as_vector,
    median_distance,
    most_common_length,
    vectors,
)
from mlmonitor.derived.text import TextColumns, Vocabulary, as_text, frequent_words
from mlmonitor.errors import SchemaError
from mlmonitor.formats.reference import EmbeddingReference, TextReference, derived_names
from mlmonitor.records import Kind, Role
from mlmonitor.reference.column_names import check_column_name
from mlmonitor.reference.fitting.reservoir import Sample
from mlmonitor.reference.fitting.sample_halves import SampleHalves
from mlmonitor.reference.fitting.stratification import Stratification, StratumKeys
from mlmonitor.reference.thresholds import Thresholds
from mlmonitor.stats.mmd import MMD, asymptotic_mmd, simulate_mmd

if TYPE_CHECKING:
    from numpy.random import Generator

SAMPLE_ROWS = {Kind.TEXT: 100_000, Kind.EMBEDDING: 10_000}
"""The maximum number of rows in the uniform sample."""

_BANDWIDTH_ROWS = 500


class Learned(NamedTuple):
    """The entry of a source, and the columns derived from its held-out rows."""

    entry: TextReference | EmbeddingReference
    names: list[str]
    columns: DerivedColumns


class Source:
    """A uniform sample of the values of one source, drawn independently of the other fields."""

    def __init__(
        self, role: Role, name: str, kind: Kind, rng: "Generator", strata: Stratification
    ) -> None:
        self._role, self._name, self._kind, self._rng = role, name, kind, rng
        self.held_out: SampleHalves = SampleHalves(SAMPLE_ROWS[kind], rng, strata)
        self._sample = Sample(None)

    def ingest(self, values: Values, rows: int, marks: StratumKeys) -> None:
        """Draw rows of a chunk into the sample, with their segments and seasons."""
        self.held_out.next_chunk(rows, marks)
        slots = self.held_out.slots
        keep = as_text if self._kind is Kind.TEXT else as_vector
        column: np.ndarray[Any, Any] = np.empty(rows, object)
        for row in {*range(slots.fresh), *slots.replaced_by.tolist()}:
            column[row] = keep(values[row])
        self._sample.ingest(column, slots)

    def learned(self, *, seed: int, thresholds: Thresholds | None) -> Learned:
        """Learn the source from one half of the rows, and derive the columns of the other half.

        Raises:
            SchemaError: there are too few values of its kind.
        """
        rows: list[object] = self._sample.rows(self.held_out.slots).tolist()
        design, rest = self.held_out.halves
        first, second = [rows[at] for at in design], [rows[at] for at in rest]
        parts = {
            "name": self._name,
            "role": self._role.value,
            "rows": len(rows),
            "missing": sum(row is None for row in rows),
        }
        if self._kind is Kind.TEXT:
            return self._fit_text(parts, first, second)
        entry = self._fit_embedding(parts, first, seed)
        read = EmbeddingColumns.read_from(entry).read(second)
        has_value = ~np.isnan(read.numeric[-1])
        if thresholds is not None and read.kernels is not None:
            features = read.kernels[:, has_value]
            if thresholds == "asymptotic":
                table = asymptotic_mmd(features, entry.design_rows)
            else:
                table = simulate_mmd(features, entry.design_rows, self._rng)
            entry = entry.model_copy(update={"critical": {MMD: table}})
        return _name_columns(entry, read)

    def _fit_text(
        self, parts: dict[str, Any], first: list[object], second: list[object]
    ) -> Learned:
        if not any(isinstance(value, str) for value in first):
            raise SchemaError(f"column {self._name!r}: expected texts, got too few")
        words = frequent_words(first)
        vocabulary = Vocabulary.from_words(words)
        entry = TextReference(
            kind="text",
            words=len(words),
            hashes=vocabulary.hashes,
            bits=vocabulary.base64,
            **parts,
        )
        return _name_columns(entry, TextColumns(vocabulary).read(second))

    def _fit_embedding(
        self, parts: dict[str, Any], first: list[object], seed: int
    ) -> EmbeddingReference:
        dimensions = most_common_length(first)
        read = vectors(first, dimensions)
        matrix = read.matrix[read.known]
        if dimensions < 2 or not len(matrix):
            raise SchemaError(
                f"column {self._name!r}: expected vectors of 2 to 4,096 numbers, got too few"
            )
        bandwidth = median_distance(matrix[:_BANDWIDTH_ROWS])
        kernel = Kernel(
            dimensions=dimensions, bandwidth=bandwidth, seed=seed, features=KERNEL_FEATURES
        )
        return EmbeddingReference(
            kind="embedding",
            design_rows=len(matrix),
            centroid=matrix.mean(axis=0).tolist(),
            bandwidth=bandwidth,
            seed=seed,
            kernel_mean=kernel.features(matrix).mean(axis=1).tolist(),
            **parts,
        )


def _name_columns(entry: TextReference | EmbeddingReference, columns: DerivedColumns) -> Learned:
    return Learned(entry, [check_column_name(name) for name in derived_names(entry)], columns)
