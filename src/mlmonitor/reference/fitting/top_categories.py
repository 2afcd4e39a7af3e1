"""Choose the categories that a reference lists, and count them without selection bias."""

from collections import Counter
from collections.abc import Collection
from functools import cached_property
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from mlmonitor.aggregate.sketches.categories import NEW, OTHER
from mlmonitor.aggregate.sketches.name_groups import count_groups, group_names, group_of
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Counts, Field, Kind
from mlmonitor.reference.disclosure import LEAST_ROWS, MOST_CLOSED, is_id_like, least_count
from mlmonitor.reference.personal_values import personal_names

TOP_CATEGORIES = 50
OTHER_CATEGORIES = 2_000


class CategoryCounts(NamedTuple):
    """Counts of categories; these become the fields of a `CategoricalReference`."""

    categories: list[str]
    counts: list[int]
    missing: int
    others: list[str]
    is_closed: bool
    once: int
    twice: int
    distinct: int
    held_out: list[int]
    id_like: bool
    public: bool
    groups: int


def ranked(
    sample: np.ndarray[Any, Any], fixed: tuple[str, ...] = (), *, is_public: bool = False
) -> CategoryCounts:
    """Count and rank the categories of a sample; None is a missing value.

    fixed: categories that are always listed. is_public: whether rare names may be disclosed.
    If there are more than `TOP_CATEGORIES`, or if some may not be named, the listed categories are
    chosen from a random half of the rows, and `held_out` counts the other half. In the half by
    which they were chosen, listed categories are more frequent than in the other half and in live
    windows.
    Price: such a field has the evidence of only half of its rows.
    """
    counts = Counter(sample.tolist())
    missing = counts.pop(None, 0)
    order = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    names = [name for name, _ in order if name not in (OTHER, NEW)]
    withheld = _Withheld.decide(counts, is_open=is_public or bool(fixed))
    is_held = _is_held(len(sample))
    is_chosen = not fixed and (len(order) > TOP_CATEGORIES or withheld.are_some)
    top = list(fixed) or names
    if is_chosen:
        nameable = [name for name in names if withheld.may_name(name, counts[name])]
        top = _choose_names(sample[~is_held], nameable, withheld.least, len(sample))
        top.sort(key=lambda name: (-counts[name], name))
    rest = [(name, count) for name, count in order if name not in set(top)]
    id_like = not fixed and is_id_like(counts, withheld.personal)
    groups = _count_groups([name for name, _ in rest]) if withheld.are_some and not id_like else 0
    is_closed = len(rest) <= OTHER_CATEGORIES and not withheld.are_some
    singles = {name for name, count in rest if count == 1} if is_closed else set()
    frequencies = Counter(counts.values())
    grouped, categories = group_withheld(sample, top, groups), top + group_names(groups)
    by_category = Counter(grouped.tolist())
    by_category.pop(None, 0)
    listed = [by_category.pop(name, 0) for name in categories]
    return CategoryCounts(
        categories=categories,
        counts=[*listed, sum(by_category.values())],
        missing=missing,
        others=[] if withheld.are_some else [name for name, _ in rest[:OTHER_CATEGORIES]],
        is_closed=is_closed,
        once=frequencies[1],
        twice=frequencies[2],
        distinct=len(counts),
        held_out=_count_held_out(grouped[is_held], categories, singles) if is_chosen else [],
        id_like=id_like,
        public=is_public,
        groups=groups,
    )


class _Withheld(NamedTuple):
    """The names that may not leave the process: `personal` ones, and those in too few rows.

    least: a name in fewer rows is withheld. are_some: whether any name is withheld.
    """

    least: int
    personal: frozenset[str]
    are_some: bool

    @classmethod
    def decide(cls, counts: Counter[str], *, is_open: bool) -> Self:
        """Decide which names are withheld, by their numbers of rows; if `is_open`, none is."""
        if is_open:
            return cls(1, frozenset(), are_some=False)
        least, personal = least_count(counts.values()), personal_names(counts)
        is_rare = any(count < least for count in counts.values())
        return cls(least, personal, are_some=is_rare or bool(personal))

    def may_name(self, name: str, count: int) -> bool:
        """Whether a name that occurs in `count` rows may leave the process."""
        return count >= self.least and name not in self.personal


