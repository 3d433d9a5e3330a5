"""Ids that occur more than once, with the rows that have them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from labelprop.core.text import counted, quoted

_SHOWN = 5


def place_of(row: int, lines: Sequence[int] | None) -> str:
    """How to point at a row: by its line, where it comes from a text file."""
    return f"row {row}" if lines is None else f"line {lines[row]}"


def repeated_ids(ids: Sequence[str], rows: Sequence[int], lines: Sequence[int] | None) -> tuple[list[str], str]:
    """The ids, and a phrase of how many they are and where the first stand; `rows` are theirs in the source."""
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    first: dict[str, list[str]] = {name: [] for name in repeated[:_SHOWN]}
    if first:
        for name, row in zip(ids, rows, strict=True):
            if name in first:
                first[name].append(place_of(int(row), lines))
    shown = ", ".join(f"'{name}' ({quoted(places, limit=2, mark='')})" for name, places in first.items())
    more = f" and {len(repeated) - _SHOWN:,} more" if len(repeated) > _SHOWN else ""
    return repeated, f"{counted(len(repeated), 'id')} more than once: {shown}{more}"
