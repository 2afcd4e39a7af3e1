"""References saved by released versions load with all their counts."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import FormatError, Monitor, Reference
from mlmonitor.formats.reference import VERSION, compute_reference_id, dump, load
from mlmonitor.testing import ManualClock

FILE = Path(__file__).parents[3] / "golden" / "reference_v1.json"
SAVED: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
RENAMED = {"vector.witness": "vector.kernel_similarity"}


def test_a_loaded_reference_of_version_1_has_the_current_version() -> None:
    """Saving it writes the current format, which loads as the same."""
    content = load(FILE.read_bytes())
    assert SAVED["version"] == 1
    assert content.version == VERSION == 2
    assert load(dump(content)) == content


def test_a_reference_of_version_1_keeps_every_number_of_every_field() -> None:
    """Everything saved is there, except for the name of a derived field."""
    tree = json.loads(dump(load(FILE.read_bytes())))
    assert len(tree["fields"]) == len(SAVED["fields"])
    for loaded, saved in zip(tree["fields"], SAVED["fields"], strict=True):
        expected = {**saved, "name": RENAMED.get(saved["name"], saved["name"])}
        assert {key: loaded[key] for key in expected} == expected
    rest = {key for key in SAVED if key not in ("version", "fields")}
    assert {key: tree[key] for key in rest} == {key: SAVED[key] for key in rest}


def test_a_reference_of_version_1_has_kernel_similarity_instead_of_a_witness() -> None:
    """The derived field of an embedding is renamed, and exists once."""
    names = [field.name for field in Reference.load(FILE).fields]
    assert names.count("vector.kernel_similarity") == 1
    assert "vector.witness" not in names


def test_a_file_without_the_number_of_categories_is_written_as_it_was_read() -> None:
    """The id of a reference in the store is a hash of it, which must stay the same."""
    content = Reference.fit({"kind": ["a", "b", "c"] * 20}, thresholds="asymptotic").content
    tree = json.loads(dump(content))
    assert tree["fields"][0].pop("distinct") == 3
    older = (json.dumps(tree, indent=1) + "\n").encode()
    assert dump(load(older)) == older
    assert compute_reference_id(load(older)) == hashlib.sha256(older).hexdigest()[:32]


def test_a_feature_called_witness_keeps_its_name() -> None:
    """Only fields derived from an embedding are renamed."""
    tree = json.loads(FILE.read_text(encoding="utf-8"))
    age = next(field for field in tree["fields"] if field["name"] == "age")
    age["name"], tree["importances"], tree["anomaly"]["names"] = "a.witness", {}, ["a.witness"]
    names = [field.name for field in load(json.dumps(tree).encode()).fields]
    assert "a.witness" in names


def test_a_monitor_compares_rows_with_a_reference_of_version_1() -> None:
    """All fields of the file have a score, including the renamed one."""
    reference = Reference.load(FILE)
    clock = ManualClock()
    rng = np.random.default_rng(1)
    dimensions = len(next(f for f in SAVED["fields"] if f["name"] == "vector")["centroid"])
    rows = [
        {
            "age": float(rng.normal(45, 10)),
            "line": str(rng.choice(["motor", "home", "travel"])),
            "is_new": bool(rng.random() < 0.5),
            "comment": "a few words",
            "vector": rng.normal(size=dimensions).tolist(),
        }
        for _ in range(300)
    ]
    with Monitor("model", reference=reference, exporters=[], clock=clock) as monitor:
        monitor.record(rows, predictions=rng.normal(size=300))
        status = monitor.status()
    assert status.field("age").psi is not None
    assert status.field("line").psi is not None
    assert status.field("vector.kernel_similarity", role="derived").psi is not None


@pytest.mark.parametrize("fields", [None, 5, [5], [{"kind": "categorical", "counts": 7}], {}])
def test_a_damaged_reference_of_version_1_is_refused_with_a_path(fields: object) -> None:
    """Upgrading raises no other error."""
    tree = {**SAVED, "fields": fields}
    with pytest.raises(FormatError, match="reference: "):
        load(json.dumps(tree).encode())
