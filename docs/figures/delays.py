"""Draw docs/figures/delays.png: rows until mlmonitor and other tools find a shift.

Delays of other tools are read from benchmarks/results/false_alerts.json. Ours are simulated here
for shifts of several sizes.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, ORANGE, save
from evidence import ALPHA, FIELDS, SHIFT_AT, new, tilted
from matplotlib.axes import Axes

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "false_alerts.json"
TILTS, STREAMS, LOOK_ROWS, MOST_ROWS = np.geomspace(0.15, 1.2, 10), 60, 50, 12_000
LINE_POINTS = 9


def psi_of(law: np.ndarray) -> float:
    """Return the PSI between these bin shares and ten equal shares."""
    return float(((law - 0.1) * np.log(law / 0.1)).sum())


def delays(law: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return, per stream, the rows between a change (after 50,000 clean rows) and its alert."""
    evidence = new(STREAMS, rng, restart_rows=1_000)
    for _ in range(SHIFT_AT // 500):
        evidence.update(rng.multinomial(500, tilted(0.0), STREAMS))
    delays_by_stream = np.full(STREAMS, np.inf)
    for rows in range(LOOK_ROWS, MOST_ROWS, LOOK_ROWS):
        evidence.update(rng.multinomial(LOOK_ROWS, law, STREAMS))
        delays_by_stream[
            (evidence.log_e() >= np.log(FIELDS / ALPHA)) & np.isinf(delays_by_stream)
        ] = rows
        if np.isfinite(delays_by_stream).all():
            break
    return delays_by_stream


def is_close(one: tuple[float, float], other: tuple[float, float]) -> bool:
    """Whether the labels of two points would lie on each other."""
    return abs(one[0] - other[0]) < 5 and abs(np.log10(one[1] / other[1])) < 0.05


def beside_peers(axes: Axes) -> None:
    """Draw each monitor as a point: its delay for one shift against its false alerts."""
    measured = json.loads(RESULTS.read_text())
    labelled: list[tuple[float, float]] = []
    for name, results in measured.items():
        is_ours = name.startswith("mlmonitor")
        delay, false = (
            results["median_delay_rows"],
            100 * results["fields_alerted"] / results["fields"],
        )
        if delay is None:
            continue
        axes.plot(false, delay, "o" if is_ours else "x", color=BLUE if is_ours else ORANGE)
        is_right = false > 50
        close = [place for place in labelled if is_close(place, (false, delay))]
        labelled.append((false, delay))
        axes.annotate(
            "ours" if is_ours else name.replace(" rows", "").replace(", on the first field", ""),
            (false, delay),
            (-6 if is_right else 6, 3 + LINE_POINTS * len(close)),
            textcoords="offset points",
            ha="right" if is_right else "left",
            fontsize=7.5,
        )
    axes.set_xlabel("fields that alerted in 20,000 rows without drift, %")
    axes.set(title="PSI 0.11, beside peers", xlim=(-5, 105))


def main() -> None:
    """Draw our delays by the size of the change, and all monitors' delays for one size."""
    rng = np.random.default_rng(4)
    laws = [tilted(by) for by in TILTS]
    quantiles = np.array([np.quantile(delays(law, rng), [0.1, 0.5, 0.9]) for law in laws]).T
    at = [psi_of(law) for law in laws]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), sharey=True)
    left.fill_between(
        at, quantiles[0], quantiles[2], color=BLUE, alpha=0.2, lw=0, label="80% of changes"
    )
    left.plot(at, quantiles[1], "o-", ms=4, color=BLUE, label="median")
    left.set(
        xscale="log", yscale="log", xlabel="PSI of the change", ylabel="rows until it is found"
    )
    left.set_title("ours: alpha 0.01 over 20 fields, after 50,000 rows")
    left.legend(frameon=False, loc="lower left")
    beside_peers(right)
    for axes in (left, right):
        axes.title.set_fontsize(9)
    save(figure, __file__)


if __name__ == "__main__":
    main()
