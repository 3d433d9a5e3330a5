"""Writing the tables that a user asked for by path."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from labelprop.core.errors import RequestError
from labelprop.core.files import check_writable, write_csv, write_parquet

if TYPE_CHECKING:
    import pyarrow as pa

TABLES = (".parquet", ".csv")


def check_table_path(path: Path, overwrite: bool, endings: tuple[str, ...] = TABLES) -> Path:
    """The path. Refuses, before any work, one that could not or should not be written."""
    if path.suffix.lower() not in endings:
        raise RequestError(f"--out {path} must end in {' or '.join(endings)}.")
    if path.exists() and not overwrite:
        raise RequestError(f"--out {path} exists already; choose another name or add --overwrite.")
    if not path.parent.is_dir():
        raise RequestError(f"--out {path}: the folder {path.parent} does not exist; make it first.")
    check_writable(path)
    return path


def write_table(path: Path, table: pa.Table) -> None:
    """Parquet, or CSV by extension; in CSV a list cell is written with spaces between its numbers."""
    if path.suffix.lower() == ".csv":
        write_csv(path, table.column_names, _rows(table))
    else:
        write_parquet(path, table)


def _rows(table: pa.Table) -> list[list[object]]:
    columns = [column.to_pylist() for column in table.columns]
    return [
        [" ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in row]
        for row in zip(*columns, strict=True)
    ]
