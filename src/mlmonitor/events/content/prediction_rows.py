"""The predictions of a block in columns, encoded as JSON in one step or converted row by row."""

from collections.abc import Callable, Iterator, Sequence
from itertools import chain, repeat
from typing import Any, NamedTuple, overload

import numpy as np

from mlmonitor.events.content.event_source import Content
from mlmonitor.events.content.redaction import Cell
from mlmonitor.records import Floats

Dump = Callable[..., bytes]


class FeatureColumns(NamedTuple):
    """The features of some rows.

    names: the names of the numeric features. numbers: `[names, rows]`, NaN for null. others: the
    name and values of each other feature.
    """

    names: tuple[str, ...]
    numbers: Floats
    others: Sequence[tuple[str, Sequence[Cell]]]

    def build_rows(self, count: int) -> list[dict[str, Cell]]:
        """Convert the features to one dictionary per row; `count` is the number of rows."""
        rows: list[dict[str, Cell]]
        rows = [*map(dict, map(zip, repeat(self.names), self.numbers.T.tolist()))]
        rows = rows if self.names else [{} for _ in range(count)]
        for name, cells in self.others:
            for row, cell in zip(rows, cells, strict=True):
                row[name] = cell
        return rows

    def encode(self, dumps: Dump, numpy_option: int) -> Iterator[tuple[bytes, Sequence[bytes]]]:
        """Yield the name and the values of each feature, encoded as JSON."""
        rows = self.numbers.shape[1]
        if self.names:
            array = np.ascontiguousarray(self.numbers, np.float64).ravel()
            tokens = dumps(array, option=numpy_option)[1:-1].split(b",")
            for place, name in enumerate(self.names):
                yield dumps(name), tokens[place * rows : (place + 1) * rows]
        for name, cells in self.others:
            yield dumps(name), encode_cells(cells, dumps)


class PredictionRows(Sequence[Content]):
    """Events of predictions that have only ids, a latency, a prediction and features.

    A sequence of events, whose dictionaries are built on access.
    head, tail: fields with the same value in all events, before and after the id of the event.
    Price: for 20 numbers, half the time of dictionaries (`benchmarks/events.py`).
    """

    __slots__ = ("_columns", "_event_ids", "_features", "_head", "_tail", "prediction_ids")

    def __init__(  # noqa: PLR0913 - by keyword
        self,
        *,
        head: Content,
        tail: Content,
        event_ids: Sequence[str],
        prediction_ids: Sequence[str],
        latencies: Sequence[float | None],
        predictions: Sequence[Cell],
        features: FeatureColumns,
    ) -> None:
        self._head, self._tail = head, tail
        self._event_ids = event_ids
        self.prediction_ids: Sequence[str] = prediction_ids
        self._columns = latencies, predictions
        self._features = features

    def __len__(self) -> int:
        return len(self._event_ids)

    @overload
    def __getitem__(self, place: int) -> Content: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Content]: ...
    def __getitem__(self, place: int | slice) -> Content | Sequence[Content]:
        if isinstance(place, slice):
            return [*self][place]
        row = range(len(self))[place]
        names, numbers, others = self._features
        part = FeatureColumns(
            names,
            numbers[:, row : row + 1],
            [(name, cells[row : row + 1]) for name, cells in others],
        )
        return self._build(row, part.build_rows(1)[0])

    def __iter__(self) -> Iterator[Content]:
        return map(self._build, range(len(self)), self._features.build_rows(len(self)))

    def _build(self, row: int, features: dict[str, Cell]) -> Content:
        latencies, predictions = self._columns
        return {
            **self._head,
            "event_id": self._event_ids[row],
            **self._tail,
            "prediction_id": self.prediction_ids[row],
            "status": "ok",
            "latency_seconds": latencies[row],
            "prediction": predictions[row],
            "features": features,
        }

    def encode_json(self, dumps: Dump, numpy_option: int) -> list[bytes]:
        """Encode each event as `dumps` would encode its dictionary.

        dumps, numpy_option: `orjson.dumps` and `orjson.OPT_SERIALIZE_NUMPY`.
        """
        latencies, predictions = self._columns
        event_ids = encode_cells(self._event_ids, dumps)
        is_alike = self.prediction_ids == self._event_ids
        prediction_ids = event_ids if is_alike else encode_cells(self.prediction_ids, dumps)
        columns: list[tuple[bytes, Sequence[bytes]]] = [
            (dumps(self._head)[:-1] + b',"event_id":', event_ids),
            (b"," + dumps(self._tail)[1:-1] + b',"prediction_id":', prediction_ids),
            (b',"status":"ok","latency_seconds":', encode_cells(latencies, dumps)),
            (b',"prediction":', encode_cells(predictions, dumps)),
        ]
        before = b',"features":{'
        for name, values in self._features.encode(dumps, numpy_option):
            columns.append((before + name + b":", values))
            before = b","
        end = b"}}" if before == b"," else before + b"}}"
        pieces = chain.from_iterable((repeat(text), values) for text, values in columns)
        return [*map(b"".join, zip(*pieces, repeat(end), strict=False))]


def encode_cells(cells: Sequence[Any], dumps: Dump) -> Sequence[bytes]:
    """Encode each value as JSON."""
    tokens = dumps(cells)[1:-1].split(b",")
    # Commas within texts give more parts than cells.
    return tokens if len(tokens) == len(cells) else [dumps(cell) for cell in cells]
