"""A table opened by its suffix."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Collection
from pathlib import Path

from labelprop.core.errors import DataError, RequestError
from labelprop.data.tables.arrow import read_parquet
from labelprop.data.tables.kinds import JSON_SUFFIXES, TABLES, TEXT_SUFFIXES, how_to_convert, table_kind
from labelprop.data.tables.table import Table
from labelprop.data.tables.text_table import read_delimited, read_json_lines


def read_table(
    path: Path,
    encoding: str | None = None,
    streamed: Callable[[tuple[str, ...]], Collection[str]] = lambda names: (),
) -> Table:
    """A `.csv`, `.tsv`, `.jsonl` (each also `.gz`) or `.parquet`; text without a mark is UTF-8, or `encoding`.

    `streamed` chooses, of all names, columns of a wide table that are not held. Raises RequestError or DataError
    naming the file and, if possible, the line.
    """
    suffix = table_kind(path)
    if not path.is_file():
        raise RequestError(f"no file '{path}'. Check the path.")
    if suffix is None:
        raise RequestError(f"'{path}' is not a table; known are {TABLES}.{how_to_convert(path)}")
    try:
        if suffix in TEXT_SUFFIXES:
            return read_delimited(path, TEXT_SUFFIXES[suffix], encoding, streamed)
        if suffix in JSON_SUFFIXES:
            return read_json_lines(path, encoding)
        return read_parquet(path)
    except (EOFError, zlib.error) as error:
        raise DataError(f"'{path}' is packed, and damaged or cut off: {error}") from error
    except OSError as error:
        raise RequestError(f"cannot read '{path}': {error.strerror or error}.") from error
