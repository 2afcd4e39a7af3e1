"""How the fields of a reference are summarised, and how their critical values are computed."""

from typing import Literal, NamedTuple

from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Floats
from mlmonitor.stats.asymptotic_values import asymptotic_tables
from mlmonitor.stats.simulated_values import simulate_tables

Thresholds = Literal["simulated", "asymptotic"]


class FieldOptions(NamedTuple):
    """How fields are summarised.

    bins: number of bins of a numeric field, with equal mass. thresholds: None leaves critical
    values to the service. public: fields whose rare categories may be named.
    """

    bins: int = 10
    thresholds: Thresholds | None = "simulated"
    public: frozenset[str] = frozenset()


def critical_tables(
    entry: CountedEntry, ordered: Floats | None, thresholds: Thresholds | None
) -> dict[str, list[float]]:
    """Return the critical values to save with an entry; empty if the service is to simulate them.

    ordered: the sorted sample of a numeric field.
    """
    match thresholds:
        case "simulated":
            return simulate_tables(entry, ordered)
        case "asymptotic":
            return asymptotic_tables(entry, ordered)
        case None:
            return {}
