"""Log the outcome of the search for a season."""

import logging
from collections.abc import Sequence

from mlmonitor.formatting import truncate
from mlmonitor.stats.dependence.season_search import FEWEST_WEEK_DAYS, FoundSeason

log: logging.Logger = logging.getLogger("mlmonitor")

_NAMED = 10


def log_search(season: FoundSeason, fields: Sequence[str]) -> None:
    """Log the season and the fields that follow it, or that there were too few days to decide."""
    if season.name is not None:
        names = ", ".join(truncate(name, 40) for name in fields[:_NAMED])
        log.info(
            "Reference.fit: %s fields follow the %s and are compared by it: %s",
            len(fields),
            season.name.replace("_", " "),
            names,
        )
    elif season.outcome == "too_short":
        log.warning(
            "Reference.fit: %s days are too few to see whether rows follow the day of the week: "
            "fit on %s days or more, or give season= yourself",
            season.days,
            FEWEST_WEEK_DAYS,
        )
