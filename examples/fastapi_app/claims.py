"""The claims: read from where `chainladder` keeps them, and cut into an early and a later part.

`prism.csv` holds 34,244 closed claims on home and motor policies with the dates on which each
happened, was reported and was closed. A claim's features are what is known when it is reported; its
severity, what was paid in the end, is known when it is closed.
"""

from collections.abc import Iterator
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pandas as pd

CATEGORICAL = ("line", "accident_weekday")
NUMERIC = ("limit", "deductible", "report_lag_days", "accident_month")
FEATURES = CATEGORICAL + NUMERIC
SEASONAL = "accident_month"  # follows the calendar: by the month it is always unlike a whole year
WATCHED = tuple(name for name in FEATURES if name != SEASONAL)
TARGET = "severity"

# Home claims take two years to be reported: before 2010 the book holds hardly any, and a model
# trained on it would meet another mix of lines in every later year.
EARLY = (date(2010, 1, 1), date(2013, 7, 1))
LIVE = (date(2014, 7, 1), date(2017, 1, 1))
SHIFT_DATE = date(2015, 10, 1)

Features = dict[str, str | float]


class Claim(NamedTuple):
    """One claim of the replay: what is known when it is reported, and what comes out."""

    reported: date
    closed: date
    features: Features
    severity: float


class Inflation(NamedTuple):
    """Prices that rise, and policies that are renewed with limits that rise less.

    losses: what a loss costs, as a multiple of what it did cost. limits: the same of limits.
    """

    losses: float = 1.75
    limits: float = 1.25

    def applied(self, claim: Claim) -> Claim:
        """The claim as these prices would have made it.

        The deductible stays, so it takes a smaller part; the limit still caps the loss. A loss that
        the limit had already capped is known only as that limit, which is what prices act on here.
        """
        limit, deductible = float(claim.features["limit"]), float(claim.features["deductible"])
        raised = limit * self.limits
        paid = claim.severity
        if paid > 0:
            paid = min((paid + deductible) * self.losses, raised) - deductible
        return claim._replace(features=claim.features | {"limit": raised}, severity=paid)


def prism_path() -> Path:
    """Where the installed `chainladder` keeps the file, found without importing the package.

    Raises:
        FileNotFoundError: the package is not installed, or no longer carries the file.
    """
    spec = find_spec("chainladder")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "utils" / "data" / "prism.csv"
        if path.is_file():
            return path
    raise FileNotFoundError("prism.csv is missing: pip install 'mlmonitor-sdk[demo]'")


def load(path: Path) -> pd.DataFrame:
    """One row a claim in the order of reports: its dates, its features and its severity."""
    raw = pd.read_csv(path)
    accident = pd.to_datetime(raw["AccidentDate"], format="%Y-%m-%d")
    reported = pd.to_datetime(raw["ReportDate"], format="%m/%d/%Y")
    claims = pd.DataFrame(
        {
            "reported": reported.dt.date,
            "closed": pd.to_datetime(raw["CloseDate"], format="%m/%d/%Y").dt.date,
            "line": raw["Line"].astype(object),
            "accident_weekday": accident.dt.day_name().astype(object),
            "limit": raw["Limit"].astype(float),
            "deductible": raw["Deductible"].astype(float),
            "report_lag_days": (reported - accident).dt.days.astype(float),
            "accident_month": accident.dt.month.astype(float),
            TARGET: raw["Incurred"].astype(float),
        }
    )
    return claims.sort_values("reported", kind="stable", ignore_index=True)


def early(claims: pd.DataFrame) -> pd.DataFrame:
    """What a model can be trained on that goes live with the later years: closed by then."""
    was_reported = (claims["reported"] >= EARLY[0]) & (claims["reported"] < EARLY[1])
    return claims[was_reported & (claims["closed"] < LIVE[0])]


def live(claims: pd.DataFrame) -> list[Claim]:
    """The later years' claims, those first that were open already.

    A service that goes live scores the open claims too. Without them the first labels would be
    those of the claims that close fastest, which are no sample of all.
    """
    rows = claims[(claims["reported"] < LIVE[1]) & (claims["closed"] >= LIVE[0])]
    return list(_each(rows))


def _each(rows: pd.DataFrame) -> Iterator[Claim]:
    for row in rows.to_dict("records"):
        features: Features = {name: row[name] for name in FEATURES}
        yield Claim(row["reported"], row["closed"], features, row[TARGET])
