"""Writing the tables and arrays that a user asked for by path."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from labelprop.core.errors import RequestError
from labelprop.core.run_folder import check_writable, write_atomically

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
        write_atomically(path, lambda partial: _write_csv(partial, table.column_names, _rows(table)))
    else:
        import pyarrow.parquet as pq

        write_atomically(path, lambda partial: pq.write_table(table, partial))


def write_array(path: Path, array: np.ndarray) -> None:
    def write(partial: Path) -> None:
        with partial.open("wb") as file:
            np.save(file, array)

    write_atomically(path, write)


def write_ids(path: Path, ids: Sequence[str]) -> None:
    write_atomically(path, lambda partial: _write_csv(partial, ["id"], [[name] for name in ids]))


def _rows(table: pa.Table) -> list[list[object]]:
    columns = [column.to_pylist() for column in table.columns]
    return [
        [" ".join(map(str, cell)) if isinstance(cell, list) else cell for cell in row]
        for row in zip(*columns, strict=False)
    ]


def _write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
