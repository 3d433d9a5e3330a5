"""Tables of Arrow columns: Parquet files and HuggingFace data sets, with the class names that they declare."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from labelprop.core.errors import DataError
from labelprop.data.tables.table import Table, rows_at_once

_BATCH_BYTES = 32 * 2**20  # rows may be images: a batch stays small however wide they are
_BUFFER = 8 * 2**20  # read at once from a column chunk, in place of the whole chunk


def read_parquet(path: Path) -> Table:
    """Columns are read when they are asked for."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(_opened(path))
    except pa.ArrowInvalid as error:
        raise DataError(f"'{path}' is not a Parquet file, or is damaged: {error}") from error
    schema = file.schema_arrow

    def load(name: str) -> Any:
        try:
            return pq.read_table(_opened(path), columns=[name]).column(0)
        except pa.ArrowException as error:
            raise DataError(f"cannot read column '{name}' of '{path}': {error}") from error

    def stream(names: Sequence[str]) -> Iterator[list[Any]]:
        """By itself pyarrow would keep every row group it has read until the end, and read each of them whole."""
        try:
            with pq.ParquetFile(_opened(path), buffer_size=_BUFFER, pre_buffer=False) as streamed:
                rows = _rows_of_a_batch(streamed.metadata, names)
                for batch in streamed.iter_batches(rows, columns=list(names)):
                    yield [batch.column(name) for name in names]
        except pa.ArrowException as error:
            raise DataError(f"cannot read {', '.join(names[:3])} of '{path}': {error}") from error

    class_names = declared_names(schema.metadata or {})
    return Table(str(path), path.parent, tuple(schema.names), file.metadata.num_rows, load, stream, class_names)


def _opened(path: Path) -> Any:
    """The file, opened by pyarrow, which takes names that are not UTF-8 as bytes only."""
    import pyarrow as pa

    return pa.OSFile(os.fsencode(path))


def _rows_of_a_batch(metadata: Any, names: Sequence[str]) -> int:
    """As many as make a batch of moderate size, by what a row of the columns takes in the mean."""
    wanted = set(names)
    groups = (metadata.row_group(number) for number in range(metadata.num_row_groups))
    chunks = (group.column(place) for group in groups for place in range(group.num_columns))
    of_columns = (chunk for chunk in chunks if chunk.path_in_schema.partition(".")[0] in wanted)
    nbytes: int = sum(chunk.total_uncompressed_size for chunk in of_columns)
    rows: int = metadata.num_rows
    return max(1, min(rows_at_once(len(names)), _BATCH_BYTES * rows // max(nbytes, 1)))


def declared_names(metadata: dict[bytes, bytes]) -> dict[str | None, tuple[str, ...]]:
    """Class names by column (the HuggingFace convention), and those under `class_names`, from schema metadata."""
    found: dict[str | None, tuple[str, ...]] = {}
    try:
        features = json.loads(metadata.get(b"huggingface", b"{}")).get("info", {}).get("features", {})
        for column, feature in features.items():
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel":
                found[column] = tuple(str(name) for name in feature["names"])
        if b"class_names" in metadata:
            found[None] = tuple(str(name) for name in json.loads(metadata[b"class_names"]))
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}  # metadata of another convention
    return found


def dataset_table(dataset: Any, name: str) -> Table:
    """A `datasets.Dataset` as a table; its ClassLabel features name the classes."""
    table: Any = dataset.with_format("arrow")[:]
    class_names: dict[str | None, tuple[str, ...]] = {
        column: tuple(feature.names)
        for column, feature in dataset.features.items()
        if type(feature).__name__ == "ClassLabel" and feature.names
    }
    return arrow_table(table, name, class_names)


def arrow_table(table: Any, where: str, class_names: Mapping[str | None, tuple[str, ...]] | None = None) -> Table:
    """A `pyarrow.Table`; `class_names` are by default those that its schema declares."""

    def stream(names: Sequence[str]) -> Iterator[list[Any]]:
        for batch in table.select(list(names)).to_batches(max_chunksize=rows_at_once(len(names))):
            yield batch.columns

    names = declared_names(table.schema.metadata or {}) if class_names is None else class_names
    return Table(where, Path(), tuple(table.column_names), table.num_rows, table.column, stream, names)
