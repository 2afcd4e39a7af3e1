"""Fields with many rare categories, such as postal codes: rows with new ones are not drift."""

import numpy as np
import pytest

from mlmonitor import Field, Role
from mlmonitor.compare.count_table import entry_counts, possible_bins, prior_counts
from mlmonitor.formats.reference import CategoricalReference
from mlmonitor.records import Counts, Floats
from mlmonitor.stats.eprocess import EProcess
from support.rates import highest_rate
from support.references import fit_without_thresholds

ALPHA = 0.01
REFERENCES = 150
PUBLIC = [Field("c", public=True)]
LOOKS, LOOK_ROWS = 100, 500

LAWS = {
    "two hundred alike": np.ones(200),
    "two thousand alike": np.ones(2_000),
    "few often, many seldom": 1 / np.arange(1, 1_501),
    "all listed, most seldom": 1 / np.arange(1, 46) ** 2.0,
}


def fitted(shares: Floats, rows: int, rng: np.random.Generator) -> tuple[Counts, Floats, Floats]:
    """Return the counts and the prior of a reference, and the true shares of its bins."""
    names = np.array([f"c{at}" for at in range(len(shares))])
    drawn = rng.choice(len(shares), rows, p=shares)
    reference = fit_without_thresholds({"c": names[drawn].tolist()}, fields=PUBLIC)
    entries = reference.entries([Role.FEATURE])
    (entry,) = entries
    assert isinstance(entry, CategoricalReference)
    plan = reference.plan([Role.FEATURE], deviations=3.0)
    by_name = dict(zip(names.tolist(), shares.tolist(), strict=True))
    true = np.zeros(60)
    listed = [by_name[name] for name in entry.categories]
    true[: len(listed)] = listed
    known_rare = sum(by_name[name] for name in entry.others)
    true[len(listed)] = known_rare if entry.is_closed else 1 - sum(listed)
    true[len(listed) + 1] = max(1 - sum(listed) - known_rare, 0.0) if entry.is_closed else 0.0
    counts, prior = entry_counts(entries, plan)[0], prior_counts(entries, plan)[0]
    is_bin = possible_bins(plan)[0]
    table = np.zeros((3, 60))
    table[0, : len(counts)] = counts
    table[1, : len(counts)] = np.where(is_bin, prior, 0.0)
    table[2, : len(counts)] = is_bin
    return table, true / true.sum(), table[2]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [1_000, 5_000])
@pytest.mark.parametrize("law", LAWS)
def test_rare_categories_do_not_count_as_drift(
    law: str, rows: int, rng: np.random.Generator
) -> None:
    """In 50,000 rows at most eight streams in a hundred ever reach evidence at the 1% level."""
    shares = LAWS[law] / LAWS[law].sum()
    fits = [fitted(shares, rows, rng) for _ in range(REFERENCES)]
    evidence = EProcess(
        np.array([table[0] for table, _, _ in fits]).astype(np.int64),
        np.array([is_bin for _, _, is_bin in fits]) > 0,
        prior=np.array([table[1] for table, _, _ in fits]),
    )
    highest = np.full(REFERENCES, -np.inf)
    for _ in range(LOOKS):
        evidence.update(np.array([rng.multinomial(LOOK_ROWS, true) for _, true, _ in fits]))
        highest = np.maximum(highest, evidence.log_e())
    alerts = int(np.count_nonzero(highest >= np.log(1 / ALPHA)))
    assert highest_rate(alerts, REFERENCES) <= 0.08


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("rows", [120, 150, 200])
def test_small_references_with_many_categories_fire_no_alert(rows: int) -> None:
    """With 200 categories by Zipf's law, at most six streams in a hundred raise an alert."""
    rng = np.random.Generator(np.random.PCG64DXSM([rows, 200]))
    streams = 300
    shares = 1 / np.arange(1, 201)
    cases = [fitted(shares / shares.sum(), rows, rng) for _ in range(streams)]
    evidence = EProcess(
        np.array([table[0] for table, _, _ in cases]).astype(np.int64),
        np.array([is_bin for _, _, is_bin in cases]) > 0,
        prior=np.array([table[1] for table, _, _ in cases]),
    )
    highest = np.full(streams, -np.inf)
    for _ in range(LOOKS):
        evidence.update(np.array([rng.multinomial(LOOK_ROWS, true) for _, true, _ in cases]))
        highest = np.maximum(highest, evidence.log_e())
    alerts = int(np.count_nonzero(highest >= np.log(1 / ALPHA)))
    assert highest_rate(alerts, streams) <= 0.055
