"""A table's column of embeddings, streamed into one float32 array: in memory, or in a file where it is large."""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labelprop.core.errors import DataError
from labelprop.core.text import counted
from labelprop.data.tables.spool import Spool
from labelprop.data.tables.table import BATCH_ROWS, Table


def read_embeddings(table: Table, name: str, folder: Path) -> np.ndarray:
    """float32 (n, D); missing rows and numbers are NaN. Never more than one copy is held in memory.

    A large array is memory-mapped from a nameless file in `folder`, which vanishes with it (see `Spool`).
    Raises DataError naming the row whose length differs or which is no list of numbers, StorageError where the
    file cannot be written.
    """
    n, dimensions = 0, 0

    def missing(rows: int) -> np.ndarray:
        return np.full((rows, dimensions), np.nan, np.float32)

    with Spool(folder) as spool:
        for batch in table.arrays(name, partial(_numbers, table, name)):
            lengths = _lengths(batch, table.row(n), name)
            known = lengths >= 0
            if not dimensions and known.any():
                dimensions = int(lengths[known][0])
                for start in range(0, n, BATCH_ROWS):  # rows without a list that came before
                    spool.append(missing(min(BATCH_ROWS, n - start)).data)
            wrong = np.flatnonzero(known & (lengths != dimensions))
            if len(wrong):
                row, length = table.row(n + int(wrong[0])), lengths[wrong[0]]
                raise DataError(
                    f"{row}: column '{name}' has {counted(length, 'number')} where the first row has {dimensions}; "
                    "all rows must have the same number."
                )
            block = missing(len(batch))
            if dimensions and known.any():
                block[known] = batch.flatten().to_numpy(zero_copy_only=False).reshape(-1, dimensions)
            spool.append(block.data)
            n += len(batch)
        if not dimensions:
            raise DataError(f"{table.where}: column '{name}' holds no numbers; it must hold a list of them a row.")
        return spool.finished().view(np.float32).reshape(n, dimensions)


def _lengths(batch: Any, where: str, name: str) -> np.ndarray:
    """The lengths of the lists, -1 for null."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = batch.type
    if pa.types.is_null(kind):  # a part without a list
        return np.full(len(batch), -1)
    is_list = pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    if not is_list or not (pa.types.is_integer(kind.value_type) or pa.types.is_floating(kind.value_type)):
        raise DataError(f"{where}: column '{name}' is {kind}; embeddings are lists of numbers.")
    lengths: np.ndarray = pc.fill_null(pc.list_value_length(batch), -1).to_numpy(zero_copy_only=False)
    return lengths


def _numbers(table: Table, name: str, value: Any, row: int) -> np.ndarray | None:
    """A cell of a text file as numbers: a list, also one that is written as text (in CSV)."""
    if isinstance(value, str):
        with suppress(json.JSONDecodeError):  # refused below
            value = json.loads(value) if value.strip() else None
    if value is None:
        return None
    if not isinstance(value, list):
        raise DataError(
            f"{table.row(row)}: column '{name}' must hold lists of numbers ([0.1, 0.2], one a cell), found "
            f"{value!r:.60}. Numbers in columns of their own are better kept as an (N, D) array, with the labels "
            "apart: .npy or .npz."
        )
    try:
        return np.array([np.nan if number is None else number for number in value], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"{table.row(row)}: column '{name}' holds something that is no number.") from error
