"""Choose the categories that a reference lists, and count them without selection bias."""

from collections import Counter
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Counts, Field, Kind
from mlmonitor.reference.disclosure import is_id_like, least_count

TOP_CATEGORIES = 50
OTHER_CATEGORIES = 2_000


class CategoryCounts(NamedTuple):
    """The fields of a `CategoricalReference` with the same names."""

    categories: list[str]
    counts: list[int]
    missing: int
    others: list[str]
    is_closed: bool
    once: int
    twice: int
    held_out: list[int]
    id_like: bool
    public: bool


def ranked(
    sample: np.ndarray[Any, Any], fixed: tuple[str, ...] = (), *, is_public: bool = False
) -> CategoryCounts:
    """Count and rank the categories of a sample, None where missing; always list the `fixed` ones.

    If there are more than `TOP_CATEGORIES`, or if some may not be named, a random half of the rows
    chooses the listed ones, and `held_out` counts the other half. Counted on the rows that chose
    them, listed categories would seem to become rarer in every window.
    Price: such fields have only half of the rows as evidence.
    """
    counts = Counter(sample.tolist())
    missing = counts.pop(None, 0)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in order if name not in (OTHER, NEW)]
    least = 1 if is_public or fixed else least_count(counts.values())
    is_withheld = any(count < least for count in counts.values())
    held_out: np.ndarray[Any, Any] | None = None
    if fixed:
        top = list(fixed)
    elif len(order) <= TOP_CATEGORIES and not is_withheld:
        top = names
    else:
        is_held = _is_held(len(sample))
        top, held_out = _chosen(sample[~is_held], names, least), sample[is_held]
        top.sort(key=lambda name: (-counts[name], name))
    listed = set(top)
    rest = [(name, count) for name, count in order if name not in listed]
    is_closed = len(rest) <= OTHER_CATEGORIES and not is_withheld
    frequencies = Counter(counts.values())
    singles = {name for name, count in rest if count == 1} if is_closed else set()
    return CategoryCounts(
        categories=top,
        counts=[counts.get(name, 0) for name in top] + [sum(count for _, count in rest)],
        missing=missing,
        others=[] if is_withheld else [name for name, _ in rest[:OTHER_CATEGORIES]],
        is_closed=is_closed,
        once=frequencies[1],
        twice=frequencies[2],
        held_out=[] if held_out is None else _held_out(held_out, top, singles),
        id_like=not fixed and is_id_like(counts.values()),
        public=is_public,
    )


def _chosen(choosing: np.ndarray[Any, Any], names: list[str], least: int) -> list[str]:
    """Return the categories that half of the rows choose: its most frequent ones that may be named.

    The other half has no influence, so it counts a name that only it contains among the others.
    """
    counts = Counter(choosing.tolist())
    frequent = [name for name in names if counts[name] >= least]
    return sorted(frequent, key=lambda name: (-counts[name], name))[:TOP_CATEGORIES]


def categorical(
    field: Field, sample: np.ndarray[Any, Any], *, is_public: bool = False
) -> CategoricalReference:
    """Summarise a categorical or boolean field; `is_public`: whether to name rare categories."""
    fixed = ("false", "true") if field.kind is Kind.BOOLEAN else ()
    counted = ranked(sample, fixed, is_public=is_public)
    return CategoricalReference(
        name=field.name,
        role=field.role.value,  # type: ignore[arg-type]  # kpis have no reference
        kind=field.kind.value,  # type: ignore[arg-type]  # no other kind gets here
        rows=len(sample),
        **counted._asdict(),
    )


class Rare:
    """Counts the rare categories of a field in parts of its sample.

    A category is new to a part if it is new to the whole.
    """

    def __init__(self, sample: np.ndarray[Any, Any], entry: CategoricalReference) -> None:
        counts = Counter(sample.tolist())
        counts.pop(None, 0)
        self._sample, self._top, self._is_split = sample, entry.categories, bool(entry.held_out)
        self._once = {name for name, count in counts.items() if count == 1}
        self._twice = {name for name, count in counts.items() if count == 2}
        self._new = self._once - set(self._top) if entry.is_closed else set()
        self._is_held = _is_held(len(sample))

    @cached_property
    def held_cells(self) -> Counts | None:
        """The place of each row in `[*categories, others, new, missing]`, -1 unless it is held out.

        None if every row is counted.
        """
        if not self._is_split:
            return None
        codes: dict[object, int] = {name: at for at, name in enumerate(self._top)}
        others = len(codes)
        codes |= dict.fromkeys(self._new, others + 1) | {None: others + 2}
        cells = [codes.get(name, others) for name in self._sample.tolist()]
        return np.where(self._is_held, np.array(cells, np.int64), -1)

    def within(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """`once`, `twice` and `held_out` of some rows of the sample."""
        names = self._sample[rows].tolist()
        held_out = self._sample[rows[self._is_held[rows]]]
        return {
            "once": sum(name in self._once for name in names),
            "twice": sum(name in self._twice for name in names) // 2,
            "held_out": _held_out(held_out, self._top, self._new) if self._is_split else [],
        }


def _is_held(rows: int) -> NDArray[np.bool_]:
    """Which rows of a sample are held out from choosing categories: half, with a fixed seed."""
    is_held: NDArray[np.bool_] = np.random.default_rng(rows).random(rows) < 0.5
    return is_held


def _held_out(sample: np.ndarray[Any, Any], top: list[str], singles: set[str]) -> list[int]:
    """`[*top, others, new, missing]` of these rows."""
    counts = Counter(sample.tolist())
    missing = counts.pop(None, 0)
    of_top = [counts.pop(name, 0) for name in top]
    new = sum(name in singles for name in counts)
    return [*of_top, sum(counts.values()) - new, new, missing]
