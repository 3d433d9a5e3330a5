"""Static drawings of the page: two curves by epoch as inline SVG, and the places of bars and dots in percent."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labelprop.report.gather.numbers import Share, signed
from labelprop.report.gather.training import Curve, Phase

WIDTH, HEIGHT = 340, 216
LEFT, RIGHT, TOP, BOTTOM = 46, 262, 10, 178
LABEL_GAP = 34  # two lines of text
LABEL_LOWEST = BOTTOM - 14  # so that the second line stays clear of the axis


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One curve: its points as an SVG attribute, and its direct label at the right end."""

    points: str
    name: str
    value: str
    label_y: float
    own: bool


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves by epoch, ready for the template."""

    label: str  # read aloud
    y_ticks: tuple[Tick, ...]
    x_ticks: tuple[Tick, ...]
    lines: tuple[Line, ...]
    mark_x: float | None  # where the last phase starts
    mark_y: float  # of its text, away from the curves
    mark_text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval on a horizontal scale, in percent of the width."""

    left: float
    width: float
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Named:
    """A curve and its direct label; `own` where it is this run's."""

    name: str
    curve: Curve
    own: bool = False


def against_labels_only(own: Curve, baseline: Curve) -> tuple[Named, Named]:
    return Named("labels only", baseline), Named("this run", own, own=True)


def curves(
    named: Sequence[Named],
    epochs: int,
    starts: Phase | None,
    text: Callable[[float], str],
    label: str,
    top: float | None,
    low: float | None = None,
) -> Chart:
    """Up to two curves on one scale; empty ones are left out.

    `starts`: the last phase, its first epoch marked; `top`: highest value possible; `low`: the lowest to be shown, by
    default one that leaves out poor first epochs of long trainings.
    """
    drawn = [entry for entry in named if entry.curve]
    values = [value for entry in drawn for value in entry.curve.values]
    ticks = nice_ticks(_floor(values) if low is None else low, max(values), top)
    low, high = ticks[0], ticks[-1]
    last = max([epochs, *(entry.curve.epochs[-1] for entry in drawn)])

    def x(epoch: float) -> float:
        return LEFT + (RIGHT - LEFT) * (epoch - 1) / max(1, last - 1)

    def y(value: float) -> float:
        return BOTTOM - (BOTTOM - TOP) * (min(max(value, low), high) - low) / (high - low)

    def points(curve: Curve) -> str:
        return " ".join(f"{x(e):.1f},{y(v):.1f}" for e, v in zip(curve.epochs, curve.values, strict=True))

    label_ys = apart([y(entry.curve.last) for entry in drawn])
    lines = tuple(
        Line(points(entry.curve), entry.name, text(entry.curve.last), at, entry.own)
        for entry, at in zip(drawn, label_ys, strict=True)
    )
    x_ticks = tuple(Tick(x(epoch), f"{epoch:,}") for epoch in epoch_ticks(last))
    y_ticks = tuple(Tick(y(value), tick_text(value, ticks, text)) for value in ticks)
    if starts is None or starts.first == 1:
        return Chart(label, y_ticks, x_ticks, lines, None, 0, "")
    after = [y(value) for entry in drawn if (value := entry.curve.at((starts.first + last) // 2)) is not None]
    low_curves = bool(after) and max(after) > (TOP + BOTTOM) / 2
    at = TOP + 8 if low_curves else BOTTOM - 8
    return Chart(label, y_ticks, x_ticks, lines, x(starts.first - 0.5), at, f"{starts.name} starts")


def _floor(values: list[float]) -> float:
    """The lowest value worth room: a poor first epoch must not flatten the rest of the curve."""
    ordered = sorted(values)
    return ordered[len(ordered) // 20] if len(ordered) > 20 else ordered[0]


def nice_ticks(low: float, high: float, top: float | None) -> list[float]:
    """Three to seven round numbers from below `low` to above `high` (never above `top`)."""
    span = max(high - low, 1e-3 if top else max(abs(high), 1e-3) * 0.01)
    power = 10 ** math.floor(math.log10(span / 3))
    step = next(factor * power for factor in (1, 2, 5, 10) if span / (factor * power) <= 5)
    first = math.floor(low / step + 1e-9)
    last = max(first + 1, math.ceil(high / step - 1e-9))
    ticks = [k * step for k in range(first, last + 1)]
    if top is not None and ticks[-1] > top + 1e-9:
        ticks = [tick for tick in ticks if tick <= top + 1e-9]
        if len(ticks) < 2:
            ticks = [top - step, top]
    return ticks


def tick_text(value: float, ticks: list[float], text: Callable[[float], str]) -> str:
    """Whole percent or few decimals on an axis, as its step needs."""
    step = ticks[1] - ticks[0]
    if text(0.5).endswith("%"):
        digits = 0 if step >= 0.00999 else 1 if step >= 0.000999 else 2
        return f"{100 * value:.{digits}f}%"
    digits = max(0, min(6, -math.floor(math.log10(step) + 1e-9)))
    return signed(value if abs(value) > step / 2 else 0.0, digits)


def epoch_ticks(last: int) -> list[int]:
    """The first, the last and a few round epochs between."""
    if last <= 1:
        return [1]
    step = next(s for s in (k * 10**p for p in range(9) for k in (1, 2, 5)) if last / s <= 4.5)
    inner = [e for e in range(step, last, step) if e - 1 >= step / 2 and last - e >= step / 2]
    return [1, *inner, last]


def apart(ys: list[float]) -> list[float]:
    """Moves up to two labels away from each other, the upper one up."""
    if len(ys) < 2 or abs(ys[0] - ys[1]) >= LABEL_GAP:
        return [min(max(y, TOP + 4), LABEL_LOWEST) for y in ys]
    middle = min(max((ys[0] + ys[1]) / 2, TOP + 4 + LABEL_GAP / 2), LABEL_LOWEST - LABEL_GAP / 2)
    up = middle - LABEL_GAP / 2, middle + LABEL_GAP / 2
    return list(up) if ys[0] < ys[1] else [up[1], up[0]]


def scale_start(shares: list[Share]) -> int:
    """Where a scale of shares starts, in percent: the lowest interval end, down to the next five."""
    lowest = min((share.bounds[0] for share in shares if share.n), default=0.0)
    return max(0, min(95, 5 * math.floor(20 * lowest + 1e-9)))


def dot(share: Share, start: int, end: int = 100) -> Dot:
    """`start` and `end` of the scale in percent."""
    width = end - start

    def at(value: float) -> float:
        return 100 * (min(max(100 * value, start), end) - start) / width

    low, high = share.bounds
    text = f"{share.percent}, interval {share.interval}"
    return Dot(round(at(low), 1), round(at(high) - at(low), 1), round(at(share.value), 1), text)
