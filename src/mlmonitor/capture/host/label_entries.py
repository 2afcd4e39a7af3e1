"""Labels as the host passes them."""

from collections.abc import Iterable
from typing import Any, cast

from mlmonitor.capture.host.copiers import is_value
from mlmonitor.capture.prediction_ids import id_or_none, id_text
from mlmonitor.errors import SchemaError


def pair_labels(ids: object, actuals: Any) -> list[tuple[str, object]]:
    """Pair one id with its actual, or each of many ids with its own, in any container.

    A value that cannot be an id becomes "", which matches no prediction.

    Raises:
        SchemaError: there is not one actual for each id.
    """
    is_many = isinstance(ids, Iterable) and not is_value(type(ids))
    if not is_many or getattr(ids, "ndim", 1) == 0:
        return [(id_text(ids) or "", actuals)]
    names = [id_or_none(value) or "" for value in cast("Iterable[object]", ids)]
    values = _to_list(actuals)
    if len(names) != len(values):
        raise SchemaError(
            f"label: expected an actual for each of the {len(names)} ids, got {len(values)}"
        )
    return list(zip(names, values, strict=True))


def _to_list(values: Any) -> list[object]:
    return values.tolist() if hasattr(values, "tolist") else list(values)
