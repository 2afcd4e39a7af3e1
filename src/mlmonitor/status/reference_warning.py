"""Detect that the reference belongs to another model, or that an option names no column."""

from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.compare.population_snapshot import PopulationSnapshot
from mlmonitor.compare.quality.new_fields import is_prediction
from mlmonitor.compare.snapshot import ModelSnapshot
from mlmonitor.compare.traffic import OTHER_FIELDS
from mlmonitor.formatting import truncate
from mlmonitor.records import QUALITIES, Quality, Role
from mlmonitor.status.lines import join_names

_MISSING = QUALITIES.index(Quality.MISSING)
_FEW = 0.2  # share of the reference's fields
_NAME = 40
_MANY_LABELS = 10  # a few may belong to another service


def find_warnings(snapshot: ModelSnapshot) -> dict[str, str]:
    """Return warnings about the set-up, by the option concerned; each should be logged once."""
    warnings = {
        "reference": reference_warning(snapshot),
        "columns": snapshot.column_warning,
        "labels": _find_lost_labels(snapshot),
    }
    return {option: text for option, text in warnings.items() if text is not None}


def _find_lost_labels(snapshot: ModelSnapshot) -> str | None:
    """Return advice if labels arrive but none has matched a prediction; None otherwise."""
    counts = snapshot.labels.counts
    unknown = counts.get("unknown", 0)
    if unknown < _MANY_LABELS or counts.get("matched", 0):
        return None
    return (
        f"none of {unknown:,} labels has found its prediction: give predictions the ids that "
        "labels name, with record(ids=...), watch(id_from=...) or observe(prediction_id=...), and "
        "label in the process that predicted, or else use record_outcomes"
    )


def reference_warning(snapshot: ModelSnapshot) -> str | None:
    """Return a warning if rows and reference have few names in common; None otherwise.

    The warning is given if rows have names outside the reference, and either at most a fifth of the
    reference's features or not all of its predictions have arrived.
    """
    traffic = snapshot.traffic
    if traffic is None or not snapshot.unknown_fields:
        return None
    unknown = [truncate(name, _NAME) for name in snapshot.unknown_fields if name != OTHER_FIELDS]
    for role, most in ((Role.FEATURE, _FEW), (Role.PREDICTION, 0.0)):
        expected, arrived = _list_names(traffic, role)
        new = [name for name in unknown if is_prediction(name) == (role is Role.PREDICTION)]
        if expected and new and len(arrived) <= most * len(expected):
            few = "few" if arrived else "none"
            what = "fields" if role is Role.FEATURE else "predictions"
            names = join_names([truncate(name, _NAME) for name in expected])
            return (
                f"{few} of the {what} that arrive are in the reference (there: {names}; "
                f"here: {join_names(new)}): is it this model's reference?"
            )
        if role is Role.PREDICTION and new and 0 < len(arrived) < len(expected):
            lost = [truncate(name, _NAME) for name in expected if name not in arrived]
            return (
                f"some of the predictions that arrive are not in the reference (only there: "
                f"{join_names(lost)}; only here: {join_names(new)}): are names= its classes?"
            )
    return None


def _list_names(traffic: PopulationSnapshot, role: Role) -> tuple[list[str], list[str]]:
    """Return the names of a role's fields, and of those that have had a value."""
    values = traffic.total.quality.sum(axis=1) - traffic.total.quality[:, _MISSING]
    counts = [
        (field.name, int(count))
        for field, count in zip(traffic.plan.schema.fields, values, strict=True)
        if field.role is role
    ]
    if role is Role.PREDICTION and len(counts) > 1:  # always there besides the classes
        counts = [pair for pair in counts if pair[0] != PREDICTION]
    return [name for name, _ in counts], [name for name, count in counts if count]
