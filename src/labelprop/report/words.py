"""Pieces of text: counts with their noun, names made safe to look at, sentences as typed pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labelprop.core.text import counted

Kind = Literal["plain", "strong", "wrong", "code", "link"]

count = counted
_NUMERALS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
# Control characters, line separators and everything that turns the direction of text around.
_HIDDEN = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a sentence; the template turns the kind into an element and escapes the text."""

    text: str
    kind: Kind = "plain"
    target: str = ""  # of a link, a section of the page


Text = tuple[Piece, ...]


def strong(text: str) -> Piece:
    return Piece(text, "strong")


def wrong(text: str) -> Piece:
    return Piece(text, "wrong")


def code(text: str) -> Piece:
    return Piece(text, "code")


def link(text: str, target: str) -> Piece:
    return Piece(text, "link", target)


def sentence(*parts: str | Piece) -> Text:
    """Strings become plain pieces; empty ones vanish."""
    pieces = (part if isinstance(part, Piece) else Piece(part) for part in parts)
    return tuple(piece for piece in pieces if piece.text)


def plain(text: Text) -> str:
    return "".join(piece.text for piece in text)


def number(n: int) -> str:
    return f"{n:,}"


def none_or(n: int, none: str = "none") -> str:
    return number(n) if n else none


def numeral(n: int) -> str:
    """Words up to twelve, digits above."""
    return _NUMERALS[n] if n < len(_NUMERALS) else number(n)


def be(n: int) -> str:
    return "is" if n == 1 else "are"


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
