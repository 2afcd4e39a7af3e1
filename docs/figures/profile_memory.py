"""Draw docs/figures/profile_memory.png: resident memory while a large file is profiled.

benchmarks/profile_file.py has measured the memory, in benchmarks/results/profile_file.json.
"""

import json
from pathlib import Path

import matplotlib.pyplot as plt
from drawing import BLUE, GREY, ORANGE, limit, save

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "profile_file.json"
MIB = 2**20


def main() -> None:
    """Draw one line per run, over the share of the run's time, and the size of the file."""
    measured = json.loads(RESULTS.read_text(encoding="utf-8"))
    figure, axes = plt.subplots(figsize=(7.4, 2.8))
    for (name, run), color in zip(measured["runs"].items(), (GREY, BLUE, ORANGE), strict=True):
        alive = [sample for sample in run["memory"] if sample[1]]  # the last may follow its end
        times, sizes = zip(*alive, strict=True)
        shares = [100 * time / run["seconds"] for time in times]
        axes.plot(shares, [size / MIB for size in sizes], color=color, lw=1.2, label=name)
    limit(axes, measured["file_bytes"] / MIB, "size of the file")
    axes.set(xlabel="% of the run", ylabel="resident memory, MiB", ylim=(0, None))
    axes.set_title(f"{measured['rows']:,} rows of 40 mixed columns")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    save(figure, __file__)


if __name__ == "__main__":
    main()
