"""A frame of pandas or polars, or an Arrow table: read as a table file with the same columns would be."""

from __future__ import annotations

from typing import Any

from labelprop.data.source import Columns, RawData
from labelprop.data.sources.table import data_in_table
from labelprop.data.tables.frames import frame_table, is_frame


class FrameSource:
    """Rows of a frame in memory."""

    def claims(self, data: object) -> bool:
        return is_frame(data)

    def read(self, data: Any, columns: Columns) -> RawData:
        return data_in_table(frame_table(data, "the frame"), columns, "frame")
