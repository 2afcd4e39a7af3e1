"""All parts of a page about one model."""

from dataclasses import dataclass

from mlmonitor.present.views.challenger_cards import ChallengerCard, list_challengers
from mlmonitor.present.views.field_detail import FieldDetail, find_detail
from mlmonitor.present.views.field_list import FieldList, list_fields
from mlmonitor.present.views.headline import Headline, build_headline
from mlmonitor.present.views.incident_list import IncidentItem, list_incidents
from mlmonitor.present.views.kpi_panel import KpiCard, list_kpis
from mlmonitor.present.views.monitoring_panel import MonitoringPanel, build_monitoring_panel
from mlmonitor.present.views.performance_panel import (
    ObjectiveTile,
    PerformancePanel,
    build_performance_panel,
    list_objectives,
)
from mlmonitor.present.views.prediction_panel import PredictionPanel, build_prediction_panel
from mlmonitor.present.views.view_options import ModelReading, ViewOptions


@dataclass(frozen=True, slots=True)
class ModelPage:
    """The parts of a page, from top to bottom; None for a part without content."""

    headline: Headline
    incidents: tuple[IncidentItem, ...]
    prediction: PredictionPanel | None
    fields: FieldList
    field: FieldDetail | None
    performance: PerformancePanel | None
    objectives: tuple[ObjectiveTile, ...]
    challengers: tuple[ChallengerCard, ...]
    kpis: tuple[KpiCard, ...]
    monitoring: MonitoringPanel


def build_model_page(reading: ModelReading, options: ViewOptions) -> ModelPage:
    """Compute all parts of a page from one reading of the model."""
    return ModelPage(
        headline=build_headline(reading),
        incidents=list_incidents(reading),
        prediction=build_prediction_panel(reading),
        fields=list_fields(reading, options),
        field=find_detail(reading, options.field, options.segment) if options.field else None,
        performance=build_performance_panel(reading),
        objectives=list_objectives(reading),
        challengers=list_challengers(reading),
        kpis=list_kpis(reading),
        monitoring=build_monitoring_panel(reading),
    )
