"""What is left out of DATA: which files and rows, why, and how that is said."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from labelprop.core.text import counted, quoted
from labelprop.data.images.kinds import is_image_name

Kind = Literal[
    "unreadable", "other", "run", "system"
]  # of an example; no example; of our runs; hidden or of the system
_WHY: dict[Kind, str] = {
    "unreadable": "cannot be read",
    "other": "not read as examples",
    "run": "in a labelprop run",
    "system": "hidden or of the system",
}


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file or row that was left out, and why.

    `row` is that of the source, None for a file that never was one. A folder that is skipped as a whole ends with
    `/` and stands for `n_files`. `label` is the one that DATA give it.
    """

    id: str
    reason: str
    row: int | None = None
    kind: Kind = "unreadable"
    n_files: int = 1
    label: str | None = None


def by_reason(skipped: Iterable[Skipped], done: str = "skipped") -> Iterator[tuple[Kind, str, list[str]]]:
    """Kind, sentence and ids of each group of one reason: how many, what was `done` with them, why, first names."""
    groups = defaultdict(list)
    for skip in skipped:
        groups[skip.kind, skip.reason].append(skip)
    for (kind, reason), group in groups.items():
        ids = [skip.id for skip in group]
        n = counted(sum(skip.n_files for skip in group), _noun(group))
        cannot = "cannot be read, " if kind == "unreadable" else ""
        yield kind, f"{n} {cannot}{done} ({reason}): {quoted(ids)}", ids


def _noun(group: list[Skipped]) -> str:
    """`.heic file` where all have that ending, else `file`; `row` in a table without names of files."""
    suffixes = {PurePosixPath(skip.id).suffix.lower() for skip in group}
    if len(suffixes) == 1 and is_image_name(group[0].id):
        return f"{suffixes.pop()} file"
    named = all(skip.row is None or is_image_name(skip.id) for skip in group)
    return "file" if named else "row"


def account(noun: str, used: Mapping[str, int], skipped: Iterable[Skipped], n_refused: int) -> str:
    """`19 files: 9 used (8 examples, 1 of labels), 10 skipped (9 cannot be read, 1 in a labelprop run), 0 refused`.

    What was used is told apart where there is more than the first kind of it.
    """
    counts = dict.fromkeys(_WHY, 0)
    for skip in skipped:
        counts[skip.kind] += skip.n_files
    n_used, n_skipped = sum(used.values()), sum(counts.values())
    which = _parts(used) if any([*used.values()][1:]) else ""
    why = _parts({_WHY[kind]: n for kind, n in counts.items()})
    n = counted(n_used + n_skipped + n_refused, noun)
    return f"{n}: {n_used:,} used{which}, {n_skipped:,} skipped{why}, {n_refused:,} refused"


def _parts(counts: Mapping[str, int]) -> str:
    parts = [f"{n:,} {what}" for what, n in counts.items() if n]
    return f" ({', '.join(parts)})" if parts else ""
