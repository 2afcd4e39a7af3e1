"""A profile saved by a released version loads with all its counts."""

from pathlib import Path

import pytest

from mlmonitor import Profile, Reference

GOLDEN = Path(__file__).parents[2] / "golden"


def test_a_profile_of_version_1_keeps_its_counts() -> None:
    """They are counts of fields, segments and unknown columns; saving it gives the same bytes."""
    data = (GOLDEN / "profile_v1.profile").read_bytes()
    profile = Profile.from_bytes(data)
    assert profile.rows == 200
    assert profile.to_bytes() == data
    status = profile.status(Reference.load(GOLDEN / "reference_v1.json"))
    assert status.field("line").quality["valid"] == 138
    assert status.field("line").quality["new_category"] == 62
    assert status.field("prediction", role="prediction").quality["out_of_range"] == 200
    assert status.field("age").mean == pytest.approx(40.4831752281659)
    assert status.field("age").quantiles[0.5] == pytest.approx(40.387584521830036)
    segments = {name: segment.predictions for name, segment in status.segments.items()}
    assert segments == {"motor": 76, "home": 62, "travel": 0, "__other__": 62}
    assert status.unknown_fields == {"extra": 200}
