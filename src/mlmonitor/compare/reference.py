"""The reference: what every field looked like when the model was trained."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import numpy as np

from mlmonitor.aggregate.categories import Dictionary
from mlmonitor.aggregate.plan import NumericPlan, Plan
from mlmonitor.capture.columns import is_missing
from mlmonitor.capture.outputs import OutputKind, Outputs
from mlmonitor.compare.fit import SAMPLE_ROWS, Entry, fitted
from mlmonitor.compare.training import checked_name, checked_names, chunks
from mlmonitor.compare.wording import amount
from mlmonitor.errors import ConfigError, SchemaError
from mlmonitor.records import Field, Kind, Role
from mlmonitor.reference_format import (
    FILE_BYTES,
    CategoricalReference,
    NumericReference,
    ReferenceFile,
    parsed,
    written,
)

MOST_BINS = 1_000
_OBJECT_BYTES = 4_000  # of a reference's objects, its entries aside


@dataclass(frozen=True)
class Reference:
    """Summaries of the training data: bins with counts, moments, quantiles, categories. No rows.

    Make one with `fit` where the model is trained, `save` it beside the model, and give it, or its
    path, to `Monitor`. `is_learned` tells that it was made from a service's first rows instead.
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
        classes: Sequence[str] = (),
        actuals: Any = None,
        names: Sequence[str] = (),
        schema: Mapping[str, Kind | str] | None = None,
        trained_at: datetime | None = None,
        importances: Mapping[str, float] | None = None,
        training_metrics: Mapping[str, float] | None = None,
        bins: int = 10,
        seed: int = 0,
    ) -> Self:
        """The reference of training data, best of rows that the model was not fitted on.

        Price: about 0.2 us a number and 0.5 us a category, and 20 to 200 ms a field for what chance
        makes of its distances. Data handed over whole is used whole; of
        an iterator's chunks a uniform sample of 100,000 rows makes the bins, while mean, deviation
        and range come from all, and a kind is settled by the first chunk with a value.

        Args:
            features: a pandas, polars or pyarrow frame (extra `frames`), columns by name, rows, an
                array with `names`, or an iterator of chunks of any of these.
            predictions: the model's output for these rows: an array, a frame or mapping of several
                outputs, a function of a chunk, or an iterator of chunks.
            output: `probabilities` where `predictions` hold one number per class; as when watching,
                the label of the most probable is the prediction, beside a field for each class.
            classes: names of these, in order, as given to `watch` as `names`.
            actuals: the truth about these rows, in the same forms.
            names: of the columns of an array.
            schema: kinds that shall not be inferred: numeric, categorical, boolean or datetime.
            trained_at: when the model was trained; a naive time is taken as UTC.
            importances: of features, as the model tells them.
            training_metrics: such as `{"mae": 41.5}`, to compare live performance with.
            bins: how many bins of equal mass a numeric field gets.
            seed: of the sample that is drawn from chunks.

        Raises:
            SchemaError: the data has no rows, lacks names, its parts do not fit each other, or a
                column is of no known kind, or not of the one the schema says.
            ConfigError: `bins` or `seed` is out of bounds, or `output` is unknown.
        """
        _check_options(bins, seed)
        outputs = _outputs(output, classes)
        is_stream = hasattr(features, "__next__")
        found = fitted(
            chunks(features, predictions, actuals, names, outputs=outputs),
            schema=_kinds(schema or {}),
            sample_rows=SAMPLE_ROWS if is_stream else None,
            bins=bins,
            rng=np.random.default_rng(seed),
        )
        return cls(
            ReferenceFile(
                rows=found.rows,
                rows_seen=found.rows_seen,
                trained_at=_aware(trained_at),
                importances=_figures("importances", importances),
                training_metrics=_figures("training_metrics", training_metrics),
                fields=found.entries,
                explained=found.explained,
            )
        )

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """The reference saved at `path`.

        Raises:
            FormatError: the file is damaged, too new, or contradicts itself; the message says
                where.
            OSError: the file cannot be read.
        """
        with Path(path).open("rb") as file:
            return cls(parsed(file.read(FILE_BYTES + 1)))

    def save(self, path: str | PathLike[str]) -> None:
        """Write the reference to `path` as JSON that a person can read and compare.

        Promise: whoever reads `path` meanwhile finds the old file or the new one, never a part.

        Raises:
            FormatError: it would be larger than what `load` accepts.
            OSError: the file cannot be written.
        """
        data = written(self.content)
        target = Path(path).resolve()  # a link stays a link
        fresh = target.with_name(f".{target.name[:100]}.{uuid4().hex}")
        try:
            with fresh.open("xb") as file:
                file.write(data)
            fresh.replace(target)
        finally:
            fresh.unlink(missing_ok=True)

    def __repr__(self) -> str:
        told = [amount(self.rows, "row")]
        for role in Role:
            count = sum(entry.role == role for entry in self.content.fields)
            if count:
                told.append(amount(count, role.value))
        return f"Reference({', '.join(told)})"

    @property
    def rows(self) -> int:
        """How many rows stand behind the counts."""
        return self.content.rows

    @cached_property
    def nbytes(self) -> int:
        """Memory that it takes at most."""
        return _OBJECT_BYTES + sum(entry.nbytes for entry in self.content.fields)

    @property
    def trained_at(self) -> datetime | None:
        """When the model was trained, if that was told."""
        return self.content.trained_at

    @property
    def fields(self) -> tuple[Field, ...]:
        """Features, predictions and actuals, with their kinds."""
        return tuple(_field(entry) for entry in self.content.fields)

    def entries(self, roles: Sequence[Role]) -> list[Entry]:
        """The summaries of the fields of some roles, numeric ones first, as a schema has them."""
        found = [entry for entry in self.content.fields if Role(entry.role) in roles]
        return sorted(found, key=lambda entry: not _field(entry).is_numeric)

    def plan(self, roles: Sequence[Role], *, deviations: float) -> Plan:
        """How the fields of some roles are cut up; bands are the mean ± `deviations`."""
        entries = self.entries(roles)
        return Plan.of(
            [_field(entry) for entry in entries],
            {
                _field(e): _numeric(e, deviations)
                for e in entries
                if isinstance(e, NumericReference)
            },
            {_field(e): _dictionary(e) for e in entries if isinstance(e, CategoricalReference)},
        )


