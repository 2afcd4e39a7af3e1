"""Draw docs/figures/why.png: how the changed mix of one feature moves the mean prediction."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

from mlmonitor import Reference, Role
from mlmonitor.aggregate.profile import FieldProfile
from mlmonitor.compare.drift.decomposition import ShiftDecomposition
from mlmonitor.records import Block

ROLES = (Role.FEATURE, Role.PREDICTION)
ROWS, WINDOWS, SIZE = 10_000, 40, 500


def rows(rng: np.random.Generator, count: int, motor: float) -> tuple[np.ndarray, ...]:
    """Draw age, mileage and line, all independent, and a premium that depends on all three."""
    age, mileage = rng.normal(45, 12, count), rng.gamma(4, 3_000, count)
    line = np.where(rng.random(count) < motor, "motor", "home")
    premium = 200 + 2 * age + 0.004 * mileage + 150 * (line == "motor")
    return age, mileage, line, premium


def main() -> None:
    """Decompose forty windows; from the twentieth on, motor grows from 40% to 70% of the rows."""
    rng = np.random.default_rng(5)
    age, mileage, line, premium = rows(rng, ROWS, 0.4)
    reference = Reference.fit(
        {"age": age, "mileage": mileage, "line": line.tolist()}, predictions=premium
    )
    plan, entries = reference.plan(ROLES, deviations=3.0), reference.entries(ROLES)
    why = ShiftDecomposition.from_entries(plan, entries, reference.content.explained)
    if why is None:
        raise SystemExit("the reference explains nothing")
    mixes: dict[str, list[float]] = {"line": [], "age": [], "mileage": []}
    limits: dict[str, list[float]] = {name: [] for name in mixes}
    shifts = []
    for window in range(WINDOWS):
        motor = 0.4 + 0.3 * min(max(window - 20, 0) / 10, 1)
        age, mileage, line, premium = rows(rng, SIZE, motor)
        profile = FieldProfile(plan)
        numeric = np.array([age, mileage, premium])
        profile.update(Block(SIZE, numeric, np.zeros((3, 3), np.int64), [line.tolist()]))
        shift = why.explain(profile)
        shifts.append(0.0 if shift is None else shift.shift)
        for contribution in () if shift is None else shift.contributions:
            mixes[contribution.field].append(contribution.mix)
            limits[contribution.field].append(contribution.threshold)
    draw(shifts, mixes, limits)


def draw(
    shifts: list[float], mixes: dict[str, list[float]], limits: dict[str, list[float]]
) -> None:
    """Draw the shift, the mix effects, and their thresholds as bands."""
    figure, axes = plt.subplots(figsize=(8, 4.2), layout="constrained")
    x = np.arange(WINDOWS)
    axes.plot(x, shifts, color="black", lw=1.5, ls="--", label="shift of the mean prediction")
    for name, color in zip(mixes, ("tab:red", "tab:blue", "tab:green"), strict=True):
        axes.plot(x, mixes[name], color=color, lw=2, label=f"mix of {name}")
        limit = np.array(limits[name])
        axes.fill_between(x, -limit, limit, color=color, alpha=0.12, lw=0)
    axes.set(xlabel="window of 500 rows", ylabel="premium", xlim=(0, WINDOWS - 1))
    axes.set_title("Why the mean prediction moved (bands: 99% of windows without drift)")
    axes.legend(loc="upper left", frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_name("why.png"), dpi=110)


if __name__ == "__main__":
    main()
