"""Copy the vectors inside rows, because the host can change them in place."""

from collections.abc import Collection
from typing import Any

import numpy as np

from mlmonitor.capture.form import Copied, PayloadForm
from mlmonitor.capture.host.copiers import Copier, Copiers
from mlmonitor.capture.values import UNREADABLE
from mlmonitor.records import MOST_DIMENSIONS


class VectorCopiers(Copiers):
    """Copiers for a model with embeddings: they also copy the values under `names`.

    Price: a copy of each vector in the host's thread; models without vectors pay nothing.
    """

    def __init__(self, names: Collection[str]) -> None:
        super().__init__()
        self._names = tuple(names)

    def __missing__(self, kind: type) -> Copier:
        shallow = super().__missing__(kind)

        def copier(features: Any) -> Copied:
            return self.copy_vectors(shallow(features))

        self[kind] = copier
        return copier

    def copy_vectors(self, copied: Copied) -> Copied:
        """Replace the vectors in `copied` by copies; its rows are copies already."""
        form, _, payload = copied
        if form is PayloadForm.MAPPING:
            self._copy_row_vectors(payload)
        elif form is PayloadForm.MAPPINGS:
            for row in payload:
                if row is not None:
                    self._copy_row_vectors(row)
        return copied

    def _copy_row_vectors(self, row: dict[Any, Any]) -> None:
        for name in self._names:
            if name in row:
                row[name] = _copy_vector(row[name])


def _copy_vector(value: Any) -> Any:
    try:
        if isinstance(value, np.ndarray | list):
            if len(value) > MOST_DIMENSIONS:
                return UNREADABLE
            return value.copy() if isinstance(value, np.ndarray) else tuple(value)
        return np.array(np.asarray(value)) if hasattr(type(value), "__array__") else value
    except Exception:  # noqa: BLE001 - a hostile value: its row is kept
        return UNREADABLE
