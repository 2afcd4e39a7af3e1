"""Draw docs/figures/evidence.png: e-values without drift, and after a change at 50,000 rows."""

import matplotlib.pyplot as plt
import numpy as np
from drawing import BLUE, GREY, ORANGE, limit, save

from mlmonitor.stats.eprocess import EProcess
from mlmonitor.stats.evidence.tilts import tilt_factors

BINS, LOOK_ROWS, REFERENCE_ROWS = 10, 100, 5_000
SHIFT_AT, ROWS, STREAMS = 50_000, 70_000, 100
ALPHA, FIELDS = 0.01, 20


def tilted(by: float) -> np.ndarray:
    """Return ten equal shares, tilted exponentially towards the higher bins."""
    tilted_shares = np.exp(by * np.linspace(-1, 1, BINS))
    return tilted_shares / tilted_shares.sum()


def path(kind: EProcess, laws: list[np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Return log10 e-values `[checks, streams]`, with one law of bin shares per check."""
    values = []
    for law in laws:
        kind.update(rng.multinomial(LOOK_ROWS, law, len(kind.log_e())))
        values.append(kind.log_e() / np.log(10))
    return np.array(values)


def new(streams: int, rng: np.random.Generator, *, restart_rows: int) -> EProcess:
    """Return evidence for many streams, each with its own random reference of ordered bins."""
    reference = rng.multinomial(REFERENCE_ROWS, np.full(BINS, 0.1), streams)
    present = np.ones((streams, BINS), np.bool_)
    tilts = tilt_factors(reference, np.ones(streams, np.bool_))
    return EProcess(reference, present, restart_rows=restart_rows, tilts=tilts)


def main() -> None:
    """Draw streams without drift on the left; evidence with and without restarts on the right."""
    rng = np.random.default_rng(3)
    looks = np.arange(1, ROWS // LOOK_ROWS + 1) * LOOK_ROWS
    calm = path(new(STREAMS, rng, restart_rows=1_000), [tilted(0.0)] * looks.size, rng)
    laws = [tilted(0.0 if rows <= SHIFT_AT else 0.52) for rows in looks]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5))
    left.plot(looks, calm, color=GREY, lw=0.5, alpha=0.5)
    limit(left, np.log10(1 / ALPHA), "1 / 0.01: one stream in a hundred may ever pass")
    left.set(title=f"{STREAMS} streams without drift", ylim=(-3, 4), ylabel="log10 of the e-value")
    for restart_rows, name, color in (
        (1_000, "restarts every 1,000 rows", BLUE),
        (1 << 40, "one running total", ORANGE),
    ):
        levels = path(new(1, rng, restart_rows=restart_rows), laws, rng)
        right.plot(looks, levels, color=color, label=name)
    limit(right, np.log10(FIELDS / ALPHA), "20 / 0.01: alert for one field of twenty")
    right.axvline(SHIFT_AT, color="0.2", lw=0.9, ls="--")
    right.set(title="a change of PSI 0.11 after 50,000 rows", ylim=(-4, 14))
    right.legend(frameon=False, loc="upper left")
    for axes in (left, right):
        axes.set_xlabel("rows")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_xticks(np.arange(0, ROWS + 1, 20_000))
    save(figure, __file__)


if __name__ == "__main__":
    main()
