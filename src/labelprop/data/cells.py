"""From the columns of a table to images, vectors and ids."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
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


def embedding_array(table: Table, name: str) -> np.ndarray:
    """Lists of numbers of one length as float32 (n, D); missing rows and numbers become NaN.

    Raises DataError naming the row whose length differs or which is no list of numbers.
    """
    column = table.column(name)
    if isinstance(column, list) or not len(column):
        return _embedding_of_lists([_parsed(value) for value in column], table, name)
    import pyarrow as pa

    kind = column.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        raise DataError(f"{table.where}: column '{name}' is {kind}; embeddings are lists of numbers.")
    dimensions = next((int(lengths[lengths >= 0][0]) for _, lengths in _chunks(column) if (lengths >= 0).any()), 0)
    if not dimensions:
        raise DataError(f"{table.where}: column '{name}' holds no numbers.")
    row = 0
    result = np.full((len(column), dimensions), np.nan, np.float32)
    for chunk, lengths in _chunks(column):
        wrong = np.flatnonzero((lengths >= 0) & (lengths != dimensions))
        if len(wrong):
            raise _length_error(table, name, row + int(wrong[0]), int(lengths[wrong[0]]), dimensions)
        flat = chunk.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
        result[row : row + len(lengths)][lengths >= 0] = flat
        row += len(lengths)
    return result


def _chunks(column: Any) -> Iterator[tuple[Any, np.ndarray]]:
    """Each chunk with the lengths of its lists, -1 for null."""
    import pyarrow.compute as pc

    for chunk in column.chunks:
        yield chunk, pc.fill_null(pc.list_value_length(chunk), -1).to_numpy(zero_copy_only=False)


def _parsed(value: Any) -> Any:
    """A list written as text in a CSV cell, as a list."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except json.JSONDecodeError:
        return value


def _embedding_of_lists(rows: list[Any], table: Table, name: str) -> np.ndarray:
    known = next((row for row in rows if isinstance(row, list) and row), None)
    if known is None:
        raise DataError(f"{table.where}: column '{name}' holds no lists of numbers.")
    result = np.full((len(rows), len(known)), np.nan, np.float32)
    for index, row in enumerate(rows):
        if row is None:
            continue
        if not isinstance(row, list):
            raise DataError(f"{table.row(index)}: column '{name}' must hold lists of numbers, found {row!r:.60}.")
        if len(row) != len(known):
            raise _length_error(table, name, index, len(row), len(known))
        try:
            result[index] = [np.nan if value is None else value for value in row]
        except (TypeError, ValueError) as error:
            raise DataError(f"{table.row(index)}: column '{name}' holds something that is no number.") from error
    return result


def _length_error(table: Table, name: str, row: int, length: int, expected: int) -> DataError:
    return DataError(
        f"{table.row(row)}: column '{name}' has {length} numbers where the first row has {expected}; "
        "all rows must have the same number."
    )


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
