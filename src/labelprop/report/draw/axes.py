"""The frame of a chart: ticks at round numbers, and the way from numbers to pixels."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from labelprop.report.gather.numbers import signed

LEFT, RIGHT, TOP, BOTTOM = 46, 330, 10, 178  # of the frame, in a drawing of 340 by 216 pixels


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


class Scale:
    """A range of numbers on a range of pixels; what lies outside is drawn at the end."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high, self._start, self._end = low, high, start, end

    def __call__(self, value: float) -> float:
        share = (min(max(value, self._low), self._high) - self._low) / (self._high - self._low)
        return self._start + (self._end - self._start) * share

    def ticks(self, values: Sequence[float], text: Callable[[float], str]) -> tuple[Tick, ...]:
        return tuple(Tick(self(value), text(value)) for value in values)


def nice_ticks(low: float, high: float, top: float | None = None) -> list[float]:
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


def whole_ticks(low: int, high: int) -> list[float]:
    """Ticks of counts: whole numbers from below `low` to above `high`."""
    ticks = nice_ticks(low, high)
    if ticks[1] - ticks[0] < 1:
        ticks = [float(k) for k in range(low, max(high, low + 1) + 1)]
    return ticks


def epoch_ticks(last: int) -> list[float]:
    """The first, the last and a few round epochs between."""
    if last <= 1:
        return [1]
    step = next(s for s in (k * 10**p for p in range(9) for k in (1, 2, 5)) if last / s <= 4.5)
    inner = [e for e in range(step, last, step) if e - 1 >= step / 2 and last - e >= step / 2]
    return [1, *inner, last]


def tick_text(ticks: list[float], text: Callable[[float], str] = signed) -> Callable[[float], str]:
    """Whole percent, where `text` writes percent, or as few decimals as the step between the ticks needs."""
    step = ticks[1] - ticks[0]
    if text(0.5).endswith("%"):
        share_digits = 0 if step >= 0.00999 else 1 if step >= 0.000999 else 2
        return lambda value: f"{100 * value:.{share_digits}f}%"
    digits = max(0, min(6, -math.floor(math.log10(step) + 1e-9)))
    return lambda value: signed(value if abs(value) > step / 2 else 0.0, digits)


def count_text(value: float) -> str:
    return f"{abs(round(value)):,}"
