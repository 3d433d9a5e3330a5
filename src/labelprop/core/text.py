"""Numbers and names as people write them: counts, lists of names, durations, sizes, values of settings."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from labelprop.core.errors import RequestError

LONGEST_SHOWN = 60  # letters
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


def short_repr(value: object) -> str:
    """A value as an error shows it: its `repr`, or its type where that is long."""
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN and "\n" not in text else f"<{type(value).__name__}>"


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


def about(seconds: float) -> str:
    """As `duration`, which is a guess."""
    return f"{'about ' if seconds >= 1 else ''}{duration(seconds)}"


def a_second(pace: float) -> str:
    """`39 a second`, `0.4 a second`."""
    return f"{pace:,.0f} a second" if pace >= 2 else f"{pace:.1f} a second"


def whole_duration(seconds: float) -> str:
    """As a flag takes it, rounded up: `45s` (to 5 seconds), `4min`, `1.5h`."""
    if seconds <= 90:
        return f"{math.ceil(seconds / 5) * 5}s"
    return f"{math.ceil(seconds / 60)}min" if seconds <= 5400 else f"{math.ceil(seconds / 360) / 10:g}h"


def parse_duration(text: str | float, flag: str) -> float:
    """'90s', '10min', '1.5h' (a bare number is minutes) to seconds. Raises RequestError naming the flag."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+)\s*([a-z]*)\s*", str(text).lower())
    if not match or match[2] not in UNITS or float(match[1]) <= 0:
        raise RequestError(f"{flag} '{text}' is not a duration; write for example 90s, 10min or 1.5h.")
    return float(match[1]) * UNITS[match[2]]


def byte_size(n: float) -> str:
    """`512 B`, `3 kB`, `240 MB`, `3.4 GB`."""
    for unit in ("B", "kB", "MB"):
        if n < 1000:
            return f"{n:.0f} {unit}"
        n /= 1000
    return f"{n:.1f} GB"


def parse_value(what: str, text: str, default: Any) -> Any:
    """`text` as a value of the type of `default`; where that is None, a number if it looks like one.

    Raises RequestError naming `what`.
    """
    if isinstance(default, bool):
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if text.lower() not in known:
            raise RequestError(f"{what}={text} must be true or false.")
        return known[text.lower()]
    if default is None:
        if text.lower() == "none":
            return None
        kinds: tuple[type, ...] = (int, float, str)
    else:
        kinds = (int, float) if isinstance(default, float) else (type(default),)
    for kind in kinds:
        try:
            return kind(text)
        except ValueError:
            continue
    raise RequestError(f"{what}={text} must be a {'number' if float in kinds or int in kinds else 'text'}.")


def composed(text: str) -> str:
    """The text in Unicode's composed form, NFC: one name, whether its é is one letter or an e with an accent."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)
