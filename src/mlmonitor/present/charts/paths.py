"""Paths of SVG in a box of `WIDTH` by `HEIGHT` units, which the page stretches to its place.

Strokes do not stretch (`vector-effect`), and text lies outside the box, so that it keeps its size.
"""

from collections.abc import Sequence

import numpy as np

from mlmonitor.records import Floats

WIDTH, HEIGHT = 1000, 100
_GAP = 0.16  # of a bar's place, to its right
_THIN = 0.5  # the width of a front bar, as a share of the one behind it


def to_x(values: Floats, low: float, high: float) -> Floats:
    """Scale to the width of the box."""
    scaled: Floats = (values - low) * (WIDTH / max(high - low, np.finfo(float).tiny))
    return scaled


def to_y(values: Floats, low: float, high: float) -> Floats:
    """Scale to the height of the box, whose origin is at the top; values outside are clipped."""
    span = max(high - low, np.finfo(float).tiny)
    return HEIGHT - np.clip((values - low) / span, 0.0, 1.0) * HEIGHT


def line_path(x: Floats, y: Floats) -> str:
    """A line through the points, interrupted where `y` is not finite; a lone point is a dot."""
    commands, is_open = [], False
    pairs = zip(np.round(x).tolist(), np.round(y, 1).tolist(), strict=True)
    for left, top in pairs:
        if top != top:  # noqa: PLR0124 - NaN
            is_open = False
            continue
        commands.append(f"{'L' if is_open else 'M'}{left:.0f} {top:g}{'' if is_open else 'h0'}")
        is_open = True
    return "".join(commands)


def area_path(x: Floats, low: Floats, high: Floats) -> str:
    """The area between two lines, interrupted where either is not finite."""
    has_both = np.isfinite(low) & np.isfinite(high)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], has_both, [False]]).astype(int)))
    areas = []
    for start, stop in edges.reshape(-1, 2).tolist():
        upper = zip(x[start:stop], high[start:stop], strict=True)
        lower = zip(x[start:stop][::-1], low[start:stop][::-1], strict=True)
        points = [f"{left:.0f} {top:.1f}" for left, top in (*upper, *lower)]
        areas.append(f"M{'L'.join(points)}z")
    return "".join(areas)


def bars_path(heights: Sequence[float], *, is_front: bool = False) -> str:
    """Bars side by side; those in front are thinner, so that both of a pair stay visible.

    heights: from 0 to 1. A height above 0 is drawn at least one unit high.
    """
    place = WIDTH / max(len(heights), 1)
    wide = place * (1 - _GAP)
    width = wide * _THIN if is_front else wide
    inset = (wide - width) / 2
    bars = []
    for number, height in enumerate(heights):
        if height > 0:
            top = min(HEIGHT - height * HEIGHT, HEIGHT - 1)
            left = number * place + inset
            bars.append(f"M{left:.0f} {HEIGHT}V{top:.0f}h{width:.0f}V{HEIGHT}z")
    return "".join(bars)
