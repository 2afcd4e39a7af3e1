"""Entries for the sources of derived fields: texts, embeddings and whole rows."""

import base64
import binascii
import math
import sys
from collections.abc import Iterable
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

from mlmonitor.formats.reference.entries import (
    NUMBER_BYTES,
    Count,
    CountedEntry,
    FieldReference,
    Finite,
    Name,
    want,
)
from mlmonitor.records import MOST_DIMENSIONS

MOST_SCORED = 200
MOST_FILTER_BITS = 1 << 20
MOST_KERNEL_FEATURES = 1_024

_Base64 = Annotated[str, StringConstraints(max_length=MOST_FILTER_BITS // 6 + 8)]
_Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class TextReference(FieldReference):
    """A text field: a Bloom filter with the words of the training data; no word is stored as text.

    bits: the filter in base64. words: number of distinct words in it. hashes: number of bits per
    word.
    """

    kind: Literal["text"]
    words: Count
    hashes: Annotated[int, Field(ge=1, le=32)]
    bits: _Base64

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        return super().nbytes + len(self.bits) + 100

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        try:
            size = 8 * len(base64.b64decode(self.bits, validate=True))
        except (binascii.Error, ValueError):
            raise ValueError("bits: expected base64") from None
        want(8 <= size <= MOST_FILTER_BITS, f"bits: expected 8 to {MOST_FILTER_BITS:,} of them")
        want(size & (size - 1) == 0, "bits: expected a power of two of them")
        return self


class EmbeddingReference(FieldReference):
    """A field of vectors: their centroid, and the mean of their random Fourier features.

    Both are means over `design_rows` rows; the derived fields summarise other rows. `seed`
    reproduces the features: `len(kernel_mean) / 2` frequencies, each with a cosine and a sine.
    """

    kind: Literal["embedding"]
    design_rows: Annotated[int, Field(ge=1, le=1 << 53)]
    centroid: Annotated[list[Finite], Field(min_length=2, max_length=MOST_DIMENSIONS)]
    bandwidth: _Scale
    seed: Annotated[int, Field(ge=0, lt=1 << 32)]
    kernel_mean: Annotated[list[Finite], Field(min_length=2, max_length=MOST_KERNEL_FEATURES)]

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        return super().nbytes + (len(self.centroid) + len(self.kernel_mean)) * NUMBER_BYTES

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        want(len(self.kernel_mean) % 2 == 0, "kernel_mean: expected cosines and as many sines")
        length = sum(x * x for x in self.kernel_mean)
        want(length <= 1 + 1e-9, "kernel_mean: expected a mean of vectors of length 1")
        return self


class AnomalyReference(BaseModel):
    """The centres, scales and covariance of the features from which the anomaly score is computed.

    `covariance` is the lower triangle, row by row. A row is anomalous if its score exceeds
    `threshold`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", strict=True, defer_build=True
    )

    names: Annotated[list[Name], Field(min_length=1, max_length=MOST_SCORED)]
    centre: list[Finite]
    scale: list[_Scale]
    covariance: Annotated[list[Finite], Field(max_length=MOST_SCORED * (MOST_SCORED + 1) // 2)]
    threshold: Finite

    @property
    def nbytes(self) -> int:
        """Upper bound of the memory in bytes after loading."""
        figures = len(self.centre) + len(self.scale) + len(self.covariance)
        return sum(map(sys.getsizeof, self.names)) + figures * NUMBER_BYTES + 2_000

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        size = len(self.names)
        want(len(set(self.names)) == size, "names: expected each once")
        want(len(self.centre) == size, f"centre: expected {size}")
        want(len(self.scale) == size, f"scale: expected {size}")
        cells = size * (size + 1) // 2
        want(len(self.covariance) == cells, f"covariance: expected {cells}, a lower triangle")
        want(_is_covariance(self.covariance, size), "covariance: expected positive definite")
        return self


def _is_covariance(triangle: list[float], size: int) -> bool:
    """Whether the matrix is positive definite, with a Cholesky factor that is safe to divide by."""
    matrix = np.zeros((size, size))
    matrix[np.tril_indices(size)] = triangle
    if np.abs(matrix).max() > 1e6:
        return False
    try:
        factor = np.linalg.cholesky(matrix)  # reads only the lower triangle
    except np.linalg.LinAlgError:
        return False
    return bool(np.diag(factor).min() > 1e-4)


TEXT_FIELDS = ("length", "words", "unknown_words")
EMBEDDING_FIELDS = ("norm", "cosine", "kernel_similarity")
SCORE, ANOMALOUS = "anomaly_score", "anomalous"

FieldEntry = CountedEntry | TextReference | EmbeddingReference


def counted(fields: Iterable[FieldEntry]) -> list[CountedEntry]:
    """Return the entries that have bins: all except texts and embeddings."""
    return [entry for entry in fields if isinstance(entry, CountedEntry)]


def derived_names(entry: FieldEntry) -> list[str]:
    """Return the names of the fields derived from `entry`; only texts and embeddings have any."""
    match entry:
        case TextReference():
            return [f"{entry.name}.{suffix}" for suffix in TEXT_FIELDS]
        case EmbeddingReference():
            return [f"{entry.name}.{suffix}" for suffix in EMBEDDING_FIELDS]
        case _:
            return []


def check_derived(fields: list[FieldEntry], anomaly: AnomalyReference | None) -> None:
    """Check that derived fields and their sources match; raise ValueError otherwise."""
    names = [name for entry in fields for name in derived_names(entry)]
    want(len(set(names)) == len(names), "fields: expected each derived from one of them")
    expected = {(name, "numeric") for name in names}
    if anomaly is not None:
        expected |= {(SCORE, "numeric"), (ANOMALOUS, "boolean")}
        numeric_names = {e.name for e in fields if (e.role, e.kind) == ("feature", "numeric")}
        want(numeric_names >= set(anomaly.names), "anomaly.names: expected numeric features")
    derived = {(entry.name, entry.kind) for entry in fields if entry.role == "derived"}
    want(
        derived == expected, "fields: expected those derived from its texts, embeddings and anomaly"
    )
    sources = [e for e in fields if isinstance(e, TextReference | EmbeddingReference)]
    want(
        all(entry.role in ("feature", "prediction") for entry in sources),
        "fields: expected texts and embeddings as features or predictions",
    )
    want(
        all(
            math.prod((len(e.kernel_mean), len(e.centroid))) <= 1 << 22
            for e in sources
            if isinstance(e, EmbeddingReference)
        ),
        "kernel_mean: expected fewer features for this many dimensions",
    )
