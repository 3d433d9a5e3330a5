"""A frame of pandas or polars, or an Arrow table: read as a table file with the same columns would be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

from labelprop.core.errors import RequestError
from labelprop.core.text import quoted
from labelprop.data.labels.column import made_by
from labelprop.data.labels.file_columns import IDS, LABELS
from labelprop.data.source import Columns, RawData
from labelprop.data.sources.table import USUAL_NAMES, data_in_table
from labelprop.data.tables.frames import frame_table, is_frame
from labelprop.data.tables.table import Table

_NO_FEATURES = {*LABELS, *IDS, "index", "unnamed: 0"}  # in any case


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
            columns = replace(
                columns, embeddings=columns.features or _numbers(table, columns, _index_names(data)) or None
            )
        raw = data_in_table(table, columns, "frame")
        return replace(raw, index=data.index) if made_by(data, "pandas") else raw


def _numbers(table: Table, columns: Columns, index: Collection[str]) -> tuple[str, ...]:
    """All columns beside ids, labels and truth, where all of them hold numbers.

    Raises RequestError where one has a usual name of ids or labels, or is the `index`: to learn from it would be to
    know the answer.
    """
    taken = {columns.id or "id", columns.label or "label", columns.truth}
    names = tuple(name for name in table.names if name not in taken)
    if not all(_is_number(table.column(name)) for name in names):
        return ()
    folded = {name.casefold() for name in names}
    strange = _NO_FEATURES - ({"y"} if "x" in folded else set())  # x and y are a place
    asked = [name for name in names if name.casefold() in strange or name in index]
    if asked:
        first = asked[0]
        raise RequestError(
            f"{table.where} holds numbers alone, and by their names {quoted(asked)} may be answers or ids, not "
            f"features. Name it if it is labels (--label-col '{first}'), the truth (--truth-col '{first}') or ids "
            f"(--id-col '{first}'). Otherwise leave it out of DATA, or take it as numbers with --embedding-cols "
            f"'{names[0]}:{names[-1]}'."
        )
    return names


def _index_names(frame: Any) -> set[str]:
    """Names of the index of pandas, which is read as columns."""
    return {str(name) for name in frame.index.names if name is not None} if made_by(frame, "pandas") else set()


def _is_number(column: Any) -> bool:
    import pyarrow as pa

    return not isinstance(column, list) and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type))
