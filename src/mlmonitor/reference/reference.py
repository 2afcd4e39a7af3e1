"""The reference: a summary of every field in a model's training data."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

from mlmonitor.aggregate.plan import Plan
from mlmonitor.aggregate.season import Season
from mlmonitor.aggregate.segments import MOST_SEGMENTS, SegmentValues, segment_name
from mlmonitor.capture.outputs import OutputKind
from mlmonitor.derived.deriver import kernel_plans
from mlmonitor.environment.argument_checks import find_file
from mlmonitor.formats.atomic_file import check_target, write_atomically
from mlmonitor.formats.reference import (
    FILE_BYTES,
    CategoricalReference,
    CountedEntry,
    NumericReference,
    ReferenceFile,
    counted,
    drop_features,
    dump,
    load,
    segment_entry,
)
from mlmonitor.formatting import amount, truncate
from mlmonitor.records import Field, Kind, Role
from mlmonitor.reference.plans import dictionary_of, field_of, numeric_plan
from mlmonitor.reference.reference_html import NotebookReference

if TYPE_CHECKING:
    from mlmonitor.reference.figures.row_figures import Figures
    from mlmonitor.reference.fit_options import SeasonName
    from mlmonitor.reference.thresholds import Thresholds

_OBJECT_BYTES = 4_000  # the objects of a reference without its entries


@dataclass(frozen=True)
class Reference(NotebookReference):
    """A summary of training data: bins with counts, moments, quantiles and categories; no rows.

    Make a reference with `fit` where the model is trained, `save` it with the model, and pass it or
    its path to `Monitor`. `is_learned`: whether a service learned it from its first rows.
    """

    content: ReferenceFile
    is_learned: bool = False

    @classmethod
    def fit(  # noqa: PLR0913 - one name for each thing that is known at training
        cls,
        features: Any,
        *,
        predictions: Any = None,
        output: OutputKind = "value",
        classes: Iterable[object] = (),
        actuals: Any = None,
        names: Iterable[object] = (),
        schema: Mapping[str, Kind | str] | None = None,
        fields: Sequence[Field] = (),
        trained_at: datetime | None = None,
        importances: Mapping[str, float] | None = None,
        training_metrics: Mapping[str, float] | None = None,
        training_seconds: float | None = None,
        training_rows: int | None = None,
        parent_version: str | None = None,
        kpis: "Figures" = (),
        attributions: Any = None,
        anomaly_score: bool | Sequence[str] = False,
        segments: Sequence[str] = (),
        max_segments: int = MOST_SEGMENTS,
        groups: Any = None,
        times: Any = None,
        season: "SeasonName | None" = None,
        season_timezone: str = "UTC",
        bins: int = 10,
        thresholds: "Thresholds" = "simulated",
        seed: int = 0,
    ) -> Self:
        """Fit a reference to training data, preferably to rows that the model was not fitted on.

        The guide is docs/guides/references.md. Data in memory is used completely; from chunks and
        Spark or Dask frames, a uniform sample of 100,000 rows is drawn for the bins.
        Price: a few seconds of CPU for 100,000 rows of 40 columns, less with asymptotic thresholds
            (`benchmarks/fit.py`).

        Args:
            features: a frame, columns by name, rows, an array with `names`, or chunks of these.
            predictions: in one of these forms, as a mapping of several outputs, as a function of a
                chunk of features, or as names of columns of a Spark or Dask frame.
            output: `probabilities` if `predictions` hold one number per class.
            classes: names of the classes, in order; actuals must be among them.
            actuals: the true values, in the same forms as `predictions`.
            names: names of an array's columns.
            schema: kinds by column, instead of inferred ones; required for text and embeddings.
            fields: declarations as for `Monitor`; `public=True` stores names of rare categories.
            trained_at: when the model was trained; a naive time counts as UTC.
            importances: importance by feature, as the model reports it.
            training_metrics: such as `{"mae": 41.5}`, to compare live performance with.
            training_seconds: how long the training took.
            training_rows: how many rows the model was fitted on.
            parent_version: the version that the model replaces.
            kpis: business figures to compare live ones with: as for `Monitor`, or columns by name.
            attributions: columns by feature, an array, SHAP's `Explanation`, or a function.
            anomaly_score: whether live rows get a score of their distance from the training rows,
                or the features to use for it.
            segments: features whose values split the rows into segments; each segment needs as
                much memory as all rows together.
            max_segments: how many segments to store, the largest first; all others become one.
            groups: the group of each row, or the name of its column, which is not a feature then.
            times: when each row was observed, in the same forms as `actuals`: datetimes, ISO 8601
                texts or seconds since 1970; naive times count as UTC.
            season: compare rows only with training rows of the same `hour_of_day` or
                `hour_of_week`; `auto` decides from the data.
            season_timezone: time zone of these hours, such as `Europe/Amsterdam`.
            bins: number of bins of a numeric field, with equal mass.
            thresholds: `simulated` or, cheaper, `asymptotic`; alerts do not depend on it.
            seed: seed of the sample drawn from chunks.

        Raises:
            SchemaError: the data has no rows or no names, arguments do not fit each other, or the
                kind of a column cannot be inferred or is not the declared one.
            ConfigError: an option is unknown or out of bounds, or a season has no `times`.
        """
        from mlmonitor.reference import fit_options, training_facts  # needed only for training
        from mlmonitor.reference.fitting.fit_reference import TrainingData, fit_reference

        options = fit_options.FitOptions.check(
            output=output,
            classes=classes,
            names=names,
            schema=schema,
            fields=fields,
            facts=training_facts.TrainingFacts.check(
                trained_at=trained_at,
                importances=importances,
                training_metrics=training_metrics,
                training_seconds=training_seconds,
                training_rows=training_rows,
                parent_version=parent_version,
            ),
            anomaly_score=anomaly_score,
            segments=segments,
            max_segments=max_segments,
            season=season,
            season_timezone=season_timezone,
            has_times=times is not None,
            has_actuals=actuals is not None,
            bins=bins,
            thresholds=thresholds,
            seed=seed,
        )
        data = TrainingData(features, predictions, actuals, times, groups, kpis, attributions)
        return cls(fit_reference(data, options))

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Load the reference saved at `path`.

        Raises:
            FormatError: the file is damaged, inconsistent or of a newer version; the message says
                where.
            ConfigError: `path` is not a path.
            OSError: the file cannot be read; FileNotFoundError if it does not exist.
        """
        place = find_file(path, "reference", "the file that Reference.save wrote")
        with place.open("rb") as file:
            return cls(load(file.read(FILE_BYTES + 1)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the reference to `path` as JSON that people can read and compare.

        Promise: the write is atomic: a concurrent reader gets the old file or the new one.

        Raises:
            FormatError: the file would be larger than `load` accepts.
            OSError: the file cannot be written.
        """
        check_target(path)
        write_atomically(path, dump(self.content))

    def __repr__(self) -> str:
        parts = [amount(self.rows, "row")]
        if self.copied_rows:
            parts.append(amount(self.copied_rows, "copied row"))
        for role in Role:
            count = sum(entry.role == role for entry in self.content.fields)
            if count:
                parts.append(
                    f"{count} derived" if role is Role.DERIVED else amount(count, role.value)
                )
        parts += [f"ids? {truncate(name, 40)}" for name in self.id_like]
        parts += [f"only advances? {truncate(name, 40)}" for name in self.advancing]
        return f"Reference({', '.join(parts)})"

    @property
    def rows(self) -> int:
        """Number of training rows that were counted: all rows, or those sampled."""
        return self.content.rows

    @property
    def copied_rows(self) -> int:
        """Number of rows that are copies of others, as oversampling makes them; 0 if unknown."""
        return self.content.copied_rows

    @cached_property
    def nbytes(self) -> int:
        """Upper bound of the memory of this reference in bytes."""
        parts = self.content.segments
        anomaly = 0 if self.content.anomaly is None else self.content.anomaly.nbytes
        return anomaly + _OBJECT_BYTES + sum(e.nbytes for e in (*self.content.fields, *parts))

    @property
    def trained_at(self) -> datetime | None:
        """When the model was trained; None if it was not given to `fit`."""
        return self.content.trained_at

    @property
    def monitored(self) -> int:
        """Number of fields that are compared: all except texts and embeddings themselves."""
        return len(self.entries(tuple(Role)))

    @property
    def fields(self) -> tuple[Field, ...]:
        """Features, predictions and actuals with their kinds, and the fields derived from them."""
        return tuple(field_of(entry) for entry in self.content.fields)

    @property
    def id_like(self) -> tuple[str, ...]:
        """Names of fields that look like ids, so that they are not compared."""
        fields = self.content.fields
        return tuple(e.name for e in fields if e.is_id_like and not e.is_advancing)

    @property
    def advancing(self) -> tuple[str, ...]:
        """Names of timestamps and serial numbers; their new values in later rows fire no alert."""
        return tuple(entry.name for entry in self.content.fields if entry.is_advancing)

    @property
    def segments(self) -> tuple[str, ...]:
        """The features that split the rows into segments; empty if there are no segments."""
        return tuple(self.content.segmented_by)

    @property
    def segment_values(self) -> list[SegmentValues | None]:
        """The values of each segment; None for the segment of all other rows."""
        values_by_segment = [segment.values for segment in self.content.segments]
        return [None if values is None else tuple(values) for values in values_by_segment]

    @property
    def segment_names(self) -> tuple[str, ...]:
        """Names of the segments, largest first."""
        return tuple(segment_name(self.segments, values) for values in self.segment_values)

    @property
    def season(self) -> Season | None:
        """The cycle of hours by which rows are compared; None if the time does not matter."""
        content = self.content
        return None if content.season is None else Season(content.season, content.season_timezone)

    def without(self, names: Collection[str]) -> "Reference":
        """Return this reference without some features; the segments and their rows are kept."""
        return replace(self, content=drop_features(self.content, names)) if names else self

    def entries(self, roles: Sequence[Role], *, segment: int | None = None) -> list[CountedEntry]:
        """Return the entries of the fields with these roles, in the order of a schema.

        Numeric fields are first, then the others; in both, derived fields are last.
        segment: index of the segment whose rows are summarised; by default, all rows are.
        """
        entries = counted(self.content.fields)
        if segment is not None:
            part = self.content.segments[segment]
            entries = [segment_entry(e, f) for e, f in zip(entries, part.fields, strict=True)]
        chosen = [entry for entry in entries if Role(entry.role) in roles]
        return sorted(
            chosen, key=lambda e: (not field_of(e).is_numeric, Role(e.role) is Role.DERIVED)
        )

    def plan(self, roles: Sequence[Role], *, deviations: float) -> Plan:
        """Return the plan of these roles; bands are the mean ± `deviations` standard deviations."""
        entries = self.entries(roles)
        has_kernels = Role.DERIVED in roles and self.season is None
        return Plan.build(
            [field_of(entry) for entry in entries],
            {
                field_of(e): numeric_plan(e, deviations)
                for e in entries
                if isinstance(e, NumericReference)
            },
            {field_of(e): dictionary_of(e) for e in entries if isinstance(e, CategoricalReference)},
            # Kernel features are summarised over all rows only, not by season.
            kernels=kernel_plans(self.content) if has_kernels else (),
            season=self.season,
        )