def _count_groups(names: Collection[str]) -> int:
    """Return the number of groups for hashing these names; 0 for at most 50 names."""
    return count_groups(names) if len(names) > MOST_CLOSED else 0


def _choose_names(
    choosing: np.ndarray[Any, Any], names: list[str], least: int, rows: int
) -> list[str]:
    """Return the categories to list: the most frequent `names` in the half `choosing`.

    names: the names that may be disclosed. least: how many of all `rows` a name needs; in the half
    it needs the same share. The other half has no influence on the choice, so that its counts are
    unbiased.
    """
    counts = Counter(choosing.tolist())
    share = least * len(choosing) / max(rows, 1)
    frequent = [name for name in names if counts[name] >= max(min(least, LEAST_ROWS), share)]
    return sorted(frequent, key=lambda name: (-counts[name], name))[:TOP_CATEGORIES]


def categorical(
    field: Field, sample: np.ndarray[Any, Any], *, is_public: bool = False
) -> CategoricalReference:
    """Summarise a categorical or boolean field; with `is_public`, rare categories are named."""
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
    """Counts rare categories of a field in parts of its sample, such as segments.

    Whether a category is rare or new is decided over the whole sample.
    """

    def __init__(self, sample: np.ndarray[Any, Any], entry: CategoricalReference) -> None:
        counts = Counter(sample.tolist())
        counts.pop(None, 0)
        self._sample = sample
        self._grouped = group_withheld(sample, entry.names, entry.groups)
        self._top, self._is_split = entry.categories, bool(entry.held_out)
        self._once = {name for name, count in counts.items() if count == 1}
        self._twice = {name for name, count in counts.items() if count == 2}
        self._new = self._once - set(self._top) if entry.is_closed else set()
        self._is_held = _is_held(len(sample))

    @cached_property
    def held_cells(self) -> Counts | None:
        """The index of each held-out row in `[*categories, others, new, missing]`.

        -1 for all other rows; None if no rows are held out.
        """
        if not self._is_split:
            return None
        codes: dict[object, int] = {name: at for at, name in enumerate(self._top)}
        others = len(codes)
        codes |= dict.fromkeys(self._new, others + 1) | {None: others + 2}
        cells = [codes.get(name, others) for name in self._grouped.tolist()]
        return np.where(self._is_held, np.array(cells, np.int64), -1)

    def within(self, rows: NDArray[np.intp]) -> dict[str, Any]:
        """Return `once`, `twice` and `held_out` of a segment with these rows of the sample."""
        names = self._sample[rows].tolist()
        held_out = self._grouped[rows[self._is_held[rows]]]
        return {
            "once": sum(name in self._once for name in names),
            "twice": sum(name in self._twice for name in names) // 2,
            "held_out": _count_held_out(held_out, self._top, self._new) if self._is_split else [],
        }


def group_withheld(
    sample: np.ndarray[Any, Any], named: Collection[str], groups: int
) -> np.ndarray[Any, Any]:
    """Replace each name that is not in `named` by the name of its group, if there are groups."""
    if not groups:
        return sample
    names = group_names(groups)
    replaced: dict[object, object] = {name: name for name in named} | {None: None}
    for name in set(sample.tolist()) - replaced.keys():
        replaced[name] = names[group_of(name, groups)]
    return np.array([replaced[name] for name in sample.tolist()], object)


def _is_held(rows: int) -> NDArray[np.bool_]:
    """Mark about half of the rows as held out from choosing categories, with a fixed seed."""
    is_held: NDArray[np.bool_] = np.random.default_rng(rows).random(rows) < 0.5
    return is_held


def _count_held_out(sample: np.ndarray[Any, Any], top: list[str], singles: set[str]) -> list[int]:
    """Count the rows as `[*top, others, new, missing]`; names in `singles` are new."""
    counts = Counter(sample.tolist())
    missing = counts.pop(None, 0)
    of_top = [counts.pop(name, 0) for name in top]
    new = sum(name in singles for name in counts)
    return [*of_top, sum(counts.values()) - new, new, missing]
