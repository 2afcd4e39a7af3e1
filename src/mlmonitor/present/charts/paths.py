"""SVG paths in a box of `WIDTH` by `HEIGHT` units, which the page scales to the space it has.

Strokes keep their width (`vector-effect`), and text keeps its size because it is outside the box.
"""

import math
from collections.abc import Sequence

import numpy as np

from mlmonitor.records import Floats

WIDTH, HEIGHT = 1000, 100
_GAP = 0.16  # the share of a bar's place that stays empty
_THIN = 0.5  # the width of a front bar, as a share of the one behind it


def to_y(values: Floats, low: float, high: float | Floats) -> Floats:
    """Scale values to the height of the box, whose origin is at the top; clip values outside."""
    span = np.maximum(high - low, np.finfo(float).tiny)
    return HEIGHT - np.clip((values - low) / span, 0.0, 1.0) * HEIGHT


def line_path(x: Floats, y: Floats) -> str:
    """Return a line with gaps where `y` is not finite; a point between two gaps is a dot."""
    if np.isfinite(y).all() and len(y) > 1:
        points = zip(np.rint(x).astype(int).tolist(), y.tolist(), strict=True)
        return "M" + "L".join([f"{left} {top:.1f}" for left, top in points])
    commands, is_open = [], False
    for left, top in zip(x.tolist(), y.tolist(), strict=True):
        if not math.isfinite(top):
            is_open = False
            continue
        commands.append(f"L{left:.0f} {top:.1f}" if is_open else f"M{left:.0f} {top:.1f}h0")
        is_open = True
    return "".join(commands)


def area_path(x: Floats, low: Floats, high: Floats) -> str:
    """Return the area between two lines, with gaps where either is not finite."""
    has_both = np.isfinite(low) & np.isfinite(high)
    edges = np.array([0, len(x)] if len(x) else [])
    if not has_both.all():
        edges = np.flatnonzero(np.diff(np.concatenate([[False], has_both, [False]]).astype(int)))
    lefts, lows, highs = (
        np.rint(values[has_both]).astype(int).tolist() for values in (x, low, high)
    )
    areas, first = [], 0
    for start, stop in edges.reshape(-1, 2).tolist():
        last = first + stop - start
        upper = [f"{lefts[at]} {highs[at]}" for at in range(first, last)]
        lower = [f"{lefts[at]} {lows[at]}" for at in range(last - 1, first - 1, -1)]
        areas.append(f"M{'L'.join(upper + lower)}z")
        first = last
    return "".join(areas)


def bars_path(heights: Sequence[float], *, is_front: bool = False) -> str:
    """Return bars side by side; front bars are thinner, so that the bars behind stay visible.

    heights: from 0 to 1. A height above 0 is drawn at least one unit high.
    """
    place = WIDTH / max(len(heights), 1)
    wide = place * (1 - _GAP)
    width = round(wide * _THIN if is_front else wide)
    inset = (wide - width) / 2
    end = f"h{width}V{HEIGHT}z"
    tops = [min(round(HEIGHT * (1 - height)), HEIGHT - 1) for height in heights]
    return "".join(
        [
            f"M{round(number * place + inset)} {HEIGHT}V{tops[number]}{end}"
            for number, height in enumerate(heights)
            if height > 0
        ]
    )
