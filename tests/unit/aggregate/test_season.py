"""Seasons: the local hour in any time zone."""

from datetime import UTC, datetime, timedelta
from math import floor
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor.aggregate.season import Season
from mlmonitor.errors import ConfigError

ZONES = ["UTC", "Europe/Amsterdam", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]


def seconds(*parts: int) -> float:
    """Return a UTC time in seconds."""
    return datetime(*parts, tzinfo=UTC).timestamp()


@given(
    st.lists(st.floats(seconds(1990, 1, 1), seconds(2040, 1, 1)), min_size=1, max_size=20),
    st.sampled_from(ZONES),
)
def test_seasons_of_many_times_equal_those_of_each_time(moments: list[float], zone: str) -> None:
    """The calendar is consulted once for each quarter of an hour."""
    for name in ("hour_of_day", "hour_of_week"):
        season = Season(name, zone)
        assert season.at_each(np.array(moments)).tolist() == [
            season.at(moment) for moment in moments
        ]
        for moment in moments:
            local = datetime.fromtimestamp(floor(moment), ZoneInfo(zone))
            assert season.at(moment) % 24 == local.hour
            assert 0 <= season.at(moment) < season.count


def test_a_week_has_each_of_its_hours_exactly_once() -> None:
    """Hours run from Monday's first to Sunday's last."""
    monday = datetime(2026, 6, 1, tzinfo=UTC)
    hours = np.array([(monday + timedelta(hours=h)).timestamp() for h in range(168)])
    assert Season("hour_of_week").at_each(hours).tolist() == list(range(168))
    assert Season("hour_of_day").at_each(hours).tolist() == [*range(24)] * 7


def test_seasons_follow_daylight_saving_time() -> None:
    """Nine in the morning is the same season in January and in July."""
    season = Season("hour_of_day", "Europe/Amsterdam")
    assert season.at(seconds(2026, 1, 15, 8)) == season.at(seconds(2026, 7, 15, 7)) == 9


@pytest.mark.parametrize(
    ("name", "zone", "named"),
    [
        ("hour", "UTC", "season: expected one of hour_of_day, hour_of_week, auto"),
        ("hour_of_day", "Mars/Olympus", "season_timezone"),
        ("hour_of_day", "../etc/passwd", "season_timezone"),
        ("hour_of_day", "", "season_timezone"),
    ],
)
def test_an_unknown_season_or_time_zone_is_refused(name: str, zone: str, named: str) -> None:
    """The error says what is accepted."""
    with pytest.raises(ConfigError, match=named):
        Season(name, zone)
