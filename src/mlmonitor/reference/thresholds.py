"""Options for summarising fields, and the computation of their critical values."""

from typing import Literal, NamedTuple

from mlmonitor.formats.reference import CountedEntry
from mlmonitor.records import Floats
from mlmonitor.stats.asymptotic_values import asymptotic_tables
from mlmonitor.stats.simulated_values import simulate_tables

Thresholds = Literal["simulated", "asymptotic"]


class FieldOptions(NamedTuple):
    """Options for summarising fields.

    bins: number of bins of a numeric field, with equal mass. thresholds: how critical values are
    computed; None leaves that to the service. public: fields whose rare categories may be named.
    """

    bins: int = 10
    thresholds: Thresholds | None = "simulated"
    public: frozenset[str] = frozenset()


def critical_tables(
    entry: CountedEntry, ordered: Floats | None, thresholds: Thresholds | None
) -> dict[str, list[float]]:
    """Return the critical values to save with an entry; empty if the service must compute them.

    ordered: the sorted sample of a numeric field.
    """
    match thresholds:
        case "simulated":
            return simulate_tables(entry, ordered)
        case "asymptotic":
            return asymptotic_tables(entry, ordered)
        case None:
            return {}
