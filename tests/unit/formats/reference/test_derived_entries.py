"""The entries of derived fields in a reference's file are read exactly or refused."""

import base64
import json
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import numpy as np
import pytest

from mlmonitor import FormatError
from mlmonitor.formats.reference import MOST_FILTER_BITS, dump, load
from support.references import fit_reference

Json = dict[str, Any]
PRIVATE = "Lovelace"


def sound() -> Json:
    """A valid file with a text, an embedding and an anomaly score."""
    rng = np.random.default_rng(0)
    reference = fit_reference(
        {
            "t": [f"dear {PRIVATE}", "dear all", "good day", "day by day"] * 10,
            "v": rng.normal(size=(40, 3)),
            "x": rng.normal(size=40),
            "y": rng.normal(size=40),
            "line": ["a", "b"] * 20,
        },
        schema={"t": "text", "v": "embedding"},
        anomaly_score=True,
    )
    document: Json = json.loads(dump(reference.content))
    return document


SOUND = sound()
TEXT, VECTOR = SOUND["fields"][0], SOUND["fields"][1]


def refused(data: Json) -> str:
    """Return the message with which a file is refused."""
    with pytest.raises(FormatError) as caught:
        load(json.dumps(data).encode())
    assert caught.value.__cause__ is None
    return str(caught.value)


def test_a_file_with_derived_fields_is_read_and_contains_no_word_of_the_texts() -> None:
    """Neither upper nor lower case is found."""
    data = json.dumps(SOUND)
    assert json.loads(dump(load(data.encode()))) == SOUND
    for word in (PRIVATE, "dear", "good", "day"):
        assert word.lower() not in data.lower()
    assert (TEXT["kind"], VECTOR["kind"]) == ("text", "embedding")


def at(path: tuple[str | int, ...], value: Any) -> Callable[[Json], None]:
    """Return a change that puts something at this path."""

    def change(data: Json) -> None:
        place: Any = data
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


def without(name: str) -> Callable[[Json], None]:
    """Return a change that removes a field."""

    def change(data: Json) -> None:
        data["fields"] = [entry for entry in data["fields"] if entry["name"] != name]

    return change


def renamed(data: Json) -> None:
    """Rename the source of a derived field to a text that does not exist."""
    next(f for f in data["fields"] if f["name"] == "t.length")["name"] = "u.length"


def doubled(data: Json) -> None:
    """Enter the same text twice, as feature and as prediction."""
    data["fields"].append(data["fields"][0] | {"role": "prediction"})


def actual(data: Json) -> None:
    """Enter a text where only numbers and categories may be."""
    data["fields"][0]["role"] = "actual"


BITS = base64.b64encode(bytes(96)).decode()
LONG = base64.b64encode(bytes(MOST_FILTER_BITS // 8 * 2)).decode()


CONTRADICTIONS: list[tuple[Callable[[Json], None], str]] = [
    (at(("fields", 0, "bits"), "???"), "bits: expected base64"),
    (at(("fields", 0, "bits"), "é" * 8), "bits: expected base64"),
    (at(("fields", 0, "bits"), ""), "bits: expected 8 to"),
    (at(("fields", 0, "bits"), BITS), "power of two"),
    (at(("fields", 0, "bits"), LONG), "fields.0"),
    (at(("fields", 0, "hashes"), 0), "hashes"),
    (at(("fields", 0, "hashes"), 1_000_000), "hashes"),
    (at(("fields", 0, "words"), -1), "words"),
    (actual, "texts and embeddings as features or predictions"),
    (at(("fields", 1, "bandwidth"), 0.0), "bandwidth"),
    (at(("fields", 1, "bandwidth"), float("nan")), "bandwidth"),
    (at(("fields", 1, "seed"), 1 << 32), "seed"),
    (at(("fields", 1, "design_rows"), 0), "design_rows"),
    (at(("fields", 1, "centroid"), [1.0]), "centroid"),
    (at(("fields", 1, "centroid"), [0.0] * 4_097), "centroid"),
    (at(("fields", 1, "centroid"), [0.0] * 4_096 + [float("inf")]), "centroid"),
    (at(("fields", 1, "kernel_mean"), [0.0] * 3), "as many sines"),
    (at(("fields", 1, "kernel_mean"), [1.0, 1.0]), "vectors of length 1"),
    (at(("fields", 1, "kernel_mean"), [0.0] * 2_000), "kernel_mean"),
    (at(("anomaly", "names"), ["x", "x"]), "names: expected each once"),
    (at(("anomaly", "names"), ["x", "line"]), "anomaly.names: expected numeric features"),
    (at(("anomaly", "names"), ["x"]), "centre: expected 1"),
    (at(("anomaly", "centre"), [0.0]), "centre: expected 2"),
    (at(("anomaly", "scale"), [1.0]), "scale: expected 2"),
    (at(("anomaly", "scale"), [1.0, 0.0]), "scale"),
    (at(("anomaly", "covariance"), [1.0, 0.0]), "expected 3, a lower triangle"),
    (at(("anomaly", "covariance"), [1.0, 2.0, 1.0]), "positive definite"),
    (at(("anomaly", "covariance"), [1.0, 1.0, 1.0]), "positive definite"),
    (at(("anomaly", "covariance"), [-1.0, 0.0, -1.0]), "positive definite"),
    (at(("anomaly", "covariance"), [1.0, float("nan"), 1.0]), "covariance"),
    (at(("anomaly", "covariance"), [1e300, 0.0, 1e300]), "positive definite"),
    (at(("anomaly", "threshold"), None), "threshold"),
    (at(("anomaly",), None), "expected those derived from"),
    (without("anomalous"), "expected those derived from"),
    (without("v.kernel_similarity"), "expected those derived from"),
    (without("t"), "expected those derived from"),
    (renamed, "expected those derived from"),
    (doubled, "expected each derived from one of them"),
]


@pytest.mark.parametrize("case", range(len(CONTRADICTIONS)))
def test_a_file_with_contradictory_derived_entries_is_refused(case: int) -> None:
    """The message has the path and what was expected, and never the value."""
    change, expected = CONTRADICTIONS[case]
    data = deepcopy(SOUND)
    change(data)
    message = refused(data)
    assert expected in message
    assert PRIVATE not in message
