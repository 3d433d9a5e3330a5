"""Images as they were given: encoded files or cells, or arrays of pixels."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from labelprop.core.files import Digest
from labelprop.core.row_cache import key_of
from labelprop.data.images.kinds import UnsupportedImageError, open_image, refuse_unsupported
from labelprop.data.images.pixels import Header, read_header
from labelprop.data.source import Originals

_DIGEST_BLOCK = 4_096  # rows: a mapped array is hashed without being held
_EMPTY = "the file is empty (0 bytes)"
_SETTLED_NS = 2 * 10**9  # since the last change: a file changed again within the clock's step has the same time


class ImageCells(Protocol):
    """Paths, the bytes of files, or None where there is nothing, by row; a list, for instance."""

    def __len__(self) -> int: ...

    def __getitem__(self, row: int, /) -> Path | str | bytes | memoryview | None: ...


class EncodedImages(Originals):
    """Image files."""

    def __init__(self, cells: ImageCells) -> None:
        self.cells = cells

    def __len__(self) -> int:
        return len(self.cells)

    def read(self, row: int) -> bytes | memoryview:
        """The encoded content.

        Raises OSError where a file cannot be read, ValueError where it is empty or of a kind that is not read.
        """
        cell = self.cells[row]
        match cell:
            case None:
                raise ValueError("the cell is empty")
            case Path() | str():
                refuse_unsupported(cell)
                with open(cell, "rb") as handle:
                    data: bytes | memoryview = handle.read()
            case _:
                data = cell
        if not len(data):
            raise ValueError(_EMPTY)
        return data

    def where(self, row: int) -> str:
        cell = self.cells[row]
        return f"'{cell}'" if isinstance(cell, Path | str) else super().where(row)

    def open(self, row: int) -> Image.Image:
        return open_image(self.read(row))

    def header(self, row: int) -> Header:
        cell = self.cells[row]
        if not isinstance(cell, Path | str):
            return super().header(row)
        refuse_unsupported(cell)
        with open(cell, "rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError(_EMPTY)
            return read_header(open_image(file))

    def keyed(self, row: int) -> tuple[bytes, Image.Image]:
        data = self.read(row)
        return key_of(data), open_image(data)

    def identity(self, row: int) -> bytes | None:
        """Of a file: of its path, size, time of change and place on the disk; none just after a change.

        It does not see what sets all of these back, nor a change on a disk whose clock stands still.
        """
        cell = self.cells[row]
        if not isinstance(cell, Path | str):
            return None
        try:
            found = os.stat(cell)
        except OSError:
            return None
        if time.time_ns() - found.st_mtime_ns < _SETTLED_NS:
            return None
        where = os.fsencode(os.path.abspath(cell))
        return key_of(b"%d %d %d %d %b" % (found.st_size, found.st_mtime_ns, found.st_dev, found.st_ino, where))

    def fingerprint(self, row: int) -> str:
        return Digest(self.read(row)).hex()

    def digest(self) -> str:
        digest = Digest()
        for row in range(len(self)):
            try:
                data = self.read(row)
            except UnsupportedImageError as error:
                data = str(error).encode()
            except (OSError, ValueError) as error:  # will be skipped; its absence is part of the content
                data = type(error).__name__.encode()
            digest.add_sized(data)
        return digest.hex()


class PixelArray(Originals):
    """Images as one uint8 array (n, h, w) or (n, h, w, c) with 1 (gray), 3 (RGB) or 4 (RGBA) channels."""

    def __init__(self, array: np.ndarray) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    @property
    def direct(self) -> bool:
        """Whether the pixels can be used as they are, without decoding."""
        return self.array.ndim == 3 or self.array.shape[3] in (1, 3)

    def channels_first(self) -> np.ndarray:
        """A view (n, c, h, w)."""
        return self.array[:, None] if self.array.ndim == 3 else np.moveaxis(self.array, 3, 1)

    def open(self, row: int) -> Image.Image:
        pixels = np.ascontiguousarray(self.array[row])
        return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)

    def fingerprint(self, row: int) -> str:
        return Digest(np.ascontiguousarray(self.array[row]).data).hex()

    def digest(self) -> str:
        digest = Digest(str(self.array.shape))
        for start in range(0, len(self), _DIGEST_BLOCK):
            digest.add(np.ascontiguousarray(self.array[start : start + _DIGEST_BLOCK]).data)
        return digest.hex()