def _field(entry: Entry) -> Field:
    return Field(entry.name, Role(entry.role), Kind(entry.kind))


def _numeric(entry: NumericReference, deviations: float) -> NumericPlan:
    edges = np.array(entry.edges, np.float64)
    if entry.mean is None or entry.stddev is None or entry.min is None or entry.max is None:
        return NumericPlan(edges)
    reach = deviations * entry.stddev
    return NumericPlan(edges, entry.min, entry.max, entry.mean - reach, entry.mean + reach)


def _dictionary(entry: CategoricalReference) -> Dictionary:
    return Dictionary(
        entry.categories,
        entry.others,
        is_closed=entry.is_closed,
        is_boolean=entry.kind == "boolean",
    )


def _check_options(bins: object, seed: object) -> None:
    for name, value, low, high in (("bins", bins, 1, MOST_BINS), ("seed", seed, 0, 1 << 63)):
        is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not is_whole or not low <= int(str(value)) <= high:
            raise ConfigError(f"{name}: wanted a whole number from {low:,} to {high:,}")


def _outputs(output: OutputKind, classes: Sequence[str]) -> Outputs:
    names = checked_names(classes, "classes")
    outputs = Outputs(kind=output, names=names)
    if names and output == "value":
        raise ConfigError("classes: wanted with output='probabilities' only")
    if len(names) == 1:
        raise ConfigError("classes: wanted two or more, or none to number them")
    return outputs


def _kinds(schema: Any) -> dict[str, Kind]:
    known = ", ".join(each.value for each in Kind)
    if not isinstance(schema, Mapping):
        raise SchemaError(f"schema: wanted a mapping of column to one of {known}")
    kinds = {}
    for name, kind in schema.items():
        try:
            kinds[str(name)] = Kind(kind)
        except ValueError:
            raise SchemaError(f"schema: {name!r}: wanted one of {known}") from None
    return kinds


def _figures(what: str, figures: Any) -> dict[str, float]:
    if figures is None:
        return {}
    if not isinstance(figures, Mapping):
        raise SchemaError(f"{what}: wanted a mapping of name to number")
    found = {}
    for name, value in figures.items():
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            number = math.nan
        if not math.isfinite(number):
            raise SchemaError(f"{what}: {name!r}: wanted a finite number")
        found[checked_name(name)] = number
    return found


def _aware(moment: Any) -> datetime | None:
    if moment is None:
        return None
    if not isinstance(moment, datetime) or is_missing(moment):
        raise SchemaError(f"trained_at: wanted a datetime, met {type(moment).__name__}")
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return datetime.fromtimestamp(0, UTC) + (aware - datetime.fromtimestamp(0, UTC))
