"""Creates the business figures and the attributions of a model."""

from dataclasses import replace

from mlmonitor.compare.comparison_options import ComparisonOptions
from mlmonitor.compare.figures.attributions import Attributions
from mlmonitor.compare.figures.kpis import Kpis
from mlmonitor.compare.segment_populations import share_alpha
from mlmonitor.records import Declared
from mlmonitor.reference.reference import Reference


def begin_figures(
    options: ComparisonOptions, reference: Reference | None, declared: Declared
) -> tuple[Kpis, Attributions]:
    """Return empty business figures and attributions; their rows count as ungrouped."""
    shared = share_alpha(options, reference, has_segments=bool(declared.segments))
    shared = replace(shared, grouping=None)
    return Kpis(shared, reference, declared.kpis), Attributions(shared, reference)
