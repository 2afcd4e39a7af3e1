"""The claims data of the package `chainladder`, split into early and later claims.

`prism.csv` holds 34,244 closed claims on home and motor policies, with the dates of accident,
report and closure. A claim's features are known when it is reported. Its severity, the amount paid,
is known only when the claim is closed.
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
SEASONAL = "accident_month"  # follows the calendar: one month always differs from a whole year
WATCHED = tuple(name for name in FEATURES if name != SEASONAL)
TARGET = "severity"

# Home claims are reported up to two years late, so there are hardly any before 2010: a model
# trained on earlier years would see another mix of lines in every later year.
EARLY = (date(2010, 1, 1), date(2013, 7, 1))
LIVE = (date(2014, 7, 1), date(2017, 1, 1))
SHIFT_DATE = date(2015, 10, 1)

Features = dict[str, str | float]


class Claim(NamedTuple):
    """One claim: the features known at its report, and the severity known at its closure."""

    reported: date
    closed: date
    features: Features
    severity: float


class Inflation(NamedTuple):
    """An inflation of losses, and a smaller rise of the limits of renewed policies.

    losses, limits: the factors by which they are multiplied.
    """

    losses: float = 1.75
    limits: float = 1.25

    def applied(self, claim: Claim) -> Claim:
        """Return the claim with inflation.

        The deductible does not change, and the limit still caps the payment. If the limit had
        already capped a loss, the true loss is unknown: the capped amount is inflated instead.
        """
        limit, deductible = float(claim.features["limit"]), float(claim.features["deductible"])
        raised = limit * self.limits
        paid = claim.severity
        if paid > 0:
            paid = min((paid + deductible) * self.losses, raised) - deductible
        return claim._replace(features=claim.features | {"limit": raised}, severity=paid)


def prism_path() -> Path:
    """Find the file in the installed package `chainladder`, without importing the package.

    Raises:
        FileNotFoundError: the package is not installed, or no longer contains the file.
    """
    spec = find_spec("chainladder")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        path = Path(folder) / "utils" / "data" / "prism.csv"
        if path.is_file():
            return path
    raise FileNotFoundError("prism.csv is missing: pip install 'mlmonitor-sdk[demo]'")


def load(path: Path) -> pd.DataFrame:
    """Read the claims in the order of their reports: dates, features and severity."""
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
    """Return the training claims: early claims that were closed before the service goes live."""
    was_reported = (claims["reported"] >= EARLY[0]) & (claims["reported"] < EARLY[1])
    return claims[was_reported & (claims["closed"] < LIVE[0])]


def live(claims: pd.DataFrame) -> list[Claim]:
    """Return the claims of the later years, including those still open when the service goes live.

    A new service also scores open claims. Without them, the first labels would all be from claims
    that close fast, which are not representative.
    """
    rows = claims[(claims["reported"] < LIVE[1]) & (claims["closed"] >= LIVE[0])]
    return list(_each(rows))


def _each(rows: pd.DataFrame) -> Iterator[Claim]:
    for row in rows.to_dict("records"):
        features: Features = {name: row[name] for name in FEATURES}
        yield Claim(row["reported"], row["closed"], features, row[TARGET])
