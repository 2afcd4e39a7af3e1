"""`mlmonitor reference diff`: two references side by side."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlmonitor import Reference
from mlmonitor.cli.main import main
from mlmonitor.reference.comparison.reference_diff import compare_references
from mlmonitor.stats.distance import psi

rng = np.random.default_rng(0)


def rows(seed: int, *, shift: float = 0.0, size: int = 5_000) -> dict[str, Any]:
    """Return three columns; the amount is shifted."""
    own = np.random.default_rng(seed)
    return {
        "amount": own.gamma(2, 100, size) + shift,
        "count": own.poisson(2, size).astype(float),
        "line": own.choice(["home", "motor", "other"], size, p=[0.5, 0.3, 0.2]),
    }


def fit(columns: dict[str, Any], **options: Any) -> Reference:
    """Fit a reference without simulated thresholds."""
    return Reference.fit(columns, thresholds="asymptotic", **options)


def save(reference: Reference, path: Path) -> str:
    """Save a reference and return its path."""
    reference.save(path)
    return str(path)


def test_two_samples_of_the_same_rows_do_not_differ(tmp_path: Path, capsys: Any) -> None:
    """The exit status is 0."""
    paths = [save(fit(rows(seed)), tmp_path / f"{seed}.json") for seed in (1, 2)]
    assert main(["reference", "diff", *paths]) == 0
    assert "0 of 3 fields changed, 3 did not" in capsys.readouterr().out
    assert main(["reference", "diff", *paths, "--all"]) == 0
    assert "amount" in capsys.readouterr().out


def test_moved_added_and_removed_fields_are_listed_and_set_the_exit_status(
    tmp_path: Path, capsys: Any
) -> None:
    """The output also compares the two training runs."""
    second = rows(2, shift=150)
    del second["line"]
    second["channel"] = ["web", "shop"] * 2_500
    paths = [
        save(fit(rows(1), training_metrics={"mae": 812.0}), tmp_path / "1.json"),
        save(
            fit(
                second,
                training_metrics={"mae": 790.0},
                training_seconds=35.5,
                training_rows=120_000,
                parent_version="7",
                trained_at=datetime(2026, 5, 1, tzinfo=UTC),
            ),
            tmp_path / "2.json",
        ),
    ]
    assert main(["reference", "diff", *paths]) == 1
    text = capsys.readouterr().out
    for line in (
        "training_metrics.mae: 812 -> 790",
        "training_seconds: - -> 35.5",
        "training_rows: - -> 120,000",
        "parent_version: - -> 7",
        "trained_at: - -> 2026-05-01T00:00:00+00:00",
        "3 of 4 fields changed, 1 did not",
    ):
        assert line in text
    changes = {line.split()[0]: line for line in text.splitlines() if line.count("  ") > 2}
    assert "moved" in changes["amount"]
    assert "removed" in changes["line"]
    assert "added" in changes["channel"]
    assert "count" not in changes


def test_a_reference_diff_can_be_printed_as_json(tmp_path: Path, capsys: Any) -> None:
    """It contains every field, changed or not."""
    paths = [
        save(fit(rows(1)), tmp_path / "1.json"),
        save(fit(rows(2, shift=150)), tmp_path / "2.json"),
    ]
    assert main(["reference", "diff", *paths, "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    by_name = {field["name"]: field for field in document["fields"]}
    assert document["has_changed"] is True
    assert by_name["amount"]["change"] == "moved"
    assert by_name["amount"]["mean"][1] - by_name["amount"]["mean"][0] == pytest.approx(150, abs=9)
    assert by_name["line"] == by_name["line"] | {"change": "same", "mean": [None, None]}
    assert main(["reference", "diff", *paths, "--json", "--tolerance", "9"]) == 0


@pytest.mark.parametrize("shift", [0.0, 5.0, 40.0, 300.0])
def test_the_distance_of_two_references_is_close_to_that_of_their_rows(shift: float) -> None:
    """The second reference has other bins, so the distance is not exact."""
    first, second = rows(1), rows(2, shift=shift)
    fitted = fit(first)
    difference = compare_references(fitted, fit(second))
    (amount,) = (field for field in difference.fields if field.name == "amount")
    entry = next(e for e in fitted.content.fields if e.name == "amount")
    edges = [-np.inf, *entry.edges, np.inf]  # type: ignore[union-attr]
    counts = [
        np.histogram(columns["amount"], edges)[0][None, :].astype(float)
        for columns in (first, second)
    ]
    expected = float(psi(*counts)[0])
    assert amount.psi == pytest.approx(expected, rel=0.1, abs=0.003)


def test_a_field_whose_kind_differs_is_listed_without_a_distance() -> None:
    """A field without values is also listed without one."""
    first, second = rows(1), rows(2)
    second["count"] = ["two"] * 5_000
    fields = {f.name: f for f in compare_references(fit(first), fit(second)).fields}
    assert (fields["count"].change, fields["count"].psi) == ("kind", None)
    assert fields["count"].kind == "numeric to categorical"


def test_an_unreadable_reference_ends_with_exit_status_two(tmp_path: Path, capsys: Any) -> None:
    """A damaged file and a negative tolerance end with it too."""
    path = save(fit(rows(1, size=100)), tmp_path / "1.json")
    (tmp_path / "damaged.json").write_text("{}")
    assert main(["reference", "diff", path, str(tmp_path / "missing.json")]) == 2
    assert main(["reference", "diff", path, str(tmp_path / "damaged.json")]) == 2
    assert main(["reference", "diff", path, path, "--tolerance", "-1"]) == 2
    assert "tolerance" in capsys.readouterr().err
