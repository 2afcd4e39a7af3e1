"""Profiles of many processes in order of time give the evidence of one service."""

import json
from pathlib import Path

import numpy as np
import pytest

from mlmonitor import IncompatibleSketch, Profile, Reference
from mlmonitor.cli.main import main
from support.references import fit_reference

HOUR, ROWS, PROCESSES = 3_600.0, 320, 32
START = 1_764_000_000.0


def reference() -> Reference:
    """A reference of one normal field."""
    rng = np.random.default_rng(1)
    return fit_reference({"x": rng.normal(size=5_000)}, segments=())


REFERENCE = reference()


def hour_values(hour: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Return the values of one hour; those of the last five of 45 hours are larger."""
    return np.random.default_rng(hour).normal(0.3 * (hour >= 40), 1, ROWS)


def hour_profiles(hour: int, processes: int) -> list[Profile]:
    """Return one profile for each process."""
    parts = np.array_split(hour_values(hour), processes)
    at = START + hour * HOUR
    return [Profile.of({"x": part}, reference=REFERENCE, at=at) for part in parts]


def merged(profiles: list[Profile]) -> Profile:
    """Merge these profiles into one."""
    whole = Profile()
    for profile in profiles:
        whole.merge(profile)
    return whole


def log10_e(rounds: list[Profile]) -> float | None:
    """Return the evidence of the field after all rounds."""
    *earlier, newest = rounds
    return newest.status(REFERENCE, earlier=earlier).field("x").log10_e_value


def test_many_merged_processes_have_exactly_the_evidence_of_one() -> None:
    """The fleet therefore detects a change after as many rows as one service."""
    one = [merged(hour_profiles(hour, 1)) for hour in range(39, 42)]
    many = [merged(hour_profiles(hour, PROCESSES)) for hour in range(39, 42)]
    assert log10_e(many) == log10_e(one)


def test_a_change_in_late_rounds_is_detected_although_all_rows_together_hide_it() -> None:
    """Evidence restarts between rounds; merged at once, 40 hours would dilute five shifted ones."""
    rounds = [merged(hour_profiles(hour, 1)) for hour in range(45)]
    *earlier, newest = rounds
    assert [a.field for a in newest.status(REFERENCE, earlier=earlier).alerts] == ["x"]
    assert not merged(rounds).status(REFERENCE).alerts


def test_the_window_of_a_fleet_covers_the_last_round() -> None:
    """Earlier rows count as predictions and as evidence."""
    first, second = (merged(hour_profiles(hour, 1)) for hour in range(2))
    status = second.status(REFERENCE, earlier=[first, Profile()])
    assert (status.window_rows, status.predictions) == (ROWS, 2 * ROWS)
    assert status.field("x").psi == second.status(REFERENCE).field("x").psi


def test_rounds_of_another_reference_are_refused() -> None:
    """Merging their profiles is refused as well."""
    other = fit_reference({"x": np.arange(500.0)})
    wrong = Profile.of({"x": [1.0]}, reference=other)
    with pytest.raises(IncompatibleSketch):
        merged(hour_profiles(0, 1)).status(REFERENCE, earlier=[wrong])


def test_merging_keeps_the_newest_time_of_profiles() -> None:
    """It is also kept in the bytes; an empty profile has none."""
    late, early = (merged(hour_profiles(hour, 1)) for hour in (3, 1))
    whole = Profile.from_bytes(merged([early, late, early]).to_bytes())
    assert whole.last_at == START + 3 * HOUR
    assert Profile().last_at is None


def test_the_command_fleet_orders_files_by_their_hour(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Files may be named in any order; without --by, all files together are one round."""
    REFERENCE.save(tmp_path / "r.json")
    paths = []
    for hour in (41, 40, 39):
        for process, profile in enumerate(hour_profiles(hour, 2)):
            paths.append(str(tmp_path / f"{hour}-{process}.profile"))
            profile.save(paths[-1])
    arguments = ["fleet", *paths, "--reference", str(tmp_path / "r.json"), "--json"]
    assert main([*arguments, "--by", "hour"]) == 0
    by_hour = json.loads(capsys.readouterr().out)
    assert (by_hour["window_rows"], by_hour["predictions"]) == (ROWS, 3 * ROWS)
    assert main(arguments) == 0
    assert json.loads(capsys.readouterr().out)["window_rows"] == 3 * ROWS


def test_alerts_of_earlier_rounds_start_at_the_newest_rows_of_their_round() -> None:
    """Those of the last round start at the time of the status."""
    rounds = [merged(hour_profiles(hour, 1)) for hour in range(38, 45)]
    *earlier, newest = rounds
    (alert,) = newest.status(REFERENCE, earlier=earlier).alerts
    assert alert.started_at in {START + hour * HOUR for hour in (40, 41, 42)}
