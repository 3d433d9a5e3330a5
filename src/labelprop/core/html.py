"""A result as a notebook shows it: a title, sentences, a small table, a link. All text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

# Colors are the notebook's, light or dark.
BOX = "border:1px solid rgba(128,128,128,.4);border-radius:4px;padding:8px 12px;margin:4px 0;width:fit-content;"
TABLE = "border-collapse:collapse;margin:6px 0;font-size:inherit;color:inherit"
LINK = "color:inherit;text-decoration:underline"
CELL = "text-align:left;padding:2px 12px 2px 0;border:0;background:none;"
HEAD = f"{CELL}font-weight:600;border-bottom:1px solid rgba(128,128,128,.4);"


def box(title: str, *parts: str) -> str:
    """`parts` are HTML, from the functions below."""
    inside = "".join(parts)
    return f'<div style="{BOX}max-width:60em"><div style="font-weight:600">{escape(title)}</div>{inside}</div>'


def sentence(text: str) -> str:
    return f'<div style="margin:4px 0">{escape(text)}</div>'


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """Cells as text: fractions with three places, nothing for None."""
    head = "".join(f'<th style="{HEAD}">{escape(name)}</th>' for name in header)
    body = "".join(
        "<tr>" + "".join(f'<td style="{CELL}">{_cell(cell)}</td>' for cell in row) + "</tr>" for row in rows
    )
    return f'<table style="{TABLE}"><tr>{head}</tr>{body}</table>'


def link(text: str, address: str) -> str:
    return f'<a style="{LINK}" href="{escape(address)}" target="_blank">{escape(text)}</a>'


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else escape(str(value))
