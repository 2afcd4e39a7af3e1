"""The common style of the figures in docs/algorithms: colour-blind-safe colours, and sizes."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"
"""The palette of Okabe and Ito, "Color universal design", 2008."""

mpl.use("Agg")
mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def limit(axes: Axes, at: float, name: str, *, x: float = 0.01) -> None:
    """Draw a dotted horizontal line, labelled just above it; `x` is a share of the width."""
    axes.axhline(at, color="0.2", lw=0.9, ls=":")
    axes.annotate(
        name, (x, at), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points"
    )


def save(figure: Figure, script: str) -> None:
    """Save a figure beside its script, under the same name and without metadata that changes."""
    figure.tight_layout()
    figure.savefig(Path(script).with_suffix(".png"), dpi=110, metadata={"Software": None})
