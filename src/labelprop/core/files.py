"""Files that are written whole or not at all, and hashes of content."""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import math
import os
import re
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labelprop.core.errors import StorageError

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

REMEDIES = {
    errno.ENOSPC: "free some space, then run again with --resume",
    errno.EFBIG: "raise the limit on file sizes, then run again with --resume",
    errno.EDQUOT: "raise the quota or free some space, then run again with --resume",
    errno.EACCES: "make the folder writable or choose another --out",
    errno.EROFS: "choose an --out on a file system that can be written",
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


@contextmanager
def storage_errors(path: Path, remedy: str = "") -> Iterator[None]:
    """Turns the operating system's refusal to write into an error that says which file and what to do."""
    try:
        yield
    except OSError as error:
        usual = REMEDIES.get(error.errno or 0, "choose another --out or free the file, then run again")
        raise StorageError(f"cannot write {path}: {error.strerror or error}; {remedy or usual}.") from error


def check_writable(path: Path) -> None:
    """Raises StorageError where `path`, which does not exist yet, could not be made. Leaves nothing behind."""
    above = next(parent for parent in path.absolute().parents if parent.exists())
    with storage_errors(path), tempfile.TemporaryFile(dir=above):
        pass


def write_atomically(path: Path, write: Callable[[Path], object], *, remedy: str = "") -> None:
    """Calls `write` on a temporary neighbor of `path`, flushes it to disk and renames it over `path`.

    Readers see the whole file or none, also where two write it at the same time: the later one stays. Raises
    StorageError when it cannot be written; what was at `path` before is then still there.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.partial")
    with storage_errors(path, remedy):
        try:
            write(partial)
            partial.chmod(0o666 & ~_umask())  # some writers make files that only their owner can read
            flush(partial)
            os.replace(partial, path)
            flush(path.parent)
        finally:
            partial.unlink(missing_ok=True)


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def flush(path: Path) -> None:
    """fsync of a file or folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def printable(text: str, backslash: str = "\\") -> str:
    """`text` with the bytes of file names that are not UTF-8, which Python holds as lone surrogates, as \\xNN."""
    return _LONE_SURROGATE.sub(lambda found: f"{backslash}{_code(ord(found[0]))}", text)


def _code(surrogate: int) -> str:
    escaped = 0xDC80 <= surrogate <= 0xDCFF
    return f"x{surrogate - 0xDC00:02x}" if escaped else f"u{surrogate:04x}"


def write_text(path: Path, text: str) -> None:
    """Writes UTF-8; bytes of file names that are not UTF-8 as \\xNN."""
    write_atomically(path, lambda partial: partial.write_bytes(printable(text).encode()))


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Numbers and arrays of NumPy count as Python's; of settings `json_setting` makes what JSON can hold."""
    write_text(path, _json(value, indent=2) + "\n")


def json_line(value: Mapping[str, Any]) -> str:
    return _json(value) + "\n"


def _json(value: Mapping[str, Any], indent: int | None = None) -> str:
    text = json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False, default=_of_numpy)
    return printable(text, r"\\")


def _of_numpy(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be kept as JSON")


PYTHON_OBJECT = "python_object"
NOT_FINITE = ("inf", "-inf", "nan")  # texts, since JSON has no such numbers


def json_setting(value: Any) -> Any:
    """A setting, or several by name, as JSON holds them; `python_setting` reads them back.

    Infinity and NaN become text, arrays lists, NumPy's numbers Python's; of other objects the type is kept.
    """
    if isinstance(value, Mapping):
        return {str(name): json_setting(one) for name, one in value.items()}
    value = value.tolist() if hasattr(value, "tolist") else value
    if isinstance(value, list | tuple):
        return [json_setting(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, bool | int | float | str) else type_only(value)


def python_setting(kept: Any) -> Any:
    """What `json_setting` was given, where it can be told."""
    if isinstance(kept, dict):
        return {name: python_setting(one) for name, one in kept.items()}
    if isinstance(kept, list):
        return [python_setting(one) for one in kept]
    return float(kept) if isinstance(kept, str) and kept in NOT_FINITE else kept


def type_only(value: Any) -> dict[str, str]:
    """Of an object that JSON cannot hold its type."""
    return {PYTHON_OBJECT: f"{type(value).__module__}.{type(value).__qualname__}"}


def append_json(path: Path, value: Mapping[str, Any]) -> None:
    """Appends a line to a .jsonl file; a kill leaves at most a part of it."""
    with storage_errors(path), path.open("a", encoding="utf-8") as file:
        file.write(json_line(value))


def write_parquet(path: Path, table: pa.Table) -> None:
    import pyarrow.parquet as pq

    def write(partial: Path) -> None:
        with partial.open("wb") as file:  # pyarrow itself takes UTF-8 names only
            pq.write_table(table, file, compression="zstd")

    write_atomically(path, write)


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    def write(partial: Path) -> None:
        with partial.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([header, *rows])

    write_atomically(path, write)


def write_array(path: Path, array: np.ndarray) -> None:
    write_atomically(path, lambda partial: save_array(partial, array))


def save_array(path: Path, array: np.ndarray) -> None:
    """np.save to a file of just this name, whatever its ending."""
    import numpy as np

    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


Hashed = str | bytes | memoryview


class Digest:
    """A blake2b hash of all that was added, one after the other; text counts as UTF-8."""

    def __init__(self, *parts: Hashed, size: int = 20) -> None:
        self._hash = hashlib.blake2b(digest_size=size)
        for part in parts:
            self.add(part)

    def add(self, part: Hashed) -> None:
        self._hash.update(part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part)

    def add_sized(self, part: Hashed) -> None:
        """Adds a part after its length, so that "ab", "c" and "a", "bc" differ."""
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        self._hash.update(len(data).to_bytes(8, "little"))
        self._hash.update(data)

    def hex(self) -> str:
        return self._hash.hexdigest()


def content_key(*parts: object) -> str:
    """Forty hexadecimal digits that change when any part, or the order of the parts, changes."""
    digest = Digest()
    for part in parts:
        digest.add_sized(part if isinstance(part, bytes) else str(part).encode("utf-8", "surrogateescape"))
    return digest.hex()
