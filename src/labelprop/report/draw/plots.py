"""Static drawings with two axes of numbers: histograms, scatters, and dots in the plane.

Shapes: N values or dots, H bins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from unicodedata import east_asian_width

import numpy as np

from labelprop.report.draw.charts import BOTTOM, LEFT, TOP, Tick, nice_ticks, tick_text
from labelprop.report.gather.numbers import signed

RIGHT = 330
BINS = 20
BOLD = 1.3  # times as wide are the bold letters of a panel, which are 13 pixels high
LINE = 13.0  # of text
SIDE = 240.0  # of a panel
MARGIN = 12.0
ABOVE = 9.0  # a name stands over its dots, lest it hide a lonely one


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    y: float
    width: float
    height: float
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A dot with its name beside it ("" for none); `group` is its place among the colors, -1 for none."""

    x: float
    y: float
    group: int
    name: str
    name_x: float
    name_y: float
    before: bool  # the name stands to the left


@dataclass(frozen=True, slots=True)
class Plot:
    """Ready for the template, in the same frame as the curves."""

    label: str  # read aloud
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    bars: tuple[Bar, ...] = ()
    spots: tuple[Spot, ...] = ()
    zero: float | None = None  # the axis that bars stand on
    diagonal: bool = False
    above: str = ""  # said of what stands above the axis
    below: str = ""


