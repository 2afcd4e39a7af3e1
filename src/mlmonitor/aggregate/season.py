"""The season of a time: the hour of the day or of the week, in the time zone of the traffic."""

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import floor
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from mlmonitor.errors import ConfigError
from mlmonitor.records import SEASONS, Floats

_QUARTER_SECONDS = 900  # all UTC offsets in use are multiples of a quarter of an hour
_DAY_HOURS = 24


@dataclass(frozen=True)
class Season:
    """A cycle of hours in the local time of `timezone`, including daylight saving time.

    Raises:
        ConfigError: the cycle or the time zone is unknown.
    """

    name: str
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if self.name not in SEASONS:
            raise ConfigError(f"season: expected one of {', '.join(SEASONS)}, auto")
        try:
            ZoneInfo(self.timezone)
        except (KeyError, ValueError, OSError, TypeError):
            raise ConfigError(
                "season_timezone: expected a zone of this machine's IANA database, "
                "such as Europe/Amsterdam (if it has no database: pip install tzdata)"
            ) from None

    @cached_property
    def count(self) -> int:
        """The number of seasons in a cycle; a week begins on Monday."""
        return SEASONS[self.name]

    @cached_property
    def _zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    def at(self, seconds: float) -> int:
        """Return the season of a time in seconds since 1970."""
        local = datetime.fromtimestamp(floor(seconds), self._zone)  # `fromtimestamp` would round up
        return (local.weekday() * _DAY_HOURS + local.hour) % self.count

    def at_each(self, seconds: Floats) -> NDArray[np.int64]:
        """Return the season of each time, with one calendar look-up for each quarter of an hour."""
        quarters, place = np.unique(np.floor(seconds / _QUARTER_SECONDS), return_inverse=True)
        seasons = [self.at(quarter * _QUARTER_SECONDS) for quarter in quarters.tolist()]
        return np.array(seasons, np.int64)[place]
