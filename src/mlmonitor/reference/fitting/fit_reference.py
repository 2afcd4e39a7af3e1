"""Turn training data and checked options into the content of a reference."""

from collections.abc import Iterator
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np

from mlmonitor.capture.outputs import ACTUAL
from mlmonitor.capture.read.class_values import unify_classes
from mlmonitor.display.progress import track
from mlmonitor.formats.reference import ReferenceFile
from mlmonitor.records import Role
from mlmonitor.reference.distributed.distributed_data import draw_rows, find_sampling
from mlmonitor.reference.figures.row_figures import Figures, RowFigures, list_chunks
from mlmonitor.reference.fit_options import (
    FitOptions,
    check_actuals,
    check_columns,
    warn_of_missing,
    warn_of_unreadable,
)
from mlmonitor.reference.fitting.copied_rows import warn_of_copied_rows
from mlmonitor.reference.fitting.derived_fields import Derivations
from mlmonitor.reference.fitting.fit import SAMPLE_ROWS, fit_fields
from mlmonitor.reference.fitting.stratification import Stratification
from mlmonitor.reference.training_data import Chunk, chunks


class TrainingData(NamedTuple):
    """The arguments of `Reference.fit` that hold one value or several per row."""

    features: Any
    predictions: Any
    actuals: Any
    times: Any
    groups: Any = None
    kpis: Figures = ()
    attributions: Any = None


def fit_reference(data: TrainingData, options: FitOptions) -> ReferenceFile:
    """Fit the content of a reference to `data`; a distributed frame is sampled first.

    Raises:
        SchemaError: the data has no rows, is inconsistent, or does not fit the options.
    """
    sampling = find_sampling(data.features)
    if sampling is None:
        return _fit(data, options)
    named = {name: getattr(data, name) for name in ("predictions", "actuals", "times")}
    drawn = draw_rows(data.features, named, sampling, seed=options.seed, limit=SAMPLE_ROWS)
    content = _fit(data._replace(features=drawn.features, **drawn.columns), options)
    return content.model_copy(update={"rows_seen": drawn.seen})


def _fit(data: TrainingData, options: FitOptions) -> ReferenceFile:
    strata = Stratification(
        options.segments,
        options.max_segments,
        options.cycle,
        options.fields.public,
        search_timezone=options.season_timezone if options.season == "auto" else None,
    )
    derivations = Derivations(options.kinds, strata, scored=options.scored, seed=options.seed)
    is_stream = hasattr(data.features, "__next__")
    figures = RowFigures(data.kpis, data.attributions, is_stream=is_stream)
    fitted = fit_fields(
        derivations.passing(list_chunks(_check_chunks(data, options), figures)),
        schema=derivations.others,
        sample_rows=SAMPLE_ROWS if is_stream else None,
        rng=np.random.default_rng(options.seed),
        strata=strata,
        options=options.fields,
    )
    whole = derivations.completed(fitted, options.fields)
    check_actuals(whole.fields, options.outputs)
    warn_of_missing(whole.fields)
    warn_of_unreadable(whole.fields)
    warn_of_copied_rows(fitted.copied_rows, fitted.rows)
    return ReferenceFile(
        rows=fitted.rows,
        rows_seen=fitted.rows_seen,
        copied_rows=fitted.copied_rows,
        trained_at=options.facts.trained_at,
        importances=options.facts.importances,
        training_metrics=options.facts.metrics,
        training_seconds=options.facts.seconds,
        training_rows=options.facts.rows,
        parent_version=options.facts.parent_version,
        attributions=figures.mean_attributions,
        anomaly=whole.anomaly,
        fields=whole.fields,
        losses=fitted.losses,
        calibration=fitted.calibration,
        explained=fitted.explained,
        segmented_by=list(strata.fields),
        segments=whole.segments,
        season=None if strata.season is None else strata.season.name,  # type: ignore[arg-type]  # one of SEASONS
        season_search=strata.season_search,
        season_timezone=options.season_timezone,
        grouped=strata.order.grouped(
            data.groups if isinstance(data.groups, str) else None, fitted.slots
        ),
        is_dated=strata.order.is_dated,
    )


def _check_chunks(data: TrainingData, options: FitOptions) -> Iterator[Chunk]:
    """Yield the chunks; check the options against the first chunk that has rows."""
    is_checked = False
    parts = chunks(
        data.features,
        data.predictions,
        data.actuals,
        options.names,
        outputs=options.outputs,
        segments=options.segments,
        times=data.times,
        groups=data.groups,
    )
    for chunk in track(parts, "reading rows", count=attrgetter("rows")):
        actuals = chunk.columns.get((Role.ACTUAL, ACTUAL))
        if actuals is not None and options.outputs.names:
            chunk.columns[Role.ACTUAL, ACTUAL] = unify_classes(actuals, options.outputs.names)
        if chunk.rows and not is_checked:
            check_columns(chunk.columns, options)
            is_checked = True
        yield chunk
