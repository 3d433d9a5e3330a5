"""A folder of results that are costly to make, each under a key that names its content.

The folder is `--cache`, else `$LABELPROP_CACHE`, else `~/.cache/labelprop`. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

from labelprop.core.files import storage_errors, write_atomically

VARIABLE = "LABELPROP_CACHE"
REMEDY = f"free some space, or choose another folder with --cache or ${VARIABLE}"
_ABANDONED_SECONDS = 24 * 3600  # no writer takes a day: what is older was left by a killed one


def default_root() -> Path:
    """`$LABELPROP_CACHE`, else `~/.cache/labelprop`."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "labelprop"


class Cache:
    """Files by key. A key is a file name that holds a content hash."""

    def __init__(self, root: str | os.PathLike[str] | None = None) -> None:
        self.root = Path(root) if root is not None else default_root()

    def path(self, key: str) -> Path:
        """Where the file of `key` is, or will be."""
        return self.root / key

    def build(self, key: str, writer: Callable[[Path], object]) -> Path:
        """The file of `key`, written by `writer` where it is missing."""
        final = self.path(key)
        return final if final.exists() else self.write(key, writer)

    def write(self, key: str, writer: Callable[[Path], object]) -> Path:
        """The file of `key`, written anew. Two processes may do so at once: their contents are equal.

        Raises StorageError where the folder or the file cannot be written.
        """
        final = self.path(key)
        with storage_errors(final, REMEDY):
            final.parent.mkdir(parents=True, exist_ok=True)
        self._remove_abandoned(final)
        write_atomically(final, writer, remedy=REMEDY)
        return final

    def _remove_abandoned(self, final: Path) -> None:
        """Removes files that a killed process left half-written."""
        oldest = time.time() - _ABANDONED_SECONDS
        for path in final.parent.glob(".*.*.*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
