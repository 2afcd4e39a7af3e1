"""Detect by analysis of variance whether values follow the hour of the day or of the week."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import numpy as np

from mlmonitor.records import Counts, Floats

FEWEST_DAYS, FEWEST_WEEK_DAYS = 3, 14
"""The minimum days of a reference for which a daily and a weekly season are looked for."""

_DEVIATIONS = 10.0  # standard deviations by which a ratio of variances must exceed 1
_LEAST_ROWS = 20  # in each hour of the week, on average
_HOURS, _WEEK_DAYS = 24, 7

_Test = Callable[[Floats, Counts, Counts, int], bool]

SeasonSearch = Literal["found", "not_found", "too_short"]


class FoundSeason(NamedTuple):
    """The result of a search for a season; `name` is None if rows have no season.

    fields: indices of the columns that follow the season. days: on how many days rows occurred.
    """

    name: Literal["hour_of_day", "hour_of_week"] | None
    outcome: SeasonSearch
    fields: tuple[int, ...]
    days: int


def find_season(hours: Counts, seconds: Floats, columns: Sequence[Floats]) -> FoundSeason:
    """Look for a daily or weekly season in rows.

    hours: the hour of the week of each row, in local time. seconds: the time of each row since
    1970. columns: the scores of fields, each `[rows, directions]`.
    The variance between hours of the day is compared with the residual variance of hours within
    days, so hours that differ in a different way each day are not a season. In the same way, the
    variance between days of the week is compared with that between the same days of different
    weeks. Neither dependent rows nor days that differ are therefore mistaken for a season.
    Promise: no season in 99 of 100 references of 20 fields without one.
    Source: Fisher, "Statistical methods for research workers", 1925, for the two-way layout.
    """
    hour = hours % _HOURS
    day = np.unique(np.rint((seconds - hour * 3_600) / 86_400), return_inverse=True)[1]
    days = int(day.max(initial=-1)) + 1
    if days < FEWEST_DAYS:
        return FoundSeason(None, "too_short", (), days)
    weekday = np.zeros(days, np.int64)
    weekday[day] = hours // _HOURS
    is_daily = [_follows(_has_hours, c, day, hour, days) for c in columns]
    is_weekly = [False] * len(columns)
    has_weeks = days >= FEWEST_WEEK_DAYS and hours.size >= _LEAST_ROWS * _HOURS * _WEEK_DAYS
    if has_weeks:
        is_weekly = [_follows(_has_weekdays, c, day, weekday, days) for c in columns]
    if any(is_weekly):
        return FoundSeason("hour_of_week", "found", _find_places(is_weekly, is_daily), days)
    if any(is_daily):
        return FoundSeason("hour_of_day", "found", _find_places(is_daily, is_daily), days)
    return FoundSeason(None, "not_found" if has_weeks else "too_short", (), days)


def _find_places(*masks: Sequence[bool]) -> tuple[int, ...]:
    return tuple(np.flatnonzero(np.any(np.array(masks), axis=0)).tolist())


def _follows(ratio: _Test, column: Floats, day: Counts, other: Counts, days: int) -> bool:
    return any(ratio(scores, day, other, days) for scores in column.T)


def _has_hours(scores: Floats, day: Counts, hour: Counts, days: int) -> bool:
    """Whether hours of the day differ more than the same hour does from day to day."""
    size = days * _HOURS
    cell = day * _HOURS + hour
    rows = np.bincount(cell, minlength=size).reshape(days, _HOURS).astype(np.float64)
    sums = np.bincount(cell, scores, minlength=size).reshape(days, _HOURS)
    of_day = sums.sum(axis=1, keepdims=True) / np.maximum(rows.sum(axis=1, keepdims=True), 1)
    of_hour = sums.sum(axis=0) / np.maximum(rows.sum(axis=0), 1)
    mean = float(scores.mean())
    means = np.divide(sums, rows, out=np.zeros_like(sums), where=rows > 0)
    hours = int(np.count_nonzero(rows.sum(axis=0)))
    between = float((rows.sum(axis=0) * (of_hour - mean) ** 2).sum()) / max(hours - 1, 1)
    rest = (rows * (means - of_day - of_hour + mean) ** 2).sum()
    freedom = max(int(np.count_nonzero(rows)) - hours - days + 1, 1)
    return _exceeds(between, float(rest) / freedom, hours - 1, freedom)


def _has_weekdays(scores: Floats, day: Counts, weekday: Counts, days: int) -> bool:
    """Whether days of the week differ more than the same day does from week to week."""
    rows = np.bincount(day, minlength=days).astype(np.float64)
    means = np.bincount(day, scores, minlength=days) / np.maximum(rows, 1)
    sums = np.bincount(weekday, rows * means, minlength=_WEEK_DAYS)
    of_name = sums / np.maximum(np.bincount(weekday, rows, minlength=_WEEK_DAYS), 1)
    names = int(np.unique(weekday).size)
    between = float((rows * (of_name[weekday] - scores.mean()) ** 2).sum()) / max(names - 1, 1)
    rest = float((rows * (means - of_name[weekday]) ** 2).sum()) / max(days - names, 1)
    return _exceeds(between, rest, names - 1, days - names)


def _exceeds(between: float, rest: float, freedom: int, of_rest: int) -> bool:
    """Whether a ratio of variances exceeds what chance explains."""
    if freedom < 1 or of_rest < 1 or between <= 0:
        return False
    spread = np.sqrt(2 / freedom + 2 / of_rest)
    few = 1 + 6 / of_rest  # with few degrees of freedom the ratio has a longer tail
    return bool(between > (1 + _DEVIATIONS * spread) * few * rest)


def season_shares(cells: Counts, width: int, seasons: Counts) -> Floats:
    """Return the shares of the bins in each row's season, `[rows, bins]`."""
    count = int(seasons.max(initial=0)) + 1
    table = np.bincount(seasons * width + cells, minlength=count * width).reshape(count, width)
    shares = table / np.maximum(table.sum(axis=1, keepdims=True), 1)
    by_row: Floats = shares[seasons]
    return by_row
