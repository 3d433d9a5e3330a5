"""A frame of pandas or polars, or an Arrow table: read as a table file with the same columns would be."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from labelprop.data.labels.column import made_by
from labelprop.data.source import Columns, RawData
from labelprop.data.sources.table import USUAL_NAMES, data_in_table
from labelprop.data.tables.frames import frame_table, is_frame
from labelprop.data.tables.table import Table


class FrameSource:
    """Rows of a frame in memory. One of numbers alone holds vectors, as it does for an estimator."""

    def claims(self, data: object) -> bool:
        return is_frame(data)

    def read(self, data: Any, columns: Columns) -> RawData:
        table = frame_table(data, "the frame")
        asked = (columns.image, columns.text, columns.embedding, columns.embeddings)
        usual = {name for names in USUAL_NAMES.values() for name in names}
        known = not set(table.names).isdisjoint(columns.features)
        if asked == (None,) * len(asked) and (known or usual.isdisjoint(table.names)):
            columns = replace(columns, embeddings=columns.features or _numbers(table, columns) or None)
        raw = data_in_table(table, columns, "frame")
        return replace(raw, index=data.index) if made_by(data, "pandas") else raw


def _numbers(table: Table, columns: Columns) -> tuple[str, ...]:
    """All columns beside ids, labels and truth, where all of them hold numbers."""
    taken = {columns.id or "id", columns.label or "label", columns.truth}
    names = tuple(name for name in table.names if name not in taken)
    return names if all(_is_number(table.column(name)) for name in names) else ()


def _is_number(column: Any) -> bool:
    import pyarrow as pa

    return not isinstance(column, list) and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type))
