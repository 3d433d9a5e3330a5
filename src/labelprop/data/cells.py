"""From the columns of a table to images and ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from labelprop.data.tables import Table
from labelprop.data.values import plain_text
from labelprop.errors import DataError

Cell = Path | bytes | memoryview | None


class BinaryCells(Sequence[memoryview]):
    """The cells of a binary Arrow array, as views of its buffer."""

    def __init__(self, array: Any) -> None:
        _, offsets, data = array.buffers()
        self._data = memoryview(data) if data is not None else memoryview(b"")
        self._offsets = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> memoryview: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[memoryview]: ...
    def __getitem__(self, row: int | slice) -> memoryview | Sequence[memoryview]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
        return self._data[int(self._offsets[row]) : int(self._offsets[row + 1])]


def image_cells(table: Table, name: str) -> Sequence[Cell]:
    """Paths (made relative to the folder of the table) or encoded bytes; None where a cell is empty.

    Raises DataError where the column holds neither.
    """
    column = table.column(name)
    if isinstance(column, list):
        return [_image_cell(value, table, name, row) for row, value in enumerate(column)]
    return _arrow_image_cells(column, table, name)


def _image_cell(value: Any, table: Table, name: str, row: int) -> Cell:
    match value:
        case None | "":
            return None
        case str():
            return table.folder / value
        case {"path": str(path)} if path and not value.get("bytes"):
            return table.folder / path
        case _:
            raise DataError(f"{table.row(row)}: column '{name}' must hold paths of images, found {value!r:.60}.")


def _arrow_image_cells(column: Any, table: Table, name: str) -> Sequence[Cell]:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    if pa.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"}:
        paths, column = pc.struct_field(column, "path"), pc.struct_field(column, "bytes")
    elif pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        paths = None
    elif pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return [table.folder / path if path else None for path in column.to_pylist()]
    else:
        raise DataError(
            f"{table.where}: column '{name}' is {kind}; images are paths, bytes or a struct of bytes and path."
        )
    whole = pa.chunked_array(column).cast(pa.large_binary()).combine_chunks()
    cells = BinaryCells(whole)
    if not whole.null_count:
        return cells
    filled = whole.is_valid().to_pylist()
    texts = paths.to_pylist() if paths is not None else [None] * len(cells)
    return [
        cell if is_filled else (table.folder / text if text else None)
        for cell, is_filled, text in zip(cells, filled, texts, strict=True)
    ]


def ids_of(table: Table, name: str | None) -> list[str]:
    """Ids of the rows as text: the column `name`, else the column `id`, else row numbers from 0.

    Raises DataError naming the row without an id.
    """
    if name is None and "id" not in table.names:
        return [str(row) for row in range(table.n_rows)]
    texts = [plain_text(value) for value in table.values(name or "id")]
    for row, text in enumerate(texts):
        if not text:
            raise DataError(f"{table.row(row)}: column '{name or 'id'}' is empty; every row needs an id.")
    return [text for text in texts if text]
