"""Draw docs/figures/seasons.png: evidence in traffic with a daily cycle, with and without seasons.

Run `python docs/figures/seasons.py`; it needs matplotlib.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.seasonal_eprocess import SeasonalEProcess

BINS, SEASONS, DAYS, SHIFT_HOUR = 10, 24, 4, 81
LOOK_ROWS, HOUR_ROWS, TRAINING_ROWS = 100, 400, 5_000
SLOPE = np.linspace(-1, 1, BINS)


def law(hour: int, tilt: float) -> np.ndarray:
    """Return bin shares that tilt up by day and down by night, and by `tilt` at all hours."""
    shares = np.exp((0.6 * np.sin(2 * np.pi * hour / 24) + tilt) * SLOPE)
    return shares / shares.sum()


def stream() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return, per check, the time in days, the share of the highest three bins, both evidences."""
    rng = np.random.default_rng(1)
    load = 1 + 0.8 * np.sin(2 * np.pi * (np.arange(SEASONS) - 6) / 24)
    rows = (TRAINING_ROWS * load / load.sum()).astype(int)
    reference = np.array([[rng.multinomial(n, law(h, 0.0)) for h, n in enumerate(rows)]])
    present = np.ones((1, BINS), np.bool_)
    plain, seasonal = EProcess(reference.sum(axis=1), present), SeasonalEProcess(reference, present)
    at, high, levels = [], [], []
    for hour in range(24 * DAYS):
        seasonal.begin_season(hour % SEASONS)
        looks = max(int(HOUR_ROWS * load[hour % SEASONS]) // LOOK_ROWS, 1)
        for look in range(looks):
            tilt = 0.5 if hour >= SHIFT_HOUR else 0.0
            counts = rng.multinomial(LOOK_ROWS, law(hour, tilt))[None, :]
            plain.update(counts)
            seasonal.update(counts)
            at.append((hour + (look + 1) / looks) / 24)
            high.append(counts[0, -3:].sum() / LOOK_ROWS)
            levels.append((plain.log_e()[0] / np.log(10), seasonal.log_e()[0] / np.log(10)))
    return np.array(at), np.array(high), np.array(levels)


def main() -> None:
    """Draw the shares above and both evidences below."""
    at, high, levels = stream()
    figure, (above, below) = plt.subplots(2, 1, sharex=True, figsize=(8, 5), height_ratios=(2, 3))
    above.plot(at, high, ".", ms=3, color="0.4")
    above.set_ylabel("share of the\nthree highest bins")
    for values, name, color in zip(
        levels.T, ("without seasons", "hour_of_day"), ("tab:red", "tab:blue"), strict=True
    ):
        below.plot(at, values, color=color, label=name)
    below.axhline(2, color="0.3", lw=0.8, ls=":")
    below.annotate("1 / 0.01", (0.02, 2.5), fontsize=8)
    below.set(ylim=(-2, 30), xlabel="days", ylabel="log10 of the e-value")
    for axes in (above, below):
        axes.axvline(SHIFT_HOUR / 24, color="0.3", lw=0.8, ls="--")
        axes.spines[["top", "right"]].set_visible(False)
    below.annotate("shift, PSI 0.1", (SHIFT_HOUR / 24 - 0.03, 27), ha="right", fontsize=8)
    below.legend(frameon=False, ncols=2, loc="lower left", bbox_to_anchor=(0.15, 0.13))
    figure.tight_layout()
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=110)


if __name__ == "__main__":
    main()
