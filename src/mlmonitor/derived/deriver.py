"""Derive fields from texts, embeddings and whole rows, in the service."""

from collections.abc import Collection, Sequence

import numpy as np

from mlmonitor.aggregate.plan import KernelPlan
from mlmonitor.capture.read.reader import Reader
from mlmonitor.capture.read.refusals import RefusalReason
from mlmonitor.capture.values import Values
from mlmonitor.derived.anomaly import Distances
from mlmonitor.derived.columns import DerivedColumns
from mlmonitor.derived.embedding import EmbeddingColumns
from mlmonitor.derived.text import TextColumns, Vocabulary
from mlmonitor.formats.reference import (
    SCORE,
    EmbeddingReference,
    FieldEntry,
    ReferenceFile,
    TextReference,
    derived_names,
)
from mlmonitor.records import Block, Field, Floats, Kind, Role, Schema
from mlmonitor.stats.mmd import MMD


def sources_of(content: ReferenceFile) -> list[TextReference | EmbeddingReference]:
    """Return the texts and embeddings of a reference, in the order of its fields."""
    return [e for e in content.fields if isinstance(e, TextReference | EmbeddingReference)]


def kernel_plans(content: ReferenceFile) -> list[KernelPlan]:
    """Return the kernel plan of each embedding of a reference, in the order of its fields."""
    return [
        KernelPlan(
            similarity=derived_names(entry)[-1],
            mean=np.array(entry.kernel_mean),
            rows=entry.design_rows,
            critical=tuple(entry.critical.get(MMD, ())),
        )
        for entry in sources_of(content)
        if isinstance(entry, EmbeddingReference)
    ]


class Deriver:
    """Adds the derived fields of a reference to each block.

    Price: that of `TextColumns`, `EmbeddingColumns` and `Distances`, if they are used.
    """

    def __init__(self, content: ReferenceFile, schema: Schema) -> None:
        self._entries = sources_of(content)
        self.sources: tuple[Field, ...] = tuple(
            Field(entry.name, Role(entry.role), Kind(entry.kind)) for entry in self._entries
        )
        self._columns = [_build_columns(entry) for entry in self._entries]
        self._names = [f.name for f in schema.numeric if f.role is Role.DERIVED]
        self._distances: Distances | None = None
        if content.anomaly is not None:
            self._distances = Distances.read(content.anomaly)
            self._threshold = content.anomaly.threshold
            numeric = enumerate(schema.numeric)
            places = {f.name: place for place, f in numeric if f.role is Role.FEATURE}
            self._scored = [places[name] for name in content.anomaly.names]

    @property
    def nbytes(self) -> int:
        """Maximum memory held, in bytes."""
        columns = sum(columns.nbytes for columns in self._columns)
        means = sum(8 * len(e.kernel_mean) for e in self._entries if e.kind == "embedding")
        return columns + means + (0 if self._distances is None else self._distances.nbytes)

    def extend(self, block: Block, raw: Sequence[Values]) -> Block:
        """Append the derived fields to a block; `raw` holds the values of each source."""
        by_name: dict[str, DerivedColumns] = {}
        kernels: list[Floats] = []
        for entry, columns, values in zip(self._entries, self._columns, raw, strict=True):
            read = columns.read(values)
            if read.kernels is not None:
                kernels.append(read.kernels)
            for place, name in enumerate(derived_names(entry)):
                row = slice(place, place + 1)
                by_name[name] = DerivedColumns(read.numeric[row], read.reasons[row])
        categorical = list(block.categorical)
        if self._distances is not None:
            score = self._distances.score(block.numeric[self._scored])
            lost = np.where(np.isnan(score), RefusalReason.MISSING, RefusalReason.GIVEN).astype(
                np.int8
            )
            by_name[SCORE] = DerivedColumns(score[None, :], lost[None, :])
            categorical.append(_flag_anomalies(score, self._threshold))
        derived = [by_name[name] for name in self._names]
        own = block.reasons
        if own is None and not block.refused.any() and any(d.reasons.any() for d in derived):
            own = np.zeros(block.numeric.shape, np.int8)
        return Block(
            block.rows,
            np.vstack([block.numeric, *(columns.numeric for columns in derived)]),
            np.vstack([block.refused, *(columns.refused for columns in derived)]),
            categorical,
            None if own is None else np.vstack([own, *(columns.reasons for columns in derived)]),
            block.season,
            np.vstack(kernels) if kernels else block.kernels,
        )


def reader_of(
    deriver: Deriver, schema: Schema, *, ignore: Collection[str], keeps_reasons: bool = False
) -> Reader:
    """Make a reader whose blocks hold every field of `schema`, including derived ones."""
    own = [field for field in schema.fields if field.role is not Role.DERIVED]
    if len(own) == len(schema):
        return Reader(schema, ignore=ignore, keeps_reasons=keeps_reasons)
    return Reader(
        Schema(own),
        ignore=ignore,
        keeps_reasons=keeps_reasons,
        sources=deriver.sources,
        extend=deriver.extend,
    )


def _build_columns(entry: FieldEntry) -> TextColumns | EmbeddingColumns:
    if isinstance(entry, TextReference):
        return TextColumns(Vocabulary.read(entry))
    if isinstance(entry, EmbeddingReference):
        return EmbeddingColumns.read_from(entry)
    raise TypeError(f"expected a text or an embedding, got {entry.kind}")


def _flag_anomalies(score: Floats, threshold: float) -> list[object]:
    """Return whether each row is anomalous; None for a row without a score."""
    beyond: list[object] = (score > threshold).tolist()
    if not np.isnan(score).any():
        return beyond
    return [None if lost else flag for flag, lost in zip(beyond, np.isnan(score), strict=True)]
