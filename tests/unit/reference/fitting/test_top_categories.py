"""Which categories are listed by name, and how often each is expected."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mlmonitor import Monitor
from mlmonitor.aggregate.sketches.name_groups import group_names, group_of
from mlmonitor.compare.count_table import entry_counts, prior_counts
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Field, Role
from mlmonitor.reference.fitting.top_categories import TOP_CATEGORIES, ranked
from mlmonitor.testing import ManualClock
from support.references import fit_reference

PUBLIC = [Field("c", public=True)]

names = st.lists(st.one_of(st.none(), st.integers(0, 200).map(str)), min_size=1, max_size=400)


def sample(values: list[str | None]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """Return the values as a sample holds them."""
    column = np.empty(len(values), object)
    column[:] = values
    return column


@given(names)
def test_every_value_is_counted_once(values: list[str | None]) -> None:
    """Counts of listed categories, of the rest and of missing values add up to the rows."""
    categories = ranked(sample(values))
    assert sum(categories.counts) + categories.missing == len(values)
    exact = Counter(values)
    listed = len(categories.categories) - categories.groups
    assert [exact[name] for name in categories.categories[:listed]] == categories.counts[:listed]
    assert categories.once == sum(count == 1 for name, count in exact.items() if name is not None)
    assert categories.twice == sum(count == 2 for name, count in exact.items() if name is not None)


@given(names)
def test_held_out_rows_are_counted_only_if_some_categories_are_not_listed(
    values: list[str | None],
) -> None:
    """If all categories are listed, none was selected, and all rows are counted."""
    categories = ranked(sample(values), is_public=True)
    if len(set(values) - {None}) <= TOP_CATEGORIES:
        assert categories.held_out == []
    else:
        assert len(categories.held_out) == len(categories.categories) + 3
        assert sum(categories.held_out) < len(values)


@given(names)
def test_no_category_of_fewer_than_five_rows_is_named_unless_the_vocabulary_is_closed(
    values: list[str | None],
) -> None:
    """It is neither listed nor among the others; the number of withheld names is kept."""
    counted = ranked(sample(values))
    exact = Counter(value for value in values if value is not None)
    frequent = sum(count for count in exact.values() if count >= 5)
    is_vocabulary = len(exact) <= 50 and frequent >= 0.99 * exact.total()
    for name in counted.categories[: len(counted.categories) - counted.groups] + counted.others:
        assert exact[name] >= max(5, 0.02 * exact.total()) or is_vocabulary
    assert sum(counted.counts) == exact.total()
    assert not counted.is_closed or set(counted.categories + counted.others) == set(exact)


def test_a_rare_class_of_a_closed_vocabulary_keeps_its_name() -> None:
    """Two rows in a thousand of a field with three values are a class, not a person."""
    counted = ranked(sample(["no"] * 700 + ["yes"] * 298 + ["maybe"] * 2))
    assert counted.categories == ["no", "yes", "maybe"]
    assert counted.is_closed
    assert counted.held_out == []


def test_ids_are_counted_and_not_named() -> None:
    """If every row has its own value, all rows count as other categories."""
    counted = ranked(sample([f"customer-{at}" for at in range(1_000)]))
    assert counted.id_like
    assert (counted.categories, counted.others, counted.counts) == ([], [], [1_000])
    assert sum(counted.held_out) == counted.held_out[0] > 400


def test_a_category_is_listed_only_if_the_selecting_half_of_the_rows_has_it(
    rng: np.random.Generator,
) -> None:
    """Names from the held-out half would bias the expected counts of listed categories."""
    values = [f"c{at}" for at in (rng.zipf(1.3, 120) % 200)]
    column = sample(list(values))
    counted = ranked(column, is_public=True)
    is_held = np.random.default_rng(120).random(120) < 0.5
    assert len(set(values)) > 10
    if counted.held_out:
        assert set(counted.categories) <= set(column[~is_held])


def test_an_open_vocabulary_is_compared_in_groups_of_names() -> None:
    """None of a hundred equally frequent codes is named; each is in a group of several."""
    codes = [f"c{at}" for at in range(100)]
    counted = ranked(sample(codes * 20))
    assert counted.categories == group_names(counted.groups)
    assert 8 <= counted.groups <= 16
    sizes = Counter(group_of(code, counted.groups) for code in codes)
    assert min(sizes.values()) >= 5
    assert counted.counts == [20 * sizes[group] for group in range(counted.groups)] + [0]


def test_a_code_that_disappears_from_an_open_vocabulary_is_detected_as_drift(
    rng: np.random.Generator,
) -> None:
    """Its group loses a part of its rows, while the names stay withheld."""
    codes = [f"c{at}" for at in range(60)]
    reference = fit_reference({"c": rng.choice(codes, 20_000).tolist()})
    scores = []
    for gone in (0, 20):
        with Monitor("m", reference=reference, exporters=[], clock=ManualClock()) as monitor:
            live = rng.choice(codes[gone:], 20_000).tolist()
            monitor.record({"c": live}, np.zeros(20_000))
            status = monitor.status()
        field = status.field("c")
        assert not any(repr(code) in repr(status) for code in codes)
        assert field.psi is not None
        scores.append((field.psi, [a.reason for a in status.alerts if a.field == "c"]))
    (same, no_reasons), (other, reasons) = scores
    assert same < 0.01
    assert other > 0.05
    assert not no_reasons
    assert "values without a name, group" in reasons[0]


def test_the_name_of_a_frequent_customer_is_withheld() -> None:
    """To be named, a value needs a fiftieth of the rows; each of sixty names has less."""
    counted = ranked(sample([f"Mary {at}" for at in range(60)] * 20))
    assert not counted.others
    assert not [name for name in counted.categories if "Mary" in name]


def test_an_address_is_not_named_however_frequent_it_is() -> None:
    """Nine rows in ten hold one of two e-mail addresses, so the field is id-like."""
    counted = ranked(sample(["a@example.com"] * 700 + ["b@example.com"] * 200 + ["none"] * 100))
    assert counted.categories == ["none"]
    assert counted.id_like
    assert counted.counts == [100, 900]


def test_counts_of_listed_categories_are_not_inflated_by_their_selection(
    rng: np.random.Generator,
) -> None:
    """The 50 selected of 500 equally frequent categories have a tenth of the held-out rows."""
    values = [f"c{at}" for at in rng.integers(0, 500, 5_000)]
    categories = ranked(sample(list(values)), is_public=True)
    chosen, whole = sum(categories.held_out[:TOP_CATEGORIES]), sum(categories.held_out)
    flattered = sum(categories.counts[:-1]) / sum(categories.counts)
    assert abs(chosen / whole - 0.1) < 4 * np.sqrt(0.09 / whole)
    assert flattered > 0.12


def test_the_share_of_categories_seen_once_predicts_new_categories(
    rng: np.random.Generator,
) -> None:
    """Held-out rows whose category occurs nowhere else are counted as new."""
    values = ["often"] * 2_000 + [f"c{at}" for at in range(1_000)]
    rng.shuffle(values)
    entry = fit_reference({"c": values}, fields=PUBLIC).entries([Role.FEATURE])[0]
    assert isinstance(entry, CategoricalReference)
    *_, new, _ = entry.held_out
    assert entry.expected == entry.held_out
    assert abs(new / sum(entry.held_out) - 1 / 3) < 0.06


def test_new_categories_are_expected_even_if_all_are_listed() -> None:
    """Counts of listed categories are discounted, and new ones get the sum of the discounts."""
    values = ["often"] * 100 + ["a", "b", "c"]
    reference = fit_reference({"c": values, "flag": [True] + [False] * 102}, fields=PUBLIC)
    entries = reference.entries([Role.FEATURE])
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    prior = prior_counts(entries, plan)
    counts = entry_counts(entries, plan)
    assert prior[0, :6].tolist() == [-0.75] * 4 + [0.5, 3.5]
    assert (prior[1] == 0.5).all()  # a truth cannot be new
    assert (counts + prior >= 0.1).all()
