"""A log-log chart as SVG, and the slope of a line through its points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

WIDTH, HEIGHT, MARGIN = 560, 380, 60
COLORS = ("#1f5aa6", "#b3541e", "#2d7d46", "#7a3f9d", "#555555")

Points = Sequence[tuple[float, float]]


def slope(points: Points) -> float:
    """Of the least-squares line through log y against log x."""
    x, y = np.log(np.array(points)).T
    return float(np.polyfit(x, y, 1)[0])


def write_log_log(path: Path, title: str, x_label: str, y_label: str, lines: Mapping[str, Points]) -> None:
    """One line a name; ticks at powers of ten and their 2nd and 5th multiples; the slope stands in the legend."""
    xs = [x for points in lines.values() for x, _ in points]
    ys = [y for points in lines.values() for _, y in points]
    across, up = _Scale(min(xs), max(xs), MARGIN, WIDTH - 20), _Scale(min(ys), max(ys), HEIGHT - MARGIN, 40)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" '
        f'font-size="12"><rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{MARGIN}" y="20" font-size="14" font-weight="bold">{title}</text>',
        f'<text x="{(WIDTH + MARGIN) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{x_label}</text>',
        f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{y_label}</text>',
    ]
    for value in across.ticks():
        x = across(value)
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="40" y2="{HEIGHT - MARGIN}" stroke="#ddd"/>')
        parts.append(f'<text x="{x:.1f}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{_short(value)}</text>')
    for value in up.ticks():
        y = up(value)
        parts.append(f'<line x1="{MARGIN}" x2="{WIDTH - 20}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{MARGIN - 6}" y="{y + 4:.1f}" text-anchor="end">{_short(value)}</text>')
    for place, (name, points) in enumerate(lines.items()):
        color = COLORS[place % len(COLORS)]
        path_points = " ".join(f"{across(x):.1f},{up(y):.1f}" for x, y in points)
        parts.append(f'<polyline points="{path_points}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts += [f'<circle cx="{across(x):.1f}" cy="{up(y):.1f}" r="3" fill="{color}"/>' for x, y in points]
        text = f"{name}, slope {slope(points):.2f}"
        parts.append(f'<text x="{MARGIN + 12}" y="{56 + 16 * place}" fill="{color}">{text}</text>')
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


class _Scale:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._high = math.log10(low / 1.25), math.log10(high * 1.25)
        self._start, self._end = start, end

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self._low) / (self._high - self._low)
        return self._start + share * (self._end - self._start)

    def ticks(self) -> list[float]:
        decades = range(math.floor(self._low), math.ceil(self._high) + 1)
        values = [multiple * 10.0**decade for decade in decades for multiple in (1, 2, 5)]
        return [value for value in values if self._low <= math.log10(value) <= self._high]


def _short(value: float) -> str:
    for size, unit in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{unit}"
    return f"{value:g}"
