"""How each field of a reference is summarised, and which way its critical values are worked out."""

from typing import Literal, NamedTuple

from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Floats
from mlmonitor.stats.asymptotic_values import asymptotic_tables
from mlmonitor.stats.simulated_values import simulate_tables

Thresholds = Literal["simulated", "asymptotic"]


class FieldOptions(NamedTuple):
    """How fields are summarised.

    bins: of equal mass, for a number. thresholds: None leaves critical values to the service.
    public: fields whose rare categories may be named.
    """

    bins: int = 10
    thresholds: Thresholds | None = "simulated"
    public: frozenset[str] = frozenset()


def critical_tables(
    entry: CountedEntry, ordered: Floats | None, thresholds: Thresholds | None
) -> dict[str, list[float]]:
    """The critical values to keep with an entry; none where the service is to simulate them.

    ordered: the sorted sample of a numeric field.
    """
    match thresholds:
        case "simulated":
            return simulate_tables(entry, ordered)
        case "asymptotic":
            return asymptotic_tables(entry, ordered)
        case None:
            return {}
