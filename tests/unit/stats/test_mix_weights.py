"""How features that depend on each other share what they explain."""

from typing import Any

import numpy as np
import pytest

from mlmonitor import Monitor, Reference
from mlmonitor.stats.dependence.mix_weights import mix_weights


def test_independent_features_keep_their_effects(rng: np.random.Generator) -> None:
    """Each is a group of its own, with a weight of 1."""
    weights, groups = mix_weights(rng.normal(size=(4, 20_000)))
    assert weights == pytest.approx(np.ones(4), abs=0.05)
    assert groups.tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("copies", [2, 4])
def test_copies_of_a_feature_share_their_effect_equally(
    rng: np.random.Generator, copies: int
) -> None:
    """Together they count as one feature."""
    scores = np.tile(rng.normal(size=5_000), (copies, 1))
    weights, groups = mix_weights(scores)
    assert weights == pytest.approx(np.full(copies, 1 / copies), rel=0.01)
    assert set(groups.tolist()) == {0}


def test_a_chain_of_correlated_features_is_one_group(rng: np.random.Generator) -> None:
    """The first and the last need not correlate with each other."""
    steps = rng.normal(size=(4, 50_000))
    chain = np.array([steps[0] + steps[1], steps[1] + steps[2], steps[2] + steps[3]])
    lonely = rng.normal(size=(1, 50_000))
    assert mix_weights(np.vstack([chain, lonely]))[1].tolist() == [0, 0, 0, 3]


def test_constant_features_explain_nothing(rng: np.random.Generator) -> None:
    """They do not affect the weights of the others either."""
    weights, groups = mix_weights(np.vstack([np.ones(1_000), rng.normal(size=1_000)]))
    assert weights == pytest.approx([0, 1], abs=0.01)
    assert groups.tolist() == [0, 1]


def rows(rng: np.random.Generator, count: int, shift: float) -> tuple[dict[str, Any], np.ndarray]:
    """Draw six named features: four with one cause, one with another, and one with none."""
    cause, other = rng.normal(size=count) + shift, rng.normal(size=count) + shift / 2
    columns = {f"c{place}": cause + 0.2 * rng.normal(size=count) for place in range(4)}
    return {**columns, "other": other, "idle": rng.normal(size=count)}, 2 * cause + other


def test_groups_and_the_rest_add_up_to_the_shift(rng: np.random.Generator) -> None:
    """Four features that moved together are one group, which explains at most the shift."""
    features, predictions = rows(rng, 10_000, 0.0)
    reference = Reference.fit(features, predictions=predictions, thresholds="asymptotic")
    with Monitor("m", reference=reference, exporters=[]) as monitor:
        monitor.record(*rows(rng, 5_000, 0.4))
        status = monitor.status()
    shift = status.why
    assert shift is not None
    together, alone = shift.groups
    assert set(together.parts) == {"c0", "c1", "c2", "c3"}
    assert set(alone.parts) == {"other"}
    assert 0.6 < together.effect <= 0.9
    assert alone.effect == pytest.approx(0.2, abs=0.06)
    assert together.effect + alone.effect + shift.rest == pytest.approx(shift.shift, abs=1e-12)
    assert sum(part.mix for part in shift.contributions) > 2 * shift.shift
    assert "together (c" in " ".join(str(status).split())
    assert "the rest" in " ".join(str(status).split())
