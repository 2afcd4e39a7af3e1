"""What the figures of docs/algorithms share: colours that the colour-blind can tell, and size."""

from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "0.55"
"""After Okabe and Ito, "Color universal design", 2008."""

mpl.use("Agg")
mpl.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})


def limit(axes: Axes, at: float, name: str, *, x: float = 0.01) -> None:
    """A dotted line across, and what it is, just above; `x` is a share of the width."""
    axes.axhline(at, color="0.2", lw=0.9, ls=":")
    axes.annotate(
        name, (x, at), (0, 2), xycoords=("axes fraction", "data"), textcoords="offset points"
    )


def save(figure: Figure, script: str) -> None:
    """Beside its script, under the same name; without a date, so that it can be drawn again."""
    figure.tight_layout()
    figure.savefig(Path(script).with_suffix(".png"), dpi=110, metadata={"Software": None})
