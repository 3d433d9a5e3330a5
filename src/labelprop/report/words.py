"""Pieces of text: counts with their noun, names made safe to look at."""

from __future__ import annotations

import re
from collections.abc import Sequence

# Control characters, line separators and everything that turns the direction of text around.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def number(n: int) -> str:
    return f"{n:,}"


def by_class(counts: Sequence[int]) -> str:
    """ "3 to 5 in each of 10 classes"."""
    low, high = min(counts), max(counts)
    span = number(low) if low == high else f"{number(low)} to {number(high)}"
    return f"{span} in each of {number(len(counts))} classes" if len(counts) > 1 else f"{span} in one class"


def capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def listed(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def visible(name: str) -> str:
    """A name as it may be shown: control and direction characters written as escapes."""
    return _HIDDEN.sub(_escape, name)


def _escape(match: re.Match[str]) -> str:
    character = match.group()
    code_point = ord(character)
    return _SHORT.get(character) or (f"\\x{code_point:02x}" if code_point < 256 else f"\\u{code_point:04x}")


def brief(name: str, limit: int = 40) -> str:
    """`visible`, cut to `limit` characters; an empty name is shown as two quotes."""
    shown = visible(name)
    if not shown.strip():
        return f"“{shown}”"
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def excerpt(text: str, limit: int) -> str:
    """The first `limit` characters of a longer text, its white space collapsed."""
    return brief(" ".join(text.split()), limit)
