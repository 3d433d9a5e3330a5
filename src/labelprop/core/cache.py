"""A folder of results that are costly to make, each under a key that names its content.

The folder is `--cache`, else `$LABELPROP_CACHE`, else `~/.cache/labelprop`. It may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from labelprop.core.errors import StorageError

VARIABLE = "LABELPROP_CACHE"
_ABANDONED_SECONDS = 24 * 3600


def default_root() -> Path:
    """`$LABELPROP_CACHE`, else `~/.cache/labelprop`."""
    given = os.environ.get(VARIABLE)
    return Path(given) if given else Path.home() / ".cache" / "labelprop"


def content_key(*parts: object) -> str:
    """Forty hexadecimal digits that change when any part, or the order of the parts, changes."""
    hasher = hashlib.blake2b(digest_size=20)
    for part in parts:
        data = part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape")
        hasher.update(len(data).to_bytes(8, "little"))
        hasher.update(data)
    return hasher.hexdigest()


class Cache:
    """Files by key. A key is a file name; whoever chooses it puts a content hash into it."""

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
        """Let `writer` fill a temporary file, which then becomes the file of `key`.

        Readers see the whole file or none. Two processes may write one key at the same time: the later rename
        wins, and the contents are equal since the key names them.

        Raises StorageError where the folder or the file cannot be written.
        """
        final = self.path(key)
        temporary = final.with_name(f".{final.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            self._remove_abandoned(final)
            writer(temporary)
            with temporary.open("rb") as handle:
                os.fsync(handle.fileno())
            temporary.replace(final)
        except OSError as error:
            raise StorageError(
                f"cannot write the cache file {final}: {error.strerror or error}. Free some space, or choose "
                f"another folder with --cache or ${VARIABLE}."
            ) from error
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
        return final

    def _remove_abandoned(self, final: Path) -> None:
        """What a killed process left half-written would otherwise fill the disk."""
        oldest = time.time() - _ABANDONED_SECONDS
        for path in final.parent.glob(".*.*.*"):
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < oldest:
                    path.unlink()
