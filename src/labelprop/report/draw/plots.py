"""Static drawings with two axes of numbers: curves, histograms and scatters.

Shapes: N values or dots, H bins.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from labelprop.report.draw.axes import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Scale,
    Tick,
    count_text,
    epoch_ticks,
    nice_ticks,
    tick_text,
    whole_ticks,
)
from labelprop.report.draw.names import breadth, unstacked
from labelprop.report.gather.history import Curve, NamedCurve, PhaseEpochs

CURVES_RIGHT = 262  # curves leave room for their names
NAME_GAP = 34  # two lines of text
NAME_LOWEST = BOTTOM - 14  # so that the second line stays clear of the axis
BINS = 20  # as many as the monitor's histogram of certainties has


@dataclass(frozen=True, slots=True)
class CurveLine:
    """One curve: its points as an SVG attribute, and its direct label at the right end."""

    points: str
    name: str
    value: str
    label_y: float
    own: bool


@dataclass(frozen=True, slots=True)
class Mark:
    """An upright line with its name beside it."""

    x: float
    y: float  # of the name
    text: str


@dataclass(frozen=True, slots=True)
class HistogramBar:
    x: float
    y: float
    width: float
    height: float
    wrong: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """A dot with its name beside it ("" for none); `group` is its place among the colors."""

    x: float
    y: float
    group: int
    name: str = ""
    name_x: float = 0
    name_y: float = 0
    before: bool = False  # the name stands to the left


@dataclass(frozen=True, slots=True)
class Plot:
    """Ready for the template."""

    label: str  # read aloud
    x_title: str
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    right: int = RIGHT
    lines: tuple[CurveLine, ...] = ()
    mark: Mark | None = None
    columns: tuple[HistogramBar, ...] = ()
    zero: float | None = None  # the axis that columns stand on
    above: str = ""  # the name of what stands above the axis
    below: str = ""
    spots: tuple[Spot, ...] = ()
    diagonal: bool = False


def curves(
    named: Sequence[NamedCurve],
    text: Callable[[float], str],
    label: str,
    starts: PhaseEpochs | None = None,
    top: float | None = 1.0,
    whole: bool = False,
) -> Plot:
    """Up to two curves by epoch on one scale; empty ones are left out.

    `starts`: the last phase, its first epoch marked; `top`: highest value possible; `whole`: poor first epochs of
    long trainings are shown too.
    """
    drawn = [entry for entry in named if entry.curve]
    values = sorted(value for entry in drawn for value in entry.curve.values)
    # A poor first epoch must not flatten the rest of the curve: a twentieth of the values may lie below the scale.
    low = values[0 if whole else len(values) // 20]
    ticks = nice_ticks(low, values[-1], top)
    last = max(entry.curve.epochs[-1] for entry in drawn)
    x, y = Scale(1, max(2, last), LEFT, CURVES_RIGHT), Scale(ticks[0], ticks[-1], BOTTOM, TOP)
    ends = [y(entry.curve.last) for entry in drawn]

    def points(curve: Curve) -> str:
        return " ".join(f"{x(e):.1f},{y(v):.1f}" for e, v in zip(curve.epochs, curve.values, strict=True))

    lines = tuple(
        CurveLine(points(entry.curve), entry.name, text(entry.curve.last), at, entry.own)
        for entry, at in zip(drawn, apart(ends), strict=True)
    )
    mark = None
    if starts is not None and starts.first > 1:
        free = TOP + 8 if max(ends) > (TOP + BOTTOM) / 2 else BOTTOM - 8  # away from the curves
        mark = Mark(x(starts.first - 0.5), free, f"{starts.name} starts")
    x_ticks, y_ticks = x.ticks(epoch_ticks(last), count_text), y.ticks(ticks, tick_text(ticks, text))
    return Plot(label, "epoch", x_ticks, y_ticks, CURVES_RIGHT, lines, mark)


def apart(ys: list[float]) -> list[float]:
    """Moves up to two labels away from each other, the upper one up."""
    if len(ys) < 2 or abs(ys[0] - ys[1]) >= NAME_GAP:
        return [min(max(y, TOP + 4), NAME_LOWEST) for y in ys]
    middle = min(max((ys[0] + ys[1]) / 2, TOP + 4 + NAME_GAP / 2), NAME_LOWEST - NAME_GAP / 2)
    up = middle - NAME_GAP / 2, middle + NAME_GAP / 2
    return list(up) if ys[0] < ys[1] else [up[1], up[0]]


def histogram(values_N: np.ndarray, whole: bool, x_title: str, label: str, top: float | None = None) -> Plot:
    """Counts of the finite values in up to twenty equal bins; of `whole` numbers each bin holds equally many."""
    values_N = values_N[np.isfinite(values_N)]
    low, high = float(values_N.min()), float(values_N.max())
    ticks = nice_ticks(low, high, top)
    if whole:
        step = -(-int(high - low + 1) // BINS)
        edges_H = np.arange(low, high + 1 + step, step) - 0.5  # a number stands in the middle of its column
        ticks = [tick for tick in nice_ticks(low, high) if edges_H[0] <= tick <= edges_H[-1] and tick % 1 == 0]
    else:
        edges_H = np.linspace(min(ticks[0], low), ticks[-1], BINS + 1)
    counts_H = np.histogram(values_N, edges_H)[0]
    x = Scale(edges_H[0], edges_H[-1], LEFT, RIGHT)
    y_ticks = whole_ticks(0, int(counts_H.max()))
    y = Scale(0, y_ticks[-1], BOTTOM, TOP)
    columns = tuple(
        HistogramBar(x(start) + 0.5, y(n), max(1.0, x(end) - x(start) - 1), y(0) - y(n))
        for start, end, n in zip(edges_H[:-1], edges_H[1:], counts_H.tolist(), strict=True)
        if n
    )
    x_ticks = x.ticks(ticks, count_text if whole else tick_text(ticks))
    return Plot(label, x_title, x_ticks, y.ticks(y_ticks, count_text), columns=columns, zero=y(0))


def mirrored(right_H: np.ndarray, wrong_H: np.ndarray, x_title: str, label: str) -> Plot:
    """Two histograms over [0, 1] on one scale: right ones stand on the axis, wrong ones hang from it."""
    x = Scale(0, 1, LEFT, RIGHT)
    y_ticks = whole_ticks(-int(wrong_H.max()), max(int(right_H.max()), 1))
    y = Scale(y_ticks[0], y_ticks[-1], BOTTOM, TOP)
    edges = np.linspace(0, 1, len(right_H) + 1)
    columns = []
    for start, end, right, wrong in zip(edges[:-1], edges[1:], right_H.tolist(), wrong_H.tolist(), strict=True):
        place, width = x(start) + 0.5, x(end) - x(start) - 1
        if right:
            columns.append(HistogramBar(place, min(y(right), y(0) - 1), width, max(1.0, y(0) - y(right))))
        if wrong:
            columns.append(HistogramBar(place, y(0), width, max(1.0, y(-wrong) - y(0)), wrong=True))
    return Plot(
        label,
        x_title,
        x.ticks([0, 0.2, 0.4, 0.6, 0.8, 1], lambda value: f"{value:g}"),
        y.ticks(y_ticks, count_text),
        columns=tuple(columns),
        zero=y(0),
        above=f"right {int(right_H.sum()):,}",
        below=f"wrong {int(wrong_H.sum()):,}",
    )


def scatter(
    xs_N: np.ndarray, ys_N: np.ndarray, names: Sequence[str], x_title: str, label: str, alike: bool = False
) -> Plot:
    """Dots at the finite pairs, each with its name if there are names.

    `ys_N` are whole numbers; or, `alike`, the same number (at most 1) as `xs_N` measured again: both axes are alike
    and a diagonal shows where they are equal.
    """
    kept = np.flatnonzero(np.isfinite(xs_N) & np.isfinite(ys_N)).tolist()
    xs, ys = xs_N[kept].tolist(), ys_N[kept].tolist()
    if alike:
        x_ticks = y_ticks = nice_ticks(min(xs + ys), max(xs + ys), 1.0)
        x_low = y_low = min(x_ticks[0], *xs, *ys)
    else:
        x_ticks, y_ticks = nice_ticks(min(xs), max(xs)), whole_ticks(int(min(ys)), int(max(ys)))
        x_low, y_low = x_ticks[0], y_ticks[0]
    x, y = Scale(x_low, x_ticks[-1], LEFT, RIGHT), Scale(y_low, y_ticks[-1], BOTTOM, TOP)
    drawn = spots(
        [(x(a), y(b)) for a, b in zip(xs, ys, strict=True)], kept, [names[i] for i in kept] if names else []
    )
    y_text = tick_text(y_ticks) if alike else count_text
    ticks = x.ticks(x_ticks, tick_text(x_ticks)), y.ticks(y_ticks, y_text)
    return Plot(label, x_title, *ticks, spots=drawn, diagonal=alike)


def spots(places: Sequence[tuple[float, float]], groups: Sequence[int], names: Sequence[str]) -> tuple[Spot, ...]:
    """Names stand to the right of their dots, to the left near the right end, and not on each other."""
    if not names:
        return tuple(Spot(x, y, group) for (x, y), group in zip(places, groups, strict=True))
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
