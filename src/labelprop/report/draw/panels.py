"""Dots in the plane, without axes.

Shapes: N dots.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelprop.report.draw.names import breadth, unstacked

SIDE = 240.0  # of a panel, pixels
MARGIN = 12.0
ABOVE = 9.0  # a name stands over its dots, lest it hide one of them
BOLD = 1.3  # times as wide are the bold letters of a panel, which are 13 pixels high


@dataclass(frozen=True, slots=True)
class Panel:
    """Dots in the plane: per group a path of points, the points to be ringed, and its name with its middle."""

    paths: tuple[str, ...]
    rings: tuple[tuple[tuple[float, float], ...], ...]
    names: tuple[tuple[float, float, str], ...]


def panel(
    places_N2: np.ndarray, group_N: np.ndarray, ringed_N: np.ndarray, reach: float, names: Sequence[str]
) -> Panel:
    """Centered places on a square of 240; `reach` is what lies at its edge, the same for all panels to compare.

    Groups are counted from 0 and have `names`, which stand over the middle of their dots, inside the square and not
    on each other.
    """
    scale = (SIDE / 2 - MARGIN) / (reach or 1.0)
    spread_N2 = np.clip(places_N2 * scale * [1, -1] + SIDE / 2, 2, SIDE - 2).round(1)
    paths, rings, middles = [], [], []
    for group in range(len(names)):
        inside_N = group_N == group
        paths.append("".join(f"M{x:g} {y:g}h0" for x, y in spread_N2[inside_N & ~ringed_N].tolist()))
        rings.append(tuple((x, y) for x, y in spread_N2[inside_N & ringed_N].tolist()))
        middles.append(np.median(spread_N2[inside_N], axis=0).tolist() if inside_N.any() else [SIDE / 2, SIDE / 2])
    halves = [min(BOLD * breadth(name) / 2 + 3, SIDE / 2) for name in names]
    xs = [min(max(x, half), SIDE - half) for (x, _), half in zip(middles, halves, strict=True)]
    spans = [(x - half, x + half) for x, half in zip(xs, halves, strict=True)]
    ys = unstacked([y - ABOVE for _, y in middles], spans, MARGIN)
    return Panel(tuple(paths), tuple(rings), tuple(zip(xs, ys, names, strict=True)))


def reach_of(places: Sequence[np.ndarray]) -> float:
    """The largest coordinate of any layout."""
    return max((float(np.abs(places_N2).max()) for places_N2 in places if len(places_N2)), default=0.0)
