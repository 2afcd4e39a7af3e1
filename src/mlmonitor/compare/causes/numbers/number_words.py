"""Words for factors, amounts and hours by which numbers have changed."""

from typing import Final, NamedTuple

import numpy as np

from mlmonitor.compare.incidents.incident import Cause
from mlmonitor.formatting import short, signed

_NEAR_FACTOR = 0.07  # relative difference from a factor that is used between units
_PERCENT = 0.15  # relative difference of a factor from 100
_SIGN = 0.2  # smallest difference from 1 of a factor that is mentioned with a flipped sign
_KNOWN_FACTORS = (100.0, 1_000.0, 10.0, 60.0, 3_600.0, 1e6, 1e4, 12.0, 24.0, 7.0)

KNOWN: Final = (-1.0, *(exact for usual in _KNOWN_FACTORS for exact in (usual, 1 / usual)))
"""Factors that are used between units, and a flipped sign."""


class FieldTraits(NamedTuple):
    """What is known about a field besides its values.

    hour: an hour in the field's unit, if it holds times. is_share: whether all values of the
    reference are between 0 and 1.
    """

    hour: float | None = None
    is_share: bool = False


class NumberChange(NamedTuple):
    """How a share of a field's values changed, in words that follow the field's name.

    cause: `unknown` if the words only describe the values, because several causes explain them.
    amount: the factor or amount by which the values changed, if that is known.
    """

    cause: Cause
    description: str
    share: float = 1.0
    amount: float = np.nan


NO_TRAITS: Final = FieldTraits()


def describe_factor(factor: float, traits: FieldTraits) -> str:
    """Describe a factor in words; a factor close to a unit conversion is rounded to it."""
    size = round_factor(abs(factor))
    if factor < 0:
        multiplied = abs(abs(factor) - 1) > _SIGN
        return "with the sign flipped" + (
            f", multiplied by about {short(size)}" if multiplied else ""
        )
    is_percent = traits.is_share and abs(factor / 100 - 1) <= _PERCENT
    text = f"multiplied by about {short(100.0 if is_percent else size)}"
    return f"{text}, as percent for a share" if is_percent else text


def describe_overall(factor: float) -> str:
    """Describe by what factor values have grown on average, but not how many of them changed."""
    return f"about {short(round_factor(factor))} times as large overall"


def describe_hours(hours: int) -> str:
    """Describe a shift by whole hours."""
    text = f"moved by {signed(hours)} {'hour' if abs(hours) == 1 else 'hours'}"
    return f"{text}, as in another time zone"


def describe_amount(amount: float) -> str:
    """Describe a shift by any amount."""
    return f"moved by about {signed(round_number(amount))}"


def round_factor(factor: float) -> float:
    """Round a positive factor to a unit conversion if close to one, otherwise to two digits."""
    for usual in _KNOWN_FACTORS:
        for exact in (usual, 1 / usual):
            if abs(factor / exact - 1) <= _NEAR_FACTOR:
                return exact
    return round_number(factor)


def round_number(number: float) -> float:
    """Round to two digits, which is what a few hundred rows can show."""
    return float(f"{number:.2g}")
