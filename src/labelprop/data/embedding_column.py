"""A table's column of embeddings, streamed into one float32 array: in memory, or in a file where it is large."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from labelprop.data.tables import Table
from labelprop.errors import DataError, StorageError

IN_MEMORY_BYTES = 256 * 2**20  # a larger array is mapped, so that a search index is the only copy in memory
_ROWS = 4096  # converted at once


@dataclass(frozen=True, slots=True, eq=False)
class EmbeddingColumn:
    """Lists of numbers of one length, not read yet."""

    table: Table
    name: str

    def read(self, folder: Path) -> np.ndarray:
        """float32 (n, D); missing rows and numbers are NaN. Never more than one copy is held in memory.

        Above `IN_MEMORY_BYTES` the array is memory-mapped from a nameless file in `folder`, which vanishes with it.
        Raises DataError naming the row whose length differs or which is no list of numbers, StorageError where the
        file cannot be written.
        """
        batches = self.table.stream(self.name)
        if batches is None:
            return _of_lists([_parsed(value) for value in self.table.values(self.name)], self.table, self.name)
        return _Filling(self, folder).fill(batches)


class _Filling:
    """Writes batches of lists one after the other into an array that is made when the first length is known."""

    def __init__(self, column: EmbeddingColumn, folder: Path) -> None:
        self._column, self._folder = column, folder
        self._row, self._dimensions = 0, 0
        self._array: np.ndarray | None = None
        self._file: IO[bytes] | None = None

    def fill(self, batches: Iterator[Any]) -> np.ndarray:
        try:
            for batch in batches:
                for start in range(0, len(batch), _ROWS):
                    self._add(batch.slice(start, _ROWS))
            return self._finished()
        finally:
            if self._file is not None:
                self._file.close()  # a mapping outlives its file

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
            flat = batch.flatten().to_numpy(zero_copy_only=False).reshape(-1, self._dimensions)
            self._put(flat, known)
        self._row += len(lengths)

    def _begin(self, dimensions: int) -> None:
        if not dimensions:
            raise _no_numbers(self._column)
        self._dimensions = dimensions
        shape = (self._column.table.n_rows, dimensions)
        if 4 * shape[0] * shape[1] <= IN_MEMORY_BYTES:
            self._array = np.full(shape, np.nan, np.float32)
            return
        with _storage(self._folder):
            self._folder.mkdir(parents=True, exist_ok=True)
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix="embeddings-")  # noqa: SIM115 - see fill
        for start in range(0, self._row, _ROWS):  # rows without a list that came before
            self._write(np.full((min(_ROWS, self._row - start), dimensions), np.nan, np.float32))

    def _put(self, flat: np.ndarray, known: np.ndarray) -> None:
        if self._array is not None:
            self._array[self._row : self._row + len(known)][known] = flat
            return
        block = np.full((len(known), self._dimensions), np.nan, np.float32)
        block[known] = flat
        self._write(block)

    def _write(self, block: np.ndarray) -> None:
        """By appending, not through the map, where a full disk would kill the process."""
        assert self._file is not None
        with _storage(self._folder):
            self._file.write(block.data)

    def _finished(self) -> np.ndarray:
        if self._array is not None:
            return self._array
        if self._file is None:
            raise _no_numbers(self._column)
        with _storage(self._folder):
            self._file.flush()
        return np.memmap(self._file, np.float32, "r", shape=(self._row, self._dimensions))


@contextmanager
def _storage(folder: Path) -> Iterator[None]:
    """Turns the operating system's refusal into an error with a remedy."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write a large embedding column into {folder}: {error.strerror or error}. Free some space, or "
            "choose another folder with --cache or $LABELPROP_CACHE."
        ) from error


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
