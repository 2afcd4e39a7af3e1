"""Whether design effects exceed what independent rows show by chance."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from mlmonitor.records import Floats

_SIGNIFICANT = 2.3  # standard deviations of chance that a design effect must exceed
_SIGNIFICANT_BEYOND_GROUPS = 3.0  # their effect is known, so chance must not add to it
_LEAST_FREEDOM = 4.0
_BY_CHANCE = 0.025  # of models of independent rows: as much for days or groups as for all lengths
_DIRECTIONS = 4
_LENGTHS = 10


class EffectEstimate(NamedTuple):
    """Design effects of all directions, and the degrees of freedom of each."""

    effects: Floats
    freedom: Floats


class EffectTest:
    """Finds the design effects of one field that exceed chance, and whether any is evident.

    fields: how many fields of the model are tested. known_effect: that of declared groups. An
    effect counts beyond 2.3 standard deviations, or 3 beside groups; but one in ten fields of
    independent rows has such an effect by chance, so none counts unless one of the field's is
    evident: beyond what chance does in one of twenty models. is_evident: whether another field of
    the same rows has shown already that they depend on each other.
    """

    __slots__ = ("_deviations", "_fields", "_known_effect", "is_evident")

    def __init__(self, fields: int, known_effect: float = 1.0, *, is_evident: bool = False) -> None:
        self._known_effect = known_effect
        self._deviations = _SIGNIFICANT if known_effect == 1 else _SIGNIFICANT_BEYOND_GROUPS
        self._fields = max(fields, 1)
        self.is_evident: bool = is_evident

    def find_significant(self, estimate: EffectEstimate, *, is_declared: bool = False) -> float:
        """Return the largest design effect that exceeds the known one with significance, or 1.

        is_declared: whether it is that of days or of declared groups, of which there is one, and
        not that of one of many lengths.
        """
        is_usable = estimate.freedom >= _LEAST_FREEDOM
        effects, freedom = estimate.effects[is_usable], estimate.freedom[is_usable]
        beyond = effects / self._known_effect
        tests = _DIRECTIONS * self._fields * (1 if is_declared else _LENGTHS)
        evident = max(NormalDist().inv_cdf(1 - _BY_CHANCE / tests), self._deviations)
        self.is_evident |= bool((beyond > chi_square_scale(freedom, evident)).any())
        exceeds = beyond > chi_square_scale(freedom, self._deviations)
        return float(effects[exceeds].max(initial=1.0))


def chi_square_scale(freedom: Floats, deviations: float) -> Floats:
    """Return a quantile of chi-square laws over their mean, after Wilson and Hilferty."""
    spread = 2 / (9 * freedom)
    scale: Floats = np.maximum(1 - spread + deviations * np.sqrt(spread), 0.05) ** 3
    return scale
