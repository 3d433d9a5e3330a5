"""A buffer that bytes are appended to: in memory, or in a mapped file once it is large."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import IO

import numpy as np

from labelprop.core.cache import REMEDY
from labelprop.core.files import storage_errors

IN_MEMORY_BYTES = 256 * 2**20  # what is larger is mapped, so that memory need not hold it


class Spool:
    """Collects appended bytes, never more than once in memory.

    Above `IN_MEMORY_BYTES` it goes to a nameless file in `folder`, which vanishes with what maps it. Raises
    StorageError, with the remedy, where that file cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # a mapping outlives its file

    def append(self, block: memoryview) -> None:
        """Contiguous bytes."""
        if self._file is None and len(self._held) + block.nbytes <= IN_MEMORY_BYTES:
            self._held += block
            return
        with storage_errors(self._folder, REMEDY):
            if self._file is None:
                self._folder.mkdir(parents=True, exist_ok=True)
                self._file = tempfile.TemporaryFile(dir=self._folder, prefix="column-")  # noqa: SIM115 - see __exit__
                self._file.write(self._held)
                self._held = bytearray()
            # By appending, not through the map, where a full disk would kill the process.
            self._file.write(block)

    def finished(self) -> np.ndarray:
        """All of it, uint8 (n,)."""
        if self._file is None:
            return np.frombuffer(self._held, np.uint8)
        with storage_errors(self._folder, REMEDY):
            self._file.flush()
        return np.memmap(self._file, np.uint8, "r")
