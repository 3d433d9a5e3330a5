"""A table's column of images, streamed into one `Spool` of bytes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from labelprop.core.errors import DataError
from labelprop.data.images.originals import EncodedImages
from labelprop.data.tables.spool import Spool
from labelprop.data.tables.table import Table


def read_images(table: Table, name: str, folder: Path) -> EncodedImages:
    """Paths, encoded images or structs of both; a large column of encoded images goes to `folder`.

    Paths are relative to the folder of the table. Raises DataError naming the column, and if possible the row, that
    holds neither; StorageError where the file cannot be written.
    """
    lengths = [np.zeros(0, np.int64)]
    elsewhere: dict[int, Path | None] = {}
    start = 0
    with Spool(folder) as spool:
        for batch in table.arrays(name, partial(_path, table, name)):
            encoded, paths = _parts(batch, table.row(start), name)
            if encoded.null_count:
                empty = np.flatnonzero(encoded.is_null().to_numpy(zero_copy_only=False))
                for row, path in zip(empty.tolist(), paths.take(empty).to_pylist(), strict=True):
                    elsewhere[start + row] = table.folder / path if path else None
            offsets, data = _buffers(encoded)
            spool.append(data)
            lengths.append(np.diff(offsets))
            start += len(batch)
        return EncodedImages(BinaryCells(spool.finished(), np.concatenate(lengths), elsewhere))


def _path(table: Table, name: str, value: Any, row: int) -> str | None:
    """A cell of a text file as a path."""
    if isinstance(value, dict) and value.get("path") and not value.get("bytes"):
        value = value["path"]
    if value is None or isinstance(value, str):
        return value
    raise DataError(f"{table.row(row)}: column '{name}' must hold paths of images, found {value!r:.60}.")


def _parts(batch: Any, where: str, name: str) -> tuple[Any, Any]:
    """Encoded images, null where there is none, and paths, null where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = batch.type
    if pa.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"}:
        return pc.struct_field(batch, "bytes"), pc.struct_field(batch, "path")
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return batch, pa.nulls(len(batch), pa.string())
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind):
        return pa.nulls(len(batch), pa.binary()), batch
    raise DataError(f"{where}: column '{name}' is {kind}; images are paths, bytes or a struct of bytes and path.")


class BinaryCells:
    """Cells of `lengths` bytes, one after the other in `data`; those `elsewhere` are a path, or None."""

    def __init__(self, data: np.ndarray, lengths: np.ndarray, elsewhere: Mapping[int, Path | None]) -> None:
        self._data = data.data
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        self._elsewhere = elsewhere

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, row: int) -> Path | memoryview | None:
        if row in self._elsewhere:
            return self._elsewhere[row]
        return self._data[int(self._offsets[row]) : int(self._offsets[row + 1])]


def _buffers(encoded: Any) -> tuple[np.ndarray, memoryview]:
    """Offsets (B + 1,) of a binary Arrow array, and the bytes between the first and the last; nulls have none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    filled = pc.fill_null(encoded, b"").cast(pa.large_binary())
    _, offsets, data = filled.buffers()
    offsets_B = np.frombuffer(offsets, np.int64)[filled.offset : filled.offset + len(filled) + 1]
    return offsets_B, memoryview(data or b"")[offsets_B[0] : offsets_B[-1]]
