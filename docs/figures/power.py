"""Draw docs/figures/power.png: rows until each change is found, by monitor.

Of benchmarks/results/power.json, which `make bench-power` measures.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, save
from matplotlib.axes import Axes

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "power.json"
CLEAN, NEVER = "10000", 130_000
LOOKS = (("o", BLUE), ("s", ORANGE), ("^", GREEN), ("D", PURPLE), ("v", GREY), ("x", "0.2"))


def draw_monitor(axes: Axes, name: str, cells: list[dict[str, float] | None], place: int) -> None:
    """Draw the medians of one monitor, and lines from them to the 90% quantiles."""
    marker, color = LOOKS[place]
    offset = 0.12 * (place - 2.5)
    for row, cell in enumerate(cells):
        if cell is None:
            continue
        median, late = (cell[key] or NEVER for key in ("median_rows", "rows_of_90_percent"))
        axes.plot([median, late], [row + offset] * 2, color=color, lw=0.8)
        axes.plot(median, row + offset, marker, color=color, ms=4 + 2 * (place == 0), lw=0)
    axes.plot([], [], marker, color=color, label=name, lw=0)


def main() -> None:
    """One row a change, a point a monitor: in the last column if most never found it."""
    lines = json.loads(RESULTS.read_text())["independent"]
    changes = [name for name, own in lines.items() if not name.startswith("no change")]
    names = dict.fromkeys(name for change in changes for name in lines[change])
    monitors = sorted(names, key=lambda name: name != "mlmonitor")
    figure, axes = plt.subplots(figsize=(9, 0.42 * len(changes) + 1.2))
    for place, name in enumerate(monitors):
        cells = [lines[change].get(name, {}).get(CLEAN) for change in changes]
        false = lines.get("no change, no lognormal field", {}).get(name)
        label = name
        if false is not None:
            label += f": {false['alerted'][CLEAN]} of {false['models']} alert without a change"
        draw_monitor(axes, label, cells, place)
    axes.axvspan(NEVER / 1.6, NEVER * 1.6, color="0.94", lw=0)
    axes.set(xscale="log", xlabel="rows until found: median, and a line to the 90% quantile")
    axes.set_xticks([100, 1_000, 10_000, NEVER], ["100", "1,000", "10,000", "never"])
    axes.set_xlim(20, NEVER * 1.6)
    axes.set_yticks(range(len(changes)), changes)
    axes.grid(axis="y", color="0.93")
    axes.invert_yaxis()
    axes.legend(
        frameon=False, fontsize=7.5, loc="upper center", bbox_to_anchor=(0.4, -0.1), ncols=2
    )
    save(figure, __file__)


if __name__ == "__main__":
    main()
