"""Labels as the host hands them over."""

from collections.abc import Iterable
from typing import Any, cast

from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.prediction_ids import id_or_none, id_text
from mlmonitor.errors import SchemaError


def labels_of(ids: object, actuals: Any) -> list[tuple[str, object]]:
    """Labels `(id, actual)` of one id and its actual, or of many, whatever holds them.

    What names no prediction is called "": it finds none.

    Raises:
        SchemaError: there is not one actual for each id.
    """
    is_many = isinstance(ids, Iterable) and not is_value(type(ids))
    if not is_many or getattr(ids, "ndim", 1) == 0:
        return [(id_text(ids) or "", actuals)]
    names = [id_or_none(each) or "" for each in cast("Iterable[object]", ids)]
    values = _listed(actuals)
    if len(names) != len(values):
        raise SchemaError(
            f"label: expected an actual for each of the {len(names)} ids, got {len(values)}"
        )
    return list(zip(names, values, strict=True))


def _listed(values: Any) -> list[object]:
    return values.tolist() if hasattr(values, "tolist") else list(values)
