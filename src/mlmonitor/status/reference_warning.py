"""One mistake that looks like many: the reference is of another model."""

from mlmonitor.aggregate.profile import Profile
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.compare.quality.new_fields import is_prediction
from mlmonitor.compare.traffic import Traffic
from mlmonitor.formatting import truncate
from mlmonitor.records import QUALITIES, Quality, Role, Schema
from mlmonitor.status.lines import named

_MISSING = QUALITIES.index(Quality.MISSING)
_FEW = 0.2  # of the reference's fields
_NAME = 40


def mismatch_of(watched: Traffic) -> str | None:
    """What tells, in a line, that rows and reference have few names in common; None if nothing.

    Told where at most a fifth of the reference's features, or none of its predictions, ever came
    and other names did instead.
    """
    population, reader = watched.population, watched.reader
    if population is None or reader is None or not reader.unknown:
        return None
    total = population.window.total()
    unknown = [truncate(name, _NAME) for name in reader.unknown if name is not None]
    for role, most in ((Role.FEATURE, _FEW), (Role.PREDICTION, 0.0)):
        known, came = _came(population.plan.schema, total, role)
        new = [name for name in unknown if is_prediction(name) == (role is Role.PREDICTION)]
        if known and new and len(came) <= most * len(known):
            few = "none" if not came else "few"
            what = "fields" if role is Role.FEATURE else "predictions"
            names = named([truncate(name, _NAME) for name in known])
            return (
                f"{few} of the {what} that come are in the reference (there: {names}; "
                f"here: {named(new)}): is it this model's reference?"
            )
    return None


def _came(schema: Schema, total: Profile, role: Role) -> tuple[list[str], list[str]]:
    """The fields of a role that there are, and those of which any value was not missing."""
    sums = total.quality.sum(axis=1) - total.quality[:, _MISSING]
    fields = [
        (field.name, int(sums[at])) for at, field in enumerate(schema.fields) if field.role is role
    ]
    if role is Role.PREDICTION and len(fields) > 1:  # beside the classes: it is always there
        fields = [each for each in fields if each[0] != PREDICTION]
    return [name for name, _ in fields], [name for name, count in fields if count]
