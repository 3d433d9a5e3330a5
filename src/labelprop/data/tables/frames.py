"""Frames of pandas and polars, and Arrow tables, as a `Table`. No package is imported that did not make one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labelprop.data.labels.column import made_by, plain_arrow
from labelprop.data.tables.arrow import arrow_table
from labelprop.data.tables.table import Table, rows_at_once

PACKAGES = ("pandas", "polars", "pyarrow")


def is_frame(data: object) -> bool:
    """Whether `data` is a frame or an Arrow table: rows with named columns."""
    return len(getattr(data, "shape", ())) == 2 and any(made_by(data, package) for package in PACKAGES)


def frame_table(frame: Any, where: str) -> Table:
    """The frame as a table. A named index of pandas is a column, too."""
    return _of_pandas(frame, where) if made_by(frame, "pandas") else arrow_table(_arrow(frame), where)


def _arrow(frame: Any) -> Any:
    """A polars frame, an Arrow table or a record batch as an Arrow table, with values in place of codes of them."""
    import pyarrow as pa

    table = frame.to_arrow() if made_by(frame, "polars") else frame
    columns = [plain_arrow(column) for column in table.columns]
    return pa.table(columns, names=table.schema.names).replace_schema_metadata(table.schema.metadata)


def _of_pandas(frame: Any, where: str) -> Table:
    if any(name is not None for name in frame.index.names):
        frame = frame.reset_index()
    names = tuple(str(name) for name in frame.columns)

    def load(name: str) -> Any:
        import pyarrow as pa

        column = frame.iloc[:, names.index(name)]
        try:
            return plain_arrow(pa.array(column, from_pandas=True))
        except (pa.ArrowException, TypeError, ValueError):  # objects of several types
            return list(column)

    def stream(wanted: Sequence[str]) -> Iterator[list[Any]]:
        columns, step = [load(name) for name in wanted], rows_at_once(len(wanted))
        for start in range(0, len(frame), step):
            parts = (column[start : start + step] for column in columns)
            yield [part if isinstance(part, list) else part.combine_chunks() for part in parts]

    return Table(where, Path(), names, len(frame), load, stream, {})
