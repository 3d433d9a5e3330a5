"""Tables of a bench: mean and standard deviation of cells, as Markdown and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labelprop.core.files import write_text
from labelprop.core.run_folder import RunFolder


def spread(values: Iterable[float]) -> dict[str, float | int | None]:
    """Mean, standard deviation (n - 1; None for one value) and number of values."""
    found = list(values)
    return {
        "mean": statistics.mean(found),
        "std": statistics.stdev(found) if len(found) > 1 else None,
        "n": len(found),
    }


def shown(value: Mapping[str, Any] | None, digits: int = 2) -> str:
    """`84.60 ± 3.40` of a spread; a dash where there is none."""
    if value is None:
        return "-"
    std = "" if value["std"] is None else f" ± {value['std']:.{digits}f}"
    return f"{value['mean']:.{digits}f}{std}"


def percent(value: Mapping[str, Any] | None) -> str:
    """`84.6 ± 3.4` of a spread of shares; a dash where there is none."""
    return shown(value and {name: value[name] and 100 * value[name] for name in ("mean", "std")}, digits=1)


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its columns padded so that it reads as plain text too."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    padded = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |"
        for line in lines
    ]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([padded[0], rule, *padded[1:]]) + "\n"


def write_markdown(folder: RunFolder, text: str) -> None:
    """Writes table.md of a bench's folder."""
    write_text(folder.path / "table.md", text)
