"""Rows of text files, one after the other: cells that a mark parts, and an object of JSON a line."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from labelprop.core.errors import DataError
from labelprop.core.text import counted, quoted
from labelprop.data.tables.table import NAMES_SHOWN

_LONGEST_CELL = 64 * 2**20  # letters: an embedding as text passes csv's own limit of 131,072


def delimited_rows(handle: TextIO, path: Path, usual: str) -> Iterator[tuple[list[str], int]]:
    """Cells of each line that has any, as many as the first has, and its number.

    Empty cells alone, as a spreadsheet writes them below its last row, end a table and are no row of it.
    """
    empty: list[tuple[list[str], int]] = []
    n_cells = 0
    before = csv.field_size_limit(_LONGEST_CELL)
    try:
        first = handle.readline()
        delimiter = _delimiter(first, usual)
        handle.seek(0)
        reader = csv.reader(handle, delimiter=delimiter, strict=True)
        for row in reader:
            if not row:
                continue
            if len(row) > 1 and not any(cell.strip() for cell in row):
                empty.append((row, reader.line_num))
                continue
            for cells, line in (*empty, (row, reader.line_num)):
                n_cells = n_cells or len(cells)
                if len(cells) != n_cells:
                    names = [name.strip() for name in next(csv.reader([first], delimiter=delimiter))]
                    raise DataError(
                        f"{path}, line {line}: {counted(len(cells), 'cell')} where the first line has {n_cells} "
                        f"({quoted(names, NAMES_SHOWN, mark='')}). Put cells that contain '{delimiter}' in quotes."
                    )
                yield cells, line
            empty.clear()
    except csv.Error as error:
        raise DataError(
            f"{path}, line {reader.line_num}: {error}. Put a cell with quotes in it in quotes."
        ) from error
    finally:
        csv.field_size_limit(before)


def _delimiter(first_line: str, usual: str) -> str:
    """The usual one, unless the first line holds only another: spreadsheets write ";" in some countries."""
    there = [mark for mark in (usual, ";", "\t") if mark in first_line]  # none: a table of one column
    return there[0] if there else usual


def json_records(handle: TextIO, path: Path) -> Iterator[tuple[dict[str, Any], int]]:
    """The object of each line that is not empty, and its number."""
    for number, line in enumerate(handle, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON ({error.msg}). Each line is one object.") from error
        if not isinstance(record, dict):
            raise DataError(f"{path}, line {number}: not a JSON object. Each line is one object.")
        yield record, number
