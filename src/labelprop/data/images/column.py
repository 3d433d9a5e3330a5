"""A table's column of images, streamed into one run of bytes: in memory, or in a file where they are many."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from labelprop.core.errors import DataError
from labelprop.data.images.originals import EncodedImages
from labelprop.data.tables.read import Table
from labelprop.data.tables.spill import Spill

Cell = Path | memoryview | None


@dataclass(frozen=True, slots=True, eq=False)
class ImageColumn:
    """Paths, encoded images or structs of both, not read yet."""

    table: Table
    name: str

    def read(self, folder: Path) -> EncodedImages:
        """Paths are made relative to the folder of the table; a large column of encoded images goes to `folder`.

        Raises DataError naming the column, and if possible the row, that holds neither; StorageError where the file
        cannot be written.
        """
        batches = self.table.stream(self.name)
        if batches is None:
            return EncodedImages([self._listed(value, row) for row, value in enumerate(self.table.values(self.name))])
        return EncodedImages(self._filled(batches, folder))

    def _listed(self, value: Any, row: int) -> Path | None:
        match value:
            case None | "":
                return None
            case str():
                return self.table.folder / value
            case {"path": str(path)} if path and not value.get("bytes"):
                return self.table.folder / path
            case _:
                raise DataError(
                    f"{self.table.row(row)}: column '{self.name}' must hold paths of images, found {value!r:.60}."
                )

    def _filled(self, batches: Iterator[Any], folder: Path) -> BinaryCells:
        lengths = [np.zeros(0, np.int64)]
        elsewhere: dict[int, Path | None] = {}
        start = 0
        with Spill(folder, "a large column of images") as spill:
            for batch in batches:
                encoded, paths = self._parts(batch)
                if encoded.null_count:
                    empty = np.flatnonzero(encoded.is_null().to_numpy(zero_copy_only=False))
                    for row, path in zip(empty.tolist(), paths.take(empty).to_pylist(), strict=True):
                        elsewhere[start + row] = self.table.folder / path if path else None
                offsets, data = _buffers(encoded)
                spill.append(data)
                lengths.append(np.diff(offsets))
                start += len(batch)
            return BinaryCells(spill.finished(), np.concatenate(lengths), elsewhere)

    def _parts(self, batch: Any) -> tuple[Any, Any]:
        """Encoded images, null where there is none, and paths, null where there is none."""
        import pyarrow as pa
        import pyarrow.compute as pc

        kind = batch.type
        if pa.types.is_struct(kind) and {field.name for field in kind} >= {"bytes", "path"}:
            return pc.struct_field(batch, "bytes"), pc.struct_field(batch, "path")
        if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            return batch, pa.nulls(len(batch), pa.string())
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            return pa.nulls(len(batch), pa.binary()), batch
        raise DataError(
            f"{self.table.where}: column '{self.name}' is {kind}; images are paths, bytes or a struct of bytes and "
            "path."
        )


class BinaryCells(Sequence[Cell]):
    """Cells of `lengths` bytes, one after the other in `data`; those `elsewhere` are a path, or None."""

    def __init__(self, data: np.ndarray, lengths: np.ndarray, elsewhere: Mapping[int, Path | None]) -> None:
        self._data = data.data
        self._offsets = np.concatenate([[0], np.cumsum(lengths)])
        self._elsewhere = elsewhere

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, row: int) -> Cell: ...
    @overload
    def __getitem__(self, row: slice) -> Sequence[Cell]: ...
    def __getitem__(self, row: int | slice) -> Cell | Sequence[Cell]:
        if isinstance(row, slice):
            return [self[place] for place in range(*row.indices(len(self)))]
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
