"""Many columns of a table that hold one number each, streamed into one float32 array of vectors."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.core.text import counted, quoted
from labelprop.data.tables.spool import Spool
from labelprop.data.tables.table import NAMES_SHOWN, Table


def number_columns(names: Sequence[str], asked: str | Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """The columns that are asked for: names, or a text with `first:last` or a pattern such as `f*`; none twice.

    A range and a pattern leave out the columns that are `taken` for something else. Raises RequestError where there
    are none, and for a name that is taken.
    """
    if not isinstance(asked, str):
        for name in asked:
            _check(name, names)
            if name in taken:
                raise RequestError(f"column '{name}' in --embedding-cols holds ids, labels, the truth or the text.")
        return tuple(dict.fromkeys(asked))
    first, _, last = asked.partition(":")
    if asked in names:
        found = [asked]
    elif any(mark in asked for mark in "*?["):
        found = [name for name in names if fnmatchcase(name, asked)]
    else:
        for name in (first, last or first):
            _check(name, names)
        found = list(names[names.index(first) : names.index(last or first) + 1])
    found = [name for name in found if name not in taken]
    if not found:
        raise RequestError(
            f"--embedding-cols {asked} names no column. Give the first and the last (a:z) or a pattern ('f*'); the "
            f"columns are {quoted(names, NAMES_SHOWN, mark='')}."
        )
    return tuple(found)


def expected_columns(names: Sequence[str], expected: Sequence[str]) -> tuple[str, ...]:
    """The columns that a model was trained on, in its order. Raises RequestError naming those that are missing."""
    missing = [name for name in expected if name not in names]
    if missing:
        raise RequestError(
            f"the model takes {counted(len(expected), 'column')} by name, and these are missing: {quoted(missing)}. "
            f"The columns here are {quoted(names, limit=20)}. Rename them as they were in training, or give an "
            "array, which goes by position."
        )
    return tuple(expected)


def _check(name: str, names: Sequence[str]) -> None:
    if name not in names:
        raise UnknownNameError("column in --embedding-cols", name, names, NAMES_SHOWN)


def read_number_columns(table: Table, names: Sequence[str], folder: Path) -> np.ndarray:
    """float32 (n, D), D columns. Only a few thousand rows of them are held as cells.

    A large array is memory-mapped from a nameless file in `folder`, which vanishes with it (see `Spool`). Raises
    DataError naming row and column of a cell that is no number, StorageError where the file cannot be written.
    """
    n = 0
    with Spool(folder) as spool:
        for part in table.parts(names):
            block = np.empty((len(part[0]), len(names)), np.float32)
            for place, column in enumerate(part):
                with np.errstate(over="ignore"):  # too large for float32 is infinite, and refused with the row
                    block[:, place] = _numbers(column, table, names[place], n)
            spool.append(block.data)
            n += len(block)
        return spool.finished().view(np.float32).reshape(n, len(names))


def _numbers(column: Any, table: Table, name: str, start: int) -> np.ndarray:
    """The cells of a part of a column, whose first row is `start`."""
    import pyarrow as pa

    if not isinstance(column, list):
        kind = column.type
        is_number = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)
        if is_number and not column.null_count:
            numbers: np.ndarray = column.to_numpy(zero_copy_only=False)
            return numbers
        column = column.to_pylist()
    if None not in column:
        with suppress(TypeError, ValueError):
            return np.array(column, dtype=np.float64)
    row, cell = next((row, cell) for row, cell in enumerate(column) if not _is_number(cell))
    found = "is empty" if cell in (None, "") else f"must hold numbers, found {cell!r:.60}"
    remedy = (
        "Write 0.5 with a point."
        if isinstance(cell, str) and _is_number(cell.replace(",", "."))
        else "Correct the cell, remove the row, or leave this column out of --embedding-cols."
    )
    raise DataError(f"{table.row(start + row)}: column '{name}' {found}. {remedy}")


def _is_number(cell: Any) -> bool:
    try:
        np.array([cell], dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return cell is not None
