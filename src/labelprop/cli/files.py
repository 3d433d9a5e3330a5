"""Writing the tables that a user asked for by path."""

from __future__ import annotations

import json
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
    """Parquet, or CSV by extension; in CSV each class's probability is a column of its own."""
    if path.suffix.lower() == ".csv":
        wide = _probability_columns(table)
        write_csv(path, wide.column_names, zip(*(column.to_pylist() for column in wide.columns), strict=True))
    else:
        write_parquet(path, table)


def _probability_columns(table: pa.Table) -> pa.Table:
    """With a column for each class in place of `probabilities`, named as the class.

    A class with the name of another column is `probability of NAME`.
    """
    import pyarrow.compute as pc

    name = "probabilities"
    if name not in table.column_names:
        return table
    lists, wide = table[name].combine_chunks(), table.drop_columns([name])
    classes = json.loads(table.schema.metadata[b"class_names"])
    for number, own in enumerate(classes):
        title = own
        while title in wide.column_names or (title != own and title in classes):
            title = f"probability of {title}"
        wide = wide.append_column(title, pc.list_element(lists, number))
    return wide
