"""A reference's file is read exactly, or refused with a path and a reason."""

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlmonitor import Field, FormatError, Reference
from mlmonitor.formats.reference import VERSION, dump, load

PRIVATE = "Ada L"
NUMBER = 987_654_321.125  # a value that no message may repeat

Json = dict[str, Any]


def sound() -> Json:
    """A valid file with a field of every kind."""
    reference = Reference.fit(
        {
            "x": [1.0, 2.0, 2.0, None, 4.0],
            "when": ["2024-01-01", "2024-02-01", "2024-03-01", "2024-03-01", "2024-03-01"],
            "line": ["motor", "home", "motor", None, PRIVATE],
            "flag": [True, None, False, True, True],
            "none": [None] * 5,
        },
        predictions=[1.0, 2.0, 3.0, 4.0, 5.0],
        actuals=[1.0, 2.0, 3.0, 4.0, 5.0],
        importances={"x": 0.5},
        training_metrics={"mae": 1.5},
        schema={"when": "datetime", "none": "numeric"},
        fields=[Field("line", public=True)],
    )
    document: Json = json.loads(dump(reference.content))
    return document


SOUND = sound()


def refused(data: bytes | Json) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(FormatError) as caught:
        load(data if isinstance(data, bytes) else json.dumps(data).encode())
    message = str(caught.value)
    assert message.startswith("reference: ")
    assert len(message) < 1_000
    assert "\n" not in message
    assert caught.value.__cause__ is None
    return message


def test_a_valid_file_is_read() -> None:
    """The other tests change this file."""
    assert json.loads(dump(load(json.dumps(SOUND).encode()))) == SOUND


def changed(path: tuple[str | int, ...], value: Any) -> Json:
    """Return the valid file with one value replaced."""
    data = deepcopy(SOUND)
    at: Any = data
    for step in path[:-1]:
        at = at[step]
    at[path[-1]] = value
    return data


X, WHEN, LINE, FLAG, NONE = (
    ("fields", 0),
    ("fields", 1),
    ("fields", 2),
    ("fields", 3),
    ("fields", 4),
)
HUGE = 10**30

