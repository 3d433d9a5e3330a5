"""A table's column of embeddings, streamed into one float32 array: in memory, or in a file where it is large."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from labelprop.core.errors import DataError
from labelprop.data.tables.read import Table
from labelprop.data.tables.spill import Spill

_ROWS = 4096  # converted at once


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingColumn:
    """Lists of numbers of one length, not read yet."""

    table: Table
    name: str

    def read(self, folder: Path) -> np.ndarray:
        """float32 (n, D); missing rows and numbers are NaN. Never more than one copy is held in memory.

        A large array is memory-mapped from a nameless file in `folder`, which vanishes with it (see `Spill`).
        Raises DataError naming the row whose length differs or which is no list of numbers, StorageError where the
        file cannot be written.
        """
        batches = self.table.stream(self.name)
        if batches is None:
            return _of_lists([_parsed(value) for value in self.table.values(self.name)], self.table, self.name)
        with Spill(folder, "a large embedding column") as spill:
            filling = _Filling(self, spill)
            for batch in batches:
                filling.add(batch)
            return filling.finished()


class _Filling:
    """Writes batches of lists one after the other, once the first length is known."""

    def __init__(self, column: EmbeddingColumn, spill: Spill) -> None:
        self._column, self._spill = column, spill
        self._row, self._dimensions = 0, 0

    def add(self, batch: Any) -> None:
        for start in range(0, len(batch), _ROWS):
            self._add(batch.slice(start, _ROWS))

    def _add(self, batch: Any) -> None:
        _check_lists(batch, self._column)
        lengths = _lengths(batch)
        known = lengths >= 0
        if not self._dimensions and known.any():
            self._begin(int(lengths[known][0]))
        if self._dimensions:
            table, name = self._column.table, self._column.name
            wrong = np.flatnonzero(known & (lengths != self._dimensions))
            if len(wrong):
                raise _length_error(table, name, self._row + int(wrong[0]), int(lengths[wrong[0]]), self._dimensions)
            block = self._missing(len(batch))
            block[known] = batch.flatten().to_numpy(zero_copy_only=False).reshape(-1, self._dimensions)
            self._spill.append(block.data)
        self._row += len(lengths)

    def _begin(self, dimensions: int) -> None:
        if not dimensions:
            raise _no_numbers(self._column)
        self._dimensions = dimensions
        for start in range(0, self._row, _ROWS):  # rows without a list that came before
            self._spill.append(self._missing(min(_ROWS, self._row - start)).data)

    def _missing(self, n: int) -> np.ndarray:
        return np.full((n, self._dimensions), np.nan, np.float32)

    def finished(self) -> np.ndarray:
        if not self._dimensions:
            raise _no_numbers(self._column)
        return self._spill.finished().view(np.float32).reshape(self._row, self._dimensions)


def _check_lists(batch: Any, column: EmbeddingColumn) -> None:
    import pyarrow as pa

    kind = batch.type
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        raise DataError(f"{column.table.where}: column '{column.name}' is {kind}; embeddings are lists of numbers.")


def _lengths(batch: Any) -> np.ndarray:
    """The lengths of the lists, -1 for null."""
    import pyarrow.compute as pc

    lengths: np.ndarray = pc.fill_null(pc.list_value_length(batch), -1).to_numpy(zero_copy_only=False)
    return lengths


def _no_numbers(column: EmbeddingColumn) -> DataError:
    return DataError(f"{column.table.where}: column '{column.name}' holds no numbers.")


def _parsed(value: Any) -> Any:
    """A list written as text in a CSV cell, as a list."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value.strip() else None
    except json.JSONDecodeError:
        return value


def _of_lists(rows: list[Any], table: Table, name: str) -> np.ndarray:
    known = next((row for row in rows if isinstance(row, list) and row), None)
    if known is None:
        raise DataError(
            f"{table.where}: column '{name}' holds no lists of numbers ([0.1, 0.2], one a cell). "
            "Numbers in columns of their own are better kept as an (N, D) array, with the labels apart: .npy or .npz."
        )
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
