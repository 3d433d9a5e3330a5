"""Tables of text files: cells stay as they are written, no type is inferred."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from labelprop.core.errors import DataError
from labelprop.data.tables.decoding import first_reading, show_bad_bytes, shown
from labelprop.data.tables.table import Table, rows_at_once
from labelprop.data.tables.text_rows import delimited_rows, json_records

Chosen = Callable[[tuple[str, ...]], Collection[str]]  # some of the names of columns


def read_delimited(path: Path, usual: str, encoding: str | None, streamed: Chosen) -> Table:
    """Bytes that are not UTF-8 appear as \\xNN, as in ids of files. Columns that are `streamed` are not held."""

    def read(handle: TextIO) -> tuple[tuple[str, ...], dict[str, list[Any]], list[int]]:
        rows = delimited_rows(handle, path, usual)
        names = _names(next(rows, None), path)
        not_held = set(streamed(names))
        kept: dict[str, list[Any]] = {name: [] for name in names if name not in not_held}
        held = [(kept[name].append, place) for place, name in enumerate(names) if name in kept]
        lines = []
        for cells, line in rows:
            lines.append(line)
            for append, place in held:
                append(cells[place])
        return names, kept, lines

    (names, kept, lines), file = first_reading(path, encoding, read)
    undecoded = show_bad_bytes(kept) if file.tolerant else {}

    def stream(wanted: Sequence[str]) -> Iterator[list[Any]]:
        if all(name in kept for name in wanted):
            yield from _slices([kept[name] for name in wanted])
            return
        places = [names.index(name) for name in wanted]
        with file.open() as handle:
            rows = delimited_rows(handle, path, usual)
            next(rows)
            while block := [cells for cells, _ in islice(rows, rows_at_once(len(names)))]:
                yield [[cells[place] for cells in block] for place in places]

    def load(name: str) -> list[Any]:
        return kept[name] if name in kept else [value for (part,) in stream([name]) for value in part]

    return Table(str(path), path.parent, names, len(lines), load, stream, {}, lines, undecoded)


def _names(first: tuple[list[str], int] | None, path: Path) -> tuple[str, ...]:
    if first is None:
        raise DataError(f"{path} is empty; its first line must name the columns.")
    return tuple(shown(name.strip()) for name in first[0])


def read_json_lines(path: Path, encoding: str | None) -> Table:
    """An object a line; a name that an object lacks is None there."""
    found, file = first_reading(path, encoding, lambda handle: list(json_records(handle, path)))
    names = tuple(dict.fromkeys(name for record, _ in found for name in record))
    columns = {name: [record.get(name) for record, _ in found] for name in names}
    lines = [line for _, line in found]
    undecoded = show_bad_bytes(columns) if file.tolerant else {}

    def stream(wanted: Sequence[str]) -> Iterator[list[Any]]:
        return _slices([columns[name] for name in wanted])

    return Table(str(path), path.parent, names, len(lines), columns.__getitem__, stream, {}, lines, undecoded)


def _slices(columns: Sequence[list[Any]]) -> Iterator[list[Any]]:
    rows = rows_at_once(len(columns))
    for start in range(0, len(columns[0]), rows):
        yield [column[start : start + rows] for column in columns]
