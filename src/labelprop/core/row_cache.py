"""Rows of numbers under the hash of what they were made of, so that what was made once is not made again.

    ROOT / rows / NAME / *.npy      uint8 (n, KEY + bytes of a row): each key with its row behind it

A file is written whole or not at all, and never changed: several processes may add at once, and one that is killed
loses only what it has not added yet. Any file may be deleted at any time. All of them together have a limit; above
it those go first that were used longest ago.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from labelprop.core.cache import Cache
from labelprop.core.files import Hashed, content_key, save_array

KEY = 16  # bytes
FOLDER = "rows"
SMALL, MOST_SMALL = 2048, 64  # rows of a small file, and how many of them are left apart: to open each takes time
LIMIT_BYTES = 8 * 2**30  # a million and a half vectors of 1,280 numbers


def key_of(content: Hashed) -> bytes:
    """The key of what was made of `content`. SHA-256, which processors have an instruction for."""
    data = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    return hashlib.sha256(data).digest()[:KEY]


class RowCache:
    """Rows of one length and `dtype` under keys of 16 bytes."""

    def __init__(self, cache: Cache, name: str, dtype: type[np.generic] = np.float32) -> None:
        self._cache, self._name, self._dtype = cache, name, dtype
        self._open_all()

    def _open_all(self) -> None:
        self._files: list[tuple[Path, np.ndarray]] = []
        self._places: dict[bytes, tuple[int, int]] = {}
        for path in sorted(self._cache.path(f"{FOLDER}/{self._name}").glob("*.npy")):
            self._open(path)

    def _open(self, path: Path) -> None:
        with contextlib.suppress(OSError, ValueError, EOFError):  # deleted meanwhile, or damaged: as if it were not
            stored = np.load(path, mmap_mode="r")
            if stored.dtype != np.uint8 or stored.ndim != 2 or stored.shape[1] <= KEY:
                return
            keys = np.ascontiguousarray(stored[:, :KEY])
            self._places |= {key.tobytes(): (len(self._files), row) for row, key in enumerate(keys)}
            self._files.append((path, stored))

    def __contains__(self, key: object) -> bool:
        return key in self._places

    def find(self, keys: Sequence[bytes | None]) -> tuple[np.ndarray, np.ndarray]:
        """Which of `keys` are there, (M,) places, and their rows (M, length)."""
        wanted = defaultdict(list)
        for place, key in enumerate(keys):
            if key is not None and key in self._places:
                number, row = self._places[key]
                wanted[number].append((place, row))
        places, parts = [np.zeros(0, np.int64)], []
        for number, found in sorted(wanted.items()):
            path, stored = self._files[number]
            here, rows = np.array(found, np.int64).T
            places.append(here)
            parts.append(np.ascontiguousarray(stored[rows, KEY:]).view(self._dtype))
            with contextlib.suppress(OSError):
                os.utime(path)  # of the last use
        return np.concatenate(places), np.concatenate(parts) if parts else np.zeros((0, 0), self._dtype)

    def add(self, keys: Sequence[bytes], rows: np.ndarray) -> None:
        """Keeps rows (M, length). Raises StorageError where the cache cannot be written."""
        if not len(keys):
            return
        stored = np.frombuffer(b"".join(keys), np.uint8).reshape(len(keys), KEY)
        values = np.ascontiguousarray(rows, self._dtype).view(np.uint8).reshape(len(keys), -1)
        self._open(self._write(np.concatenate([stored, values], axis=1)))
        small = [(path, stored) for path, stored in self._files if len(stored) < SMALL]
        if len(small) > MOST_SMALL:
            self._write(np.concatenate([stored for _, stored in small]))
            for path, _ in small:
                path.unlink(missing_ok=True)
            self._open_all()
        _trim(self._cache.path(FOLDER))

    def _write(self, stored: np.ndarray) -> Path:
        name = f"{FOLDER}/{self._name}/{content_key(stored.tobytes())}.npy"
        return self._cache.write(name, lambda path: save_array(path, stored))


def _trim(folder: Path) -> None:
    """Deletes the files that were used longest ago, until all fit below the limit."""
    files = []
    for path in folder.glob("*/*.npy"):
        with contextlib.suppress(OSError):
            status = path.stat()
            files.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files, key=lambda file: file[0]):
        if total <= LIMIT_BYTES:
            return
        with contextlib.suppress(OSError):
            path.unlink()
        total -= size
