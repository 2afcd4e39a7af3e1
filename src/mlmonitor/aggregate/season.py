"""Which season a moment falls in: an hour of the day or of the week, where the traffic lives."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mlmonitor.errors import ConfigError
from mlmonitor.records import SEASONS, Floats

_QUARTER_SECONDS = 900  # no zone of today is off UTC by less than whole quarters of an hour
_DAY_HOURS = 24


@dataclass(frozen=True)
class Season:
    """A cycle of hours as the clocks of `timezone` show them, summer time included.

    Raises:
        ConfigError: the cycle or the time zone is unknown.
    """

    name: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.name not in SEASONS:
            raise ConfigError(f"season: expected one of {', '.join(SEASONS)}")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError, TypeError):
            raise ConfigError(
                "season_timezone: expected a zone of the IANA database that this machine knows, "
                "such as Europe/Amsterdam (where it has none: pip install tzdata)"
            ) from None

    @cached_property
    def count(self) -> int:
        """How many seasons there are in a cycle; a week begins on Monday."""
        return SEASONS[self.name]

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def at(self, seconds: float) -> int:
        """The season of one moment, in seconds since 1970."""
        local = datetime.fromtimestamp(seconds, self._zone)
        return (local.weekday() * _DAY_HOURS + local.hour) % self.count

    def at_each(self, seconds: Floats) -> NDArray[np.int64]:
        """The season of each moment; the calendar is asked once a quarter of an hour."""
        quarters, place = np.unique(np.floor(seconds / _QUARTER_SECONDS), return_inverse=True)
        known = [self.at(quarter * _QUARTER_SECONDS) for quarter in quarters.tolist()]
        return np.array(known, np.int64)[place]
