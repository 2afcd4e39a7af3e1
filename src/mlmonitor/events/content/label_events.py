"""Build events of labels and business figures."""

from collections.abc import Iterable, Sequence
from math import isfinite
from typing import Any

import numpy as np

from mlmonitor.aggregate.sketches.categories import Dictionary
from mlmonitor.capture.host.label_entries import LabelEntry
from mlmonitor.capture.host.outcome_entries import OutcomeEntry
from mlmonitor.capture.outputs import PREDICTION
from mlmonitor.capture.read.numbers import parse_datetimes, parse_floats
from mlmonitor.capture.read.rows import read_rows
from mlmonitor.capture.values import Values
from mlmonitor.compare.figures.kpis import FigureSum
from mlmonitor.events.content.event_source import Content, EventSource, format_time
from mlmonitor.events.content.redaction import (
    CategoryNames,
    Cell,
    Disclosure,
    disclose,
    hash_values,
)
from mlmonitor.events.event_options import EventOptions
from mlmonitor.formats.events import EventIds, clean_text
from mlmonitor.formats.reference import CategoricalReference, CountedEntry
from mlmonitor.records import Role
from mlmonitor.reference.disclosure import LEAST_ROWS
from mlmonitor.reference.plans import dictionary_of
from mlmonitor.reference.reference import Reference

ACTUAL = "actual"


class ValueForm:
    """Converts actuals, or the predictions of pairs, to the form in which they are sent.

    entry: the entry of the field in the reference. classes: names that may be sent if there is no
    entry. Another name is sent only after it has occurred in five rows.
    """

    def __init__(
        self,
        entry: CountedEntry | None,
        options: EventOptions,
        *,
        name: str = ACTUAL,
        classes: Dictionary | None = None,
    ) -> None:
        self._options = options
        self._disclosure = Disclosure.NAMES if options.has_field(name) else Disclosure.NOTHING
        if entry is not None and self._disclosure is not Disclosure.NOTHING:
            self._disclosure = disclose(entry, options, ())
        elif name in options.hashed:
            self._disclosure = Disclosure.HASHES
        self._is_datetime = entry is not None and entry.kind == "datetime"
        self._is_category = isinstance(entry, CategoricalReference) or classes is not None
        if isinstance(entry, CategoricalReference):
            classes = dictionary_of(entry)
        least_rows = 1 if self._disclosure is Disclosure.VALUES else LEAST_ROWS
        self._names = CategoryNames(classes or Dictionary(()), least_rows=least_rows)

    def read(self, values: Values) -> Sequence[Cell]:
        """Return each value in the form in which it is sent."""
        match self._disclosure:
            case Disclosure.NOTHING:
                return [None] * len(values)
            case Disclosure.HASHES:
                return hash_values(values, self._options.hash_text)
            case _:
                return self._read_numbers_or_names(values)

    def _read_numbers_or_names(self, values: Values) -> Sequence[Cell]:
        if not self._is_category:
            numbers, refused = (parse_datetimes if self._is_datetime else parse_floats)(values)
            if not refused[-1]:
                listed: list[float] = numbers.tolist()
                return [number if isfinite(number) else None for number in listed]
        return self._names.encode(values)[0]


def _find_entry(reference: Reference | None, role: Role, name: str | None) -> CountedEntry | None:
    entries = [] if reference is None else reference.entries([role])
    return next((entry for entry in entries if name is None or entry.name == name), None)


class LabelEvents:
    """Builds events of labels and figures; the reference, if any, decides which names are sent."""

    def __init__(
        self,
        source: EventSource,
        ids: EventIds,
        options: EventOptions,
        reference: Reference | None,
    ) -> None:
        self._source, self._ids, self._options = source, ids, options
        predicted = _find_entry(reference, Role.PREDICTION, PREDICTION)
        is_class = isinstance(predicted, CategoricalReference)
        classes = dictionary_of(predicted) if isinstance(predicted, CategoricalReference) else None
        actual = _find_entry(reference, Role.ACTUAL, None)
        self._actuals = ValueForm(actual, options, classes=classes if is_class else None)
        self._predictions = ValueForm(predicted, options, name=PREDICTION)

    def build(self, labels: LabelEntry, *, now: float) -> list[Content]:
        """Build an event for each label of a prediction id that is in the sample."""
        times = np.full(len(labels.ids), now) if labels.times is None else labels.times
        actuals = self._actuals.read(labels.actuals)
        event_ids = self._ids.draw(len(labels.ids), int(now * 1e3))
        events = []
        for event_id, own_id, actual, time in zip(
            event_ids, labels.ids, actuals, times.tolist(), strict=True
        ):
            name = self._options.id_form(own_id) if own_id else ""
            if name and self._options.has_prediction(name):
                event = self._source.envelope("label", event_id, time if isfinite(time) else now)
                event["prediction_id"], event["actual"] = name, actual
                events.append(event)
        return events

    def build_pairs(self, outcomes: OutcomeEntry, *, now: float) -> list[Content]:
        """Build an event for each pair of prediction and actual that was recorded without an id."""
        rows = read_rows([outcomes.entry])
        predicted: Values = rows.predictions.get(PREDICTION) or next(
            iter(rows.predictions.values()), [None] * rows.count
        )
        cells = zip(
            self._ids.draw(rows.count, int(now * 1e3)),
            self._actuals.read(outcomes.actuals),
            self._predictions.read(predicted),
            outcomes.predicted_at.tolist(),
            strict=True,
        )
        return [
            self._source.envelope("label", event_id, now)
            | {
                "prediction_id": None,
                "actual": actual,
                "prediction": prediction,
                "predicted_at": format_time(at if isfinite(at) else now),
            }
            for event_id, actual, prediction, at in cells
        ]

    def build_figures(self, figures: Iterable[tuple[str, Any]], *, now: float) -> list[Content]:
        """Build an event for each business figure."""
        sent = [(name, value) for name, value in figures if self._options.has_field(str(name))]
        values, _ = parse_floats([value for _, value in sent])
        return [
            self._source.envelope("kpi", event_id, now)
            | {"name": clean_text(str(name)) or "?", "value": value if isfinite(value) else None}
            for event_id, (name, _), value in zip(
                self._ids.draw(len(sent), int(now * 1e3)), sent, values.tolist(), strict=True
            )
        ]

    def build_sums(self, sums: Sequence[FigureSum], *, now: float) -> list[Content]:
        """Build an event for each sum of a figure over rows."""
        sent = [figure for figure in sums if figure.rows and self._options.has_field(figure.name)]
        return [
            self._source.envelope("kpi", event_id, now)
            | {
                "name": clean_text(figure.name) or "?",
                "value": figure.value if isfinite(figure.value) else None,
                "count": figure.rows,
                "unit": clean_text(figure.unit),
            }
            for event_id, figure in zip(
                self._ids.draw(len(sent), int(now * 1e3)), sent, strict=True
            )
        ]
