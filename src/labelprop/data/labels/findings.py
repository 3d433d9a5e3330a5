"""What a check found, in words, with the ids it concerns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

_LISTED = 100  # ids a finding carries; the text has the whole count


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence about the data. `rows` are ids, at most the first 100; the text says how many there are."""

    severity: Literal["blocking", "warning", "note"]
    text: str
    rows: tuple[str, ...] = ()


def blocking(text: str, rows: Sequence[str] = ()) -> Finding:
    """The work cannot start before this is repaired."""
    return Finding("blocking", text, tuple(rows[:_LISTED]))


def warning(text: str, rows: Sequence[str] = ()) -> Finding:
    """The work can start, and may not give what is wanted."""
    return Finding("warning", text, tuple(rows[:_LISTED]))


def note(text: str, rows: Sequence[str] = ()) -> Finding:
    """Good to know."""
    return Finding("note", text, tuple(rows[:_LISTED]))
