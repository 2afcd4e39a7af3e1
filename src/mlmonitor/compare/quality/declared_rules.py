"""Checks of the fields that a user declares, against each other and the reference."""

import math
from collections.abc import Collection, Mapping, Sequence
from enum import EnumType
from typing import Any

import numpy as np

from mlmonitor.capture.canonical import category_name
from mlmonitor.capture.frame_columns import column_values
from mlmonitor.capture.frames import package_of
from mlmonitor.capture.values import plain_values
from mlmonitor.compare.quality.rules import bound, misfit
from mlmonitor.errors import ConfigError
from mlmonitor.formatting import ask_similar, describe_kind
from mlmonitor.records import SOURCES, Field, Kind, Role
from mlmonitor.reference.reference import Reference


def declared_fields(fields: Any, reference: Reference | None) -> tuple[Field, ...]:
    """Check the declared fields and return them.

    Raises:
        ConfigError: a field is not a `Field`, is declared twice, contradicts itself, or does not
            fit the reference; the message names it.
    """
    if isinstance(fields, Field) or not isinstance(fields, Sequence) or isinstance(fields, str):
        raise ConfigError("fields: expected a list of them, such as [Field('age', minimum=0)]")
    declared = tuple(_check_rules(field) for field in fields)
    identities = [(field.role, field.name) for field in declared]
    for field, identity in zip(declared, identities, strict=True):
        if identities.count(identity) > 1:
            raise ConfigError(f"fields: {field.name!r}: expected each field once")
    if reference is not None:
        for field in declared:
            _check_fit(field, reference)
    return declared


def _check_rules(field: object) -> Field:
    checked = _check_options(field)
    where = f"fields: {checked.name!r}"
    has_bound = checked.minimum is not None or checked.maximum is not None
    if checked.allowed is not None:
        if has_bound:
            raise ConfigError(f"{where}: expected allowed, or minimum and maximum, not both")
        checked = checked._replace(allowed=_read_allowed(where, checked.allowed))
    if has_bound:
        _check_bounds(where, checked)
    # Numeric is the default, so the kind may not have been given.
    fault = "" if checked.kind is Kind.NUMERIC else misfit(checked, checked.kind)
    if fault:
        raise ConfigError(f"{where}: {fault}")
    return checked


def _check_options(field: object) -> Field:
    """Check the types of a field's options and its role; raise ConfigError if one is wrong."""
    example = "expected Field objects, as Field('age', minimum=0)"
    if not isinstance(field, Field):
        raise ConfigError(f"fields: {example}, got {describe_kind(field)}")
    if not field.name or type(field.name) is not str:
        raise ConfigError(f"fields: {example}, got one without a name")
    where = f"fields: {field.name!r}"
    if field.role not in (Role.FEATURE, Role.PREDICTION, Role.DERIVED):
        raise ConfigError(f"{where}: role: expected feature, prediction or derived")
    if field.kind not in tuple(Kind):
        raise ConfigError(f"{where}: kind: expected one of {', '.join(Kind)}")
    for option in ("nullable", "public"):
        given = getattr(field, option)
        if not isinstance(given, bool):
            kind = describe_kind(given)
            raise ConfigError(f"{where}: {option}: expected True or False, got {kind}")
    return field._replace(role=Role(field.role), kind=Kind(field.kind))


def _read_allowed(where: str, allowed: Any) -> tuple[object, ...]:
    """Return the values of any collection, such as a list, an array, a column or an enum.

    Raises:
        ConfigError: it is not a collection, is empty, or has values without a category name.
    """
    if isinstance(allowed, np.ndarray) or package_of(type(allowed)) is not None:
        allowed = plain_values(column_values(allowed))
    is_several = isinstance(allowed, Collection | EnumType)
    if not is_several or isinstance(allowed, str | bytes | Mapping) or not len(allowed):
        kind = "none" if is_several and not len(allowed) else describe_kind(allowed)
        raise ConfigError(f"{where}: allowed: expected a list of values, at least one, got {kind}")
    values = tuple(allowed)
    if any(category_name(value) is None for value in values):
        raise ConfigError(f"{where}: allowed: expected texts, numbers, booleans or times")
    return values


def _check_bounds(where: str, field: Field) -> None:
    """Raise ConfigError unless bounds are numbers or times, the lower not above the upper."""
    bounds = {}
    for name in ("minimum", "maximum"):
        value = getattr(field, name)
        if value is None:
            continue
        is_truth = isinstance(value, bool | np.bool_)
        number = math.nan if is_truth else bound(field._replace(kind=Kind.NUMERIC), value)
        if not is_truth and not math.isfinite(number):
            number = bound(field._replace(kind=Kind.DATETIME), value)
        if not math.isfinite(number):
            raise ConfigError(
                f"{where}: {name}: expected a finite number, or a datetime, got "
                f"{describe_kind(value)}"
            )
        bounds[name] = number
    if bounds.get("minimum", -math.inf) > bounds.get("maximum", math.inf):
        raise ConfigError(f"{where}: minimum: expected at most the maximum")


def _check_fit(field: Field, reference: Reference) -> None:
    kinds = {(field.role, field.name): field.kind for field in reference.fields}
    kind = kinds.get((field.role, field.name))
    if kind is None:
        names = [name for role, name in kinds if role is field.role]
        raise ConfigError(
            f"fields: {field.name!r}: the reference has no such {field.role.value}"
            f"{ask_similar(field.name, names)}: fit it again, or correct the name"
        )
    if kind in SOURCES:
        raise ConfigError(
            f"fields: {field.name!r}: expected a field derived from it, with role='derived', "
            f"because its values are {kind}"
        )
    if field.kind is not Kind.NUMERIC and field.kind is not kind:  # numeric is the default
        raise ConfigError(
            f"fields: {field.name!r}: kind: it is {kind} in the reference, not {field.kind}: leave "
            "kind out"
        )
    fault = misfit(field, kind)
    if fault:
        raise ConfigError(f"fields: {field.name!r}: {fault}")
