"""Whether design effects exceed what independent rows show by chance."""

from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from mlmonitor.records import Floats

_SIGNIFICANT = 2.3  # standard deviations of chance that a design effect must exceed
_SIGNIFICANT_BEYOND_GROUPS = 3.0  # stricter, because the effect of declared groups is known
_LEAST_FREEDOM = 4.0
_BY_CHANCE = 0.025  # share of models with a false effect of days or groups, and with one of blocks
_DIRECTIONS = 4
_LENGTHS = 10


class EffectEstimate(NamedTuple):
    """Design effects of all directions, and the degrees of freedom of each."""

    effects: Floats
    freedom: Floats


class EffectTest:
    """Finds the design effects of one field that exceed chance, and whether any is evident.

    An effect is significant if it exceeds `known_effect`, the effect of declared groups, by 2.3
    standard deviations, or by 3 if groups are declared. One in ten fields of independent rows has
    such an effect by chance. The caller should therefore use the effects only if `is_evident`: if
    one is so large that it occurs by chance in at most one of twenty models with `fields` fields.
    `is_evident` is True from the start if another field of the same rows has an evident effect.
    """

    __slots__ = ("_deviations", "_fields", "_known_effect", "is_evident")

    def __init__(self, fields: int, known_effect: float = 1.0, *, is_evident: bool = False) -> None:
        self._known_effect = known_effect
        self._deviations = _SIGNIFICANT if known_effect == 1 else _SIGNIFICANT_BEYOND_GROUPS
        self._fields = max(fields, 1)
        self.is_evident: bool = is_evident

    def find_significant(self, estimate: EffectEstimate, *, is_declared: bool = False) -> float:
        """Return the largest design effect that is significantly above the known effect, or 1.

        is_declared: True for days and declared groups, which are tested once; False for one of many
        block lengths.
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
    """Return a quantile of chi-square distributions over their mean, after Wilson and Hilferty.

    deviations: the same quantile of the standard normal distribution.
    """
    spread = 2 / (9 * freedom)
    scale: Floats = np.maximum(1 - spread + deviations * np.sqrt(spread), 0.05) ** 3
    return scale
