"""Where names stand beside their dots."""

from __future__ import annotations

from collections.abc import Sequence
from unicodedata import east_asian_width

from labelprop.report.draw.axes import TOP

LINE = 13.0  # of text, pixels


def breadth(text: str) -> float:
    """About how wide the letters of a chart make a text: no font can be asked here, and readers have others."""
    return sum(
        13 if east_asian_width(c) in "WF" else 10.5 if c in "mwMW@%" else 4.5 if c in "iljtfI.,:;|!'" else 7.2
        for c in text
    )


def unstacked(ys: Sequence[float], spans: Sequence[tuple[float, float]], low: float = TOP) -> list[float]:
    """Heights near `ys` at which lines of text over `spans` keep clear of each other: from below, each goes up."""
    found = list(ys)
    placed: list[int] = []
    for i in sorted(range(len(ys)), key=lambda j: -ys[j]):
        near = sorted(
            (j for j in placed if spans[j][0] < spans[i][1] and spans[i][0] < spans[j][1]), key=lambda j: -found[j]
        )
        for j in near:
            if abs(found[j] - found[i]) < LINE:
                found[i] = found[j] - LINE
        found[i] = max(found[i], low)
        placed.append(i)
    return found