CONTRADICTIONS: list[tuple[tuple[str | int, ...], Any, str]] = [
    (("rows",), 7, "rows"),
    (("rows",), -1, "rows"),
    (("rows",), HUGE, "rows"),
    (("rows",), "5", "rows"),
    (("rows_seen",), 4, "rows: expected at most rows_seen"),
    (("trained_at",), "2024-01-01T00:00:00", "trained_at"),
    (("trained_at",), PRIVATE, "trained_at"),
    (("trained_at",), 1e300, "trained_at"),
    (("importances",), {"x": "NaN"}, "importances.x"),
    (("importances",), {"": 1.0}, "importances"),
    (("fields",), {}, "fields"),
    (("fields",), [PRIVATE], "fields.0"),
    ((*X, "kind"), PRIVATE, "fields.0: expected a kind"),
    ((*X, "kind"), None, "fields.0: expected a kind"),
    ((*X, "role"), PRIVATE, "fields.0.numeric.role"),
    ((*X, "name"), "", "fields.0.numeric.name"),
    ((*X, "name"), "n" * 1_001, "fields.0.numeric.name"),
    ((*X, "name"), "line", "each role and name once"),
    ((*X, "role"), "actual", "one actual at most"),
    ((*X, "rows"), HUGE, "fields.0.numeric.rows"),
    ((*X, "missing"), 2, "fields.0.numeric: rows: expected the sum"),
    ((*X, "counts"), [HUGE, 1, 1], "fields.0.numeric.counts.0"),
    ((*X, "counts"), [1, -1, 4], "fields.0.numeric.counts.1"),
    ((*X, "counts"), [1, 1.5, 2], "fields.0.numeric.counts.1"),
    ((*X, "counts"), [1, 3], "fields.0.numeric: counts: expected one more than edges"),
    ((*X, "counts"), [0] * 20_000, "fields.0.numeric.counts"),
    ((*X, "counts"), [0] * 7, "fields.0.numeric: rows"),
    (
        (*X, "edges"),
        [1.0, 2.0, 3.0, 4.0, 6.0, 5.0],
        "fields.0.numeric: edges: expected strictly ascending",
    ),
    (
        (*X, "edges"),
        [1.0, 2.0, 3.0, 4.0, 5.0, 5.0],
        "fields.0.numeric: edges: expected strictly ascending",
    ),
    ((*X, "edges"), [1.0, None], "fields.0.numeric.edges.1"),
    ((*X, "edges"), list(range(10_001)), "fields.0.numeric.edges"),
    ((*X, "mean"), 9.0, "fields.0.numeric: mean: expected between min and max"),
    ((*X, "mean"), None, "fields.0.numeric: mean, stddev, min, max"),
    ((*X, "stddev"), -1.0, "fields.0.numeric.stddev"),
    ((*X, "min"), 5.0, "fields.0.numeric: mean"),
    ((*X, "max"), True, "fields.0.numeric.max"),
    ((*X, "quantiles"), [], "fields.0.numeric: quantiles: expected 101"),
    ((*X, "quantiles"), [1.0] * 102, "fields.0.numeric.quantiles"),
    ((*X, "quantiles"), [2.0] * 100 + [1.0], "fields.0.numeric: quantiles: expected ascending"),
    ((*X, "quantiles"), [NUMBER] * 101, "fields.0.numeric: quantiles: expected between"),
    ((*NONE, "quantiles"), [1.0] * 101, "fields.4.numeric: quantiles: expected 0"),
    ((*NONE, "mean"), 1.0, "fields.4.numeric: mean, stddev, min, max: expected null"),
    ((*LINE, "categories"), ["a", "b"], "fields.2.categorical: counts"),
    ((*LINE, "categories"), ["a", "a", "b"], "fields.2.categorical: categories: expected each"),
    ((*LINE, "others"), ["motor"], "fields.2.categorical: categories: expected each"),
    ((*LINE, "categories"), ["c" * 1_001, "a", "b"], "fields.2.categorical.categories.0"),
    ((*LINE, "others"), ["a"] * 100_001, "fields.2.categorical.others"),
    ((*LINE, "is_closed"), 1, "fields.2.categorical.is_closed"),
    ((*LINE, "missing"), 0, "fields.2.categorical: rows"),
    ((*FLAG, "categories"), ["true", "false"], "fields.3.boolean: categories"),
    ((*X, "nonfinite"), 2, "fields.0.numeric: nonfinite, wrong_type: expected no more than"),
    ((*LINE, "wrong_type"), 2, "fields.2.categorical: nonfinite, wrong_type: expected no more"),
    ((*X, "predicted"), [1.0, 2.0], "fields.0.numeric: predicted, predicted_variance: expected"),
    ((*X, "predicted"), [], "fields.0.numeric: predicted, predicted_variance: expected none"),
    (
        (*X, "predicted"),
        [1.0, None, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
        "fields.0.numeric: predicted_variance: expected null",
    ),
    ((*X, "predicted_variance"), [-1.0, 0.0, 0.0, 0.0], "fields.0.numeric.predicted_variance.0"),
    ((*X, "predicted", 0), "NaN", "fields.0.numeric.predicted.0"),
    ((*LINE, "once"), 5, "fields.2.categorical: once, twice: expected no more than"),
    ((*LINE, "twice"), 2, "fields.2.categorical: once, twice: expected no more than"),
    ((*LINE, "held_out"), [1, 2], "fields.2.categorical: held_out: expected none, or three more"),
    ((*LINE, "held_out"), [1, 2, 3, 0, 0, 0], "fields.2.categorical: held_out: expected no more"),
    (("explained",), "", "explained"),
]


@pytest.mark.parametrize(
    ("path", "value", "said"), CONTRADICTIONS, ids=map(str, range(len(CONTRADICTIONS)))
)
def test_a_contradictory_file_is_refused(
    path: tuple[str | int, ...], value: Any, said: str
) -> None:
    """The message says which field and what was expected, and never the value."""
    message = refused(changed(path, value))
    assert said in message
    assert PRIVATE not in message
    assert str(NUMBER)[:6] not in message


TEXT = json.dumps(SOUND)
HEAD = b'{"format": "mlmonitor.reference", "version": '

DAMAGED: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "file: Invalid JSON"),
    "zeros": (b"\x00" * 100, "Invalid JSON"),
    "null": (b"null", "file"),
    "a list": (b"[]", "file"),
    "a text": (b'"Ada L"', "file"),
    "an empty object": (b"{}", "format"),
    "cut short": (TEXT[:-40].encode(), "Invalid JSON"),
    "utf-16": (TEXT.encode("utf-16"), "Invalid JSON"),
    "latin-1": (TEXT.replace("motor", "m\xf6tor").encode("latin-1"), "Invalid JSON"),
    "something after it": (TEXT.encode() + b"x", "Invalid JSON"),
    "objects without end": (b'{"a":' * 100_000, "Invalid JSON"),
    "lists without end": (b"[" * 1_000_000, "Invalid JSON"),
    "an enormous version": (HEAD + b"9" * 100_000 + b"}", ""),
    "another format": (
        b'{"format": "Ada L", "version": 1}',
        "format: expected mlmonitor.reference",
    ),
    "a version of text": (HEAD + b'"1"}', "version"),
    "version zero": (HEAD + b"0}", "version"),
    "a negative version": (HEAD + b"-3}", "version"),
    "a broken version": (HEAD + b"1.5}", "version"),
    "no version": (b'{"format": "mlmonitor.reference"}', "version"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_a_damaged_reference_file_is_refused(what: str) -> None:
    """It is empty, truncated, in another encoding or endlessly nested, and refused at once."""
    data, said = DAMAGED[what]
    message = refused(data)
    assert said in message
    assert PRIVATE not in message


@pytest.mark.parametrize("hidden", ["7", "9" * 400, "NaN", "[" * 150 + "]" * 150, '{"a": 1}'])
@pytest.mark.parametrize(
    ("place", "key"),
    [
        ("rows_seen", "rows_seen"),
        ("fields.3.is_closed", "is_closed"),
        ("importances.x", "x"),
        ("training_metrics", "training_metrics"),
    ],
)
def test_a_duplicate_key_in_a_file_is_refused(place: str, key: str, hidden: str) -> None:
    """Readers would disagree on which of the two counts."""
    before, key_text, after = TEXT.rpartition(f'"{key}": ')
    assert f"{place}: expected each key once" in refused(
        f"{before}{key_text}{hidden}, {key_text}{after}".encode()
    )


def test_a_duplicate_among_very_many_keys_is_found_quickly() -> None:
    """One of 20,000 keys occurs twice, and is named."""
    many = {f"k{at}": 1.0 for at in range(20_000)}
    text = json.dumps(changed(("importances",), many)).replace('"k19999"', '"k7"')
    assert "importances.k7: expected each key once" in refused(text.encode())


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999", "9" * 5_000])
@pytest.mark.parametrize("place", ["edges", "mean", "quantiles"])
def test_a_nonfinite_number_in_a_file_is_refused(token: str, place: str) -> None:
    """JSON written by Python may contain NaN and infinity."""
    value: Any = "@" if place == "mean" else ["@", "@"]
    message = refused(json.dumps(changed((*X, place), value)).replace('"@"', token).encode())
    assert place in message or "JSON" in message


def test_a_file_of_a_newer_version_is_reported_as_newer() -> None:
    """The message says to upgrade, unlike that of a damaged file."""
    newer = {"format": "mlmonitor.reference", "version": VERSION + 1, "shape": "unheard of"}
    assert "upgrade mlmonitor-sdk" in refused(newer)


def test_an_unknown_key_is_refused_on_one_short_line() -> None:
    """Its name may be long and contain control characters."""
    message = refused(SOUND | {"k\n\x1b[31m" + "e" * 10_000: PRIVATE})
    assert "Extra inputs" in message
    assert "\x1b" not in message


def test_an_error_of_a_file_lists_three_problems_and_counts_the_others() -> None:
    """The message stays short."""
    assert "more)" in refused(changed((*X, "counts"), [-1] * 50))


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield all paths in a file."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = list(enumerate(value))[:4]
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


PLACES = list(places(SOUND))
HOSTILE = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([HUGE, -HUGE, 1 << 53, (1 << 53) + 1, 1 << 63, -1, 0, NUMBER, 5e-324, 1e308]),
    st.floats(),
    st.just(PRIVATE),
    st.text(max_size=5),
    st.lists(st.floats(), max_size=3),
    st.just([[[[]]]]),
    st.just({"a": {"b": {}}}),
)


