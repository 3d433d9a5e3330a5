"""Numbers and names as people write them: counts, lists of names, durations, sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labelprop.core.errors import RequestError

UNITS = {"s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600, "": 60}  # a bare number is minutes


def counted(n: int, noun: str) -> str:
    """`1 row`, `2,000 rows`, `2 classes`."""
    ending = "" if n == 1 else "es" if noun.endswith("s") else "s"
    return f"{n:,} {noun}{ending}"


def quoted(texts: Iterable[object], limit: int = 5, mark: str = "'") -> str:
    """The first few texts in quotes, and how many more there are."""
    listed = list(texts)
    shown = ", ".join(f"{mark}{text}{mark}" for text in listed[:limit])
    return shown if len(listed) <= limit else f"{shown} and {len(listed) - limit:,} more"


def duration(seconds: float) -> str:
    """`under 1 s`, `8 s`, `3 min 20 s`, `2 h 05 min`."""
    if seconds < 1:
        return "under 1 s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def parse_duration(text: str | float, flag: str) -> float:
    """'90s', '10min', '1.5h' (a bare number is minutes) to seconds. Raises RequestError naming the flag."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", str(text).lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise RequestError(f"{flag} {text} is not a duration; write for example 90s, 10min or 1.5h.")
    return float(match[1]) * UNITS[match[2]]


def byte_size(n: float) -> str:
    """`512 B`, `3 kB`, `240 MB`, `3.4 GB`."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"
