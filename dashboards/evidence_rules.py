"""Recording rules for significance: a fleet's PSI without drift, and the evidence of drift.

The formulas are those of `mlmonitor.stats.evidence.psi_evidence`.
"""

import math

from mlmonitor import catalog
from mlmonitor.stats.evidence.psi_evidence import MIXTURE_ROWS
from mlmonitor.stats.special import ONE_IN_TEN
from rules import FIELD_KEYS, Recording, highest, whole

DESIGN_EFFECT = Recording(
    "mlmonitor:field_design_effect",
    f"{highest(whole(catalog.DESIGN_EFFECT), FIELD_KEYS)}\n"
    f"or 0 * {highest(whole(catalog.REFERENCE_VALUES), FIELD_KEYS)} + 1",
    "How many rows count as one independent row; 1 for processes of earlier releases.",
)


def evidence_rules(suffix: str) -> list[Recording]:
    """Return rules for noise, threshold, lower bound and evidence of the PSI with this suffix."""
    psi, counts = f"mlmonitor:field_psi{suffix}", f"mlmonitor:field_bin{suffix}:count"
    half = f"mlmonitor:field_bin{suffix}:half"
    noise, freedom = f"{psi}:noise", f"{psi}:freedom"
    spread = f"(2 / (9 * {freedom}))"
    beyond = f"({psi} / {noise} - {freedom})"
    weight = f"({MIXTURE_ROWS:g} * {noise})"
    return [
        Recording(
            noise,
            "mlmonitor:field_design_effect\n"
            "* (\n"
            f"  1 / sum by ({FIELD_KEYS}) ({counts})\n"
            f"  + 1 / {highest(whole(catalog.REFERENCE_VALUES), FIELD_KEYS)}\n"
            ")",
            "Without drift, PSI is about this times chi-square.",
        ),
        Recording(
            freedom,
            f"clamp_min(count by ({FIELD_KEYS}) ({half}) - 1, 1)",
            "The degrees of freedom of this chi-square: one less than there are bins.",
        ),
        Recording(
            f"{psi}:threshold",
            f"{noise} * {freedom}\n* (1 - {spread} + 2.3263 * sqrt({spread})) ^ 3",
            "The 99% quantile of PSI without drift, by Wilson and Hilferty (1931).",
        ),
        Recording(
            f"{psi}:low",
            f"clamp_min(\n"
            f"  {beyond} - {ONE_IN_TEN:.6f} * sqrt(2 * ({freedom} + 2 * clamp_min({beyond}, 0))),\n"
            f"  0\n"
            f") * {noise}",
            "A lower bound of the true PSI, at 90%.",
        ),
        Recording(
            f"mlmonitor:field_evidence{suffix}",
            f"(\n"
            f"  {psi} / {noise} / (1 + {weight})\n"
            f"  - {freedom} * ln(1 + 1 / {weight})\n"
            f") / {2 * math.log(10):.12f}",
            "The logarithm to base 10 of the e-value of drift.",
        ),
    ]
