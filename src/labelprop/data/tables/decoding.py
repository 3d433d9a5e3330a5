"""Text files opened by the encoding that their mark, the request or their content says; `.gz` is unpacked."""

from __future__ import annotations

import codecs
import difflib
import gzip
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from encodings.aliases import aliases
from pathlib import Path
from typing import Any, BinaryIO, TextIO, TypeVar, cast

from labelprop.core.errors import DataError, RequestError
from labelprop.data.tables.kinds import PACKED

T = TypeVar("T")
# At the beginning of a file; the longer marks first, since one begins like another.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_USUAL = "utf-8, utf-16, cp1252 (Windows in the West), latin-1, mac-roman, shift-jis, gb18030"
_BAD_BYTE = re.compile("[\udc80-\udcff]")  # as `surrogateescape` writes one


def check_encoding(name: str) -> str:
    """The name of an encoding of text. Raises RequestError, with the nearest, for one that Python does not know."""
    try:
        "".encode(name)  # refuses codecs that are not of text, as base64
    except (LookupError, ValueError) as error:
        asked = name.lower().replace("-", "_")
        known = (sorted(set(aliases.values())), sorted(aliases))
        near = [name for names in known for name in difflib.get_close_matches(asked, names, n=1)]
        hint = f"; did you mean '{near[0].replace('_', '-')}'?" if near else "."
        raise RequestError(
            f"--encoding '{name}' is no encoding that Python knows{hint} Usual are {_USUAL}."
        ) from error
    return name


@dataclass(frozen=True, slots=True)
class TextFile:
    """A text file and how its bytes are read. `tolerant`: bytes that are not UTF-8 become lone surrogates."""

    path: Path
    encoding: str
    tolerant: bool = False

    @classmethod
    def of(cls, path: Path, encoding: str | None) -> TextFile:
        """A mark at the beginning decides, then `encoding`; else it is UTF-8."""
        with _bytes_of(path) as handle:
            head = handle.read(512)
        marked = next((name for mark, name in _MARKS.items() if head.startswith(mark)), None)
        if marked is None and encoding is None and b"\0" in head:
            raise DataError(
                f"{path} has zero bytes in its first line, as UTF-16 without a mark has: if it is that, give "
                "--encoding utf-16-le (or utf-16-be); else it is no text file."
            )
        return cls(path, marked or check_encoding(encoding or "utf-8"))

    def open(self) -> TextIO:
        errors = "surrogateescape" if self.tolerant else "strict"
        return io.TextIOWrapper(_bytes_of(self.path), self.encoding, errors, newline="")

    def where_undecodable(self) -> str:
        """The line of the first bytes that are not of this encoding, and these bytes."""
        with _bytes_of(self.path) as handle:
            content = handle.read()
        try:
            content.decode(self.encoding)
        except UnicodeDecodeError as error:
            line = content[: error.start].decode(self.encoding, "replace").count("\n") + 1
            return f"line {line}: the bytes {content[error.start : error.end][:4].hex(' ')}"
        return "its bytes"


def first_reading(path: Path, encoding: str | None, read: Callable[[TextIO], T]) -> tuple[T, TextFile]:
    """What `read` makes of a file, and how it was opened.

    A file that nobody said to be of another encoding may hold bytes that are not UTF-8, as names of files do. Raises
    DataError naming the line where a file is not of the encoding it was said to be.
    """
    file = TextFile.of(path, encoding)
    try:
        with file.open() as handle:
            return read(handle), file
    except UnicodeError as error:
        if encoding is not None or not file.encoding.startswith("utf-8"):
            raise DataError(
                f"{path}, {file.where_undecodable()} are not {file.encoding}; name the right one with --encoding. "
                f"Usual are {_USUAL}."
            ) from error
    file = replace(file, tolerant=True)
    with file.open() as handle:
        return read(handle), file


def _bytes_of(path: Path) -> BinaryIO:
    if path.suffix.lower() == PACKED:
        return cast(BinaryIO, gzip.open(path, "rb"))
    return path.open("rb")


def shown(text: str) -> str:
    """A text with lone surrogates as \\xNN, as ids of files have them."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def show_bad_bytes(columns: Mapping[str, list[Any]]) -> dict[str, int]:
    """Writes lone surrogates as \\xNN, in place. Returns the first row of each column that has any."""
    first: dict[str, int] = {}
    for name, values in columns.items():
        for row, value in enumerate(values):
            if isinstance(value, str) and _BAD_BYTE.search(value):
                values[row] = shown(value)
                first.setdefault(name, row)
    return first
