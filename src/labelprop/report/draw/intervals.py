"""Shares with their intervals on a horizontal scale."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from labelprop.report.gather.numbers import Share


@dataclass(frozen=True, slots=True)
class Dot:
    """A share with its interval, in percent of the width of the scale."""

    left: float
    width: float
    at: float
    text: str


def scale_start(shares: Iterable[Share]) -> int:
    """Where a scale of shares starts, in percent: the lowest interval end, down to the next five."""
    lowest = min((share.bounds[0] for share in shares if share.n), default=0.0)
    return max(0, min(95, 5 * math.floor(20 * lowest + 1e-9)))


def dot(share: Share, start: int, end: int = 100) -> Dot:
    """`start` and `end` of the scale in percent."""

    def at(value: float) -> float:
        return 100 * (min(max(100 * value, start), end) - start) / (end - start)

    low, high = share.bounds
    text = f"{share.percent}, interval {share.interval}"
    return Dot(round(at(low), 1), round(at(high) - at(low), 1), round(at(share.value), 1), text)
