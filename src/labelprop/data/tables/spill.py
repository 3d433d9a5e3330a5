"""Bytes that come one after the other and are then read anywhere: in memory, or in a file where they are many."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from labelprop.core.errors import StorageError

IN_MEMORY_BYTES = 256 * 2**20  # what is larger is mapped, so that memory need not hold it


class Spill:
    """What was appended, never more than once in memory.

    Above `IN_MEMORY_BYTES` it goes to a nameless file in `folder`, which vanishes with what maps it. Raises
    StorageError, with the remedy, where that file cannot be written. `what` is for that message.
    """

    def __init__(self, folder: Path, what: str) -> None:
        self._folder, self._what = folder, what
        self._held = bytearray()
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Spill:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()  # a mapping outlives its file

    def append(self, block: memoryview) -> None:
        """Contiguous bytes."""
        if self._file is None and len(self._held) + block.nbytes <= IN_MEMORY_BYTES:
            self._held += block
            return
        with self._storage():
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
        with self._storage():
            self._file.flush()
        return np.memmap(self._file, np.uint8, "r")

    @contextmanager
    def _storage(self) -> Iterator[None]:
        """Turns the operating system's refusal into an error with a remedy."""
        try:
            yield
        except OSError as error:
            raise StorageError(
                f"cannot write {self._what} into {self._folder}: {error.strerror or error}. Free some space, or "
                "choose another folder with --cache or $LABELPROP_CACHE."
            ) from error