def steps(path: tuple[str | int, ...]) -> Callable[[Any], Any]:
    """Return a function that finds the container of a path's last step."""

    def walk(data: Any) -> Any:
        for step in path[:-1]:
            data = data[step]
        return data

    return walk


@given(
    st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(["drop", "put", "twice"]), HOSTILE),
        min_size=1,
        max_size=3,
    )
)
@settings(max_examples=400)
def test_a_changed_file_is_read_or_refused(
    changes: list[tuple[tuple[str | int, ...], str, Any]],
) -> None:
    """After any removal, replacement or repetition it gives a usable reference or FormatError."""
    data = deepcopy(SOUND)
    for path, what, value in changes:
        try:
            holder = steps(path)(data)
            if what == "drop":
                del holder[path[-1]]
            elif what == "twice" and isinstance(holder, list):
                holder.append(holder[path[-1]])  # type: ignore[index]
            else:
                holder[path[-1]] = value
        except (KeyError, IndexError, TypeError):  # an earlier change took the place away
            continue
    text = json.dumps(data).encode()
    try:
        content = load(text)
    except FormatError as error:
        message = str(error)
        assert message.startswith("reference: ")
        assert PRIVATE not in message
        assert str(NUMBER)[:6] not in message
        return
    reference = Reference(content)
    plan = reference.plan(("feature", "prediction"), deviations=3.0)  # type: ignore[arg-type]
    assert len(plan.schema) == sum(entry.role != "actual" for entry in content.fields)
    assert load(dump(content)) == content


@given(st.integers(0, 4_000), st.binary(max_size=4), st.integers(0, 20))
@settings(max_examples=400)
def test_a_file_with_damaged_bytes_is_read_or_refused(
    start: int, noise: bytes, length: int
) -> None:
    """Bytes are removed, overwritten or inserted, and raise nothing but FormatError."""
    data = json.dumps(SOUND).encode()
    damaged = data[:start] + noise + data[start + length :]
    try:
        content = load(damaged)
    except FormatError as error:
        message = str(error)
        assert message.startswith("reference: ")
        return
    assert load(dump(content)) == content