class _Scale:
    """A range of numbers on a range of pixels."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high, self._start, self._end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return self._start + (self._end - self._start) * share

    def ticks(self, values: Sequence[float], text: Callable[[float], str]) -> tuple[Tick, ...]:
        return tuple(Tick(self(value), text(value)) for value in values)


def _decimals(ticks: list[float]) -> Callable[[float], str]:
    return lambda value: tick_text(value, ticks, signed)


def histogram(values_N: np.ndarray, whole: bool, x_title: str, label: str, top: float | None = None) -> Plot:
    """Counts of the finite values in up to twenty equal bins; of `whole` numbers each bin holds equally many."""
    values_N = values_N[np.isfinite(values_N)]
    low, high = float(values_N.min()), float(values_N.max())
    ticks = nice_ticks(low, high, top)
    if whole:
        step = -(-int(high - low + 1) // BINS)
        edges_H = np.arange(low, high + 1 + step, step) - 0.5  # a number stands in the middle of its bar
        ticks = [tick for tick in nice_ticks(low, high, None) if edges_H[0] <= tick <= edges_H[-1] and tick % 1 == 0]
    else:
        edges_H = np.linspace(min(ticks[0], low), ticks[-1], BINS + 1)
    counts_H = np.histogram(values_N, edges_H)[0]
    x = _Scale(edges_H[0], edges_H[-1], LEFT, RIGHT)
    y_ticks = nice_counts(0, int(counts_H.max()))
    y = _Scale(0, y_ticks[-1], BOTTOM, TOP)
    bars = tuple(
        Bar(x(start) + 0.5, y(n), max(1.0, x(end) - x(start) - 1), y(0) - y(n))
        for start, end, n in zip(edges_H[:-1], edges_H[1:], counts_H.tolist(), strict=True)
        if n
    )
    return Plot(
        label,
        x_title,
        x.ticks(ticks, _count if whole else _decimals(ticks)),
        y.ticks(y_ticks, _count),
        bars,
        zero=y(0),
    )


def mirrored(right_H: np.ndarray, wrong_H: np.ndarray, x_title: str, label: str) -> Plot:
    """Two histograms over [0, 1] on one scale: right ones stand on the axis, wrong ones hang from it."""
    x = _Scale(0, 1, LEFT, RIGHT)
    y_ticks = nice_counts(-int(wrong_H.max()), int(right_H.max()))
    y = _Scale(y_ticks[0], y_ticks[-1], BOTTOM, TOP)
    edges = np.linspace(0, 1, len(right_H) + 1)
    bars = []
    for start, end, right, wrong in zip(edges[:-1], edges[1:], right_H.tolist(), wrong_H.tolist(), strict=True):
        place, width = x(start) + 0.5, x(end) - x(start) - 1
        if right:
            bars.append(Bar(place, min(y(right), y(0) - 1), width, max(1.0, y(0) - y(right))))
        if wrong:
            bars.append(Bar(place, y(0), width, max(1.0, y(-wrong) - y(0)), wrong=True))
    said = f"right {int(right_H.sum()):,}", f"wrong {int(wrong_H.sum()):,}"
    x_ticks = x.ticks([0, 0.2, 0.4, 0.6, 0.8, 1], lambda value: f"{value:g}")
    return Plot(
        label, x_title, x_ticks, y.ticks(y_ticks, _count), tuple(bars), zero=y(0), above=said[0], below=said[1]
    )


def scatter(xs_N: np.ndarray, ys_N: np.ndarray, names: Sequence[str], x_title: str, label: str) -> Plot:
    """Dots at the finite pairs, each with its name if there are names; `ys_N` are whole numbers."""
    kept, pairs = _finite_pairs(xs_N, ys_N)
    x_ticks = nice_ticks(min(x for x, _ in pairs), max(x for x, _ in pairs), None)
    y_ticks = whole_ticks(int(min(y for _, y in pairs)), int(max(y for _, y in pairs)))
    x, y = _Scale(x_ticks[0], x_ticks[-1], LEFT, RIGHT), _Scale(y_ticks[0], y_ticks[-1], BOTTOM, TOP)
    drawn = spots([(x(a), y(b)) for a, b in pairs], kept, [names[i] for i in kept] if names else [])
    return Plot(label, x_title, x.ticks(x_ticks, _decimals(x_ticks)), y.ticks(y_ticks, _count), spots=drawn)


def versus(xs_N: np.ndarray, ys_N: np.ndarray, names: Sequence[str], x_title: str, label: str) -> Plot:
    """As `scatter`, of the same number (at most 1) twice: both axes alike, and a diagonal where they are equal."""
    kept, pairs = _finite_pairs(xs_N, ys_N)
    both = [value for pair in pairs for value in pair]
    ticks = nice_ticks(min(both), max(both), 1.0)
    low = min(ticks[0], *both)
    x, y = _Scale(low, ticks[-1], LEFT, RIGHT), _Scale(low, ticks[-1], BOTTOM, TOP)
    drawn = spots([(x(a), y(b)) for a, b in pairs], kept, [names[i] for i in kept] if names else [])
    text = _decimals(ticks)
    return Plot(label, x_title, x.ticks(ticks, text), y.ticks(ticks, text), spots=drawn, diagonal=True)


def _finite_pairs(xs_N: np.ndarray, ys_N: np.ndarray) -> tuple[list[int], list[tuple[float, float]]]:
    """Where both are numbers, and these."""
    kept = np.flatnonzero(np.isfinite(xs_N) & np.isfinite(ys_N))
    return kept.tolist(), list(zip(xs_N[kept].tolist(), ys_N[kept].tolist(), strict=True))


def breadth(text: str) -> float:
    """About how wide the letters of a chart make a text: no font can be asked here, and readers have others."""
    return sum(
        13 if east_asian_width(c) in "WF" else 10.5 if c in "mwMW@%" else 4.5 if c in "iljtfI.,:;|!'" else 7.2
        for c in text
    )


def spots(places: Sequence[tuple[float, float]], groups: Sequence[int], names: Sequence[str]) -> tuple[Spot, ...]:
    """Names stand to the right of their dots, to the left near the right end, and not on each other."""
    if not names:
        return tuple(Spot(x, y, -1, "", 0, 0, False) for x, y in places)
    before = [x + 8 + breadth(name) > RIGHT + 8 for (x, _), name in zip(places, names, strict=True)]
    spans = [
        (x - 8 - breadth(name), x) if left else (x, x + 8 + breadth(name))
        for (x, _), name, left in zip(places, names, before, strict=True)
    ]
    heights = unstacked([y for _, y in places], spans)
    return tuple(
        Spot(x, y, group, name, x - 8 if left else x + 8, height + 4, left)
        for (x, y), group, name, left, height in zip(places, groups, names, before, heights, strict=True)
    )


def unstacked(ys: Sequence[float], spans: Sequence[tuple[float, float]], low: float = TOP) -> list[float]:
    """Heights near `ys` at which lines of text over `spans` keep clear of each other: from below, each goes up."""
    found = list(ys)
    placed: list[int] = []
    for i in sorted(range(len(ys)), key=lambda j: -ys[j]):
        rivals = sorted(
            (j for j in placed if spans[j][0] < spans[i][1] and spans[i][0] < spans[j][1]), key=lambda j: -found[j]
        )
        for j in rivals:
            if abs(found[j] - found[i]) < LINE:
                found[i] = found[j] - LINE
        found[i] = max(found[i], low)
        placed.append(i)
    return found


def nice_counts(low: int, high: int) -> list[float]:
    """Ticks of what bars stand for: zero is among them."""
    return whole_ticks(min(low, 0), max(high, 1))


def whole_ticks(low: int, high: int) -> list[float]:
    """Ticks of counts: whole numbers from below `low` to above `high`."""
    ticks = nice_ticks(low, high, None)
    if ticks[1] - ticks[0] < 1:
        ticks = [float(k) for k in range(low, max(high, low + 1) + 1)]
    return ticks


def _count(value: float) -> str:
    return f"{abs(round(value)):,}"


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
