"""Small tables on disk, opened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table


def parquet(folder: Path, **columns: Any) -> Table:
    """In row groups of two."""
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=2)
    return read_table(folder / "t.parquet")


def text(folder: Path, content: str, suffix: str = "csv") -> Table:
    (folder / f"t.{suffix}").write_text(content)
    return read_table(folder / f"t.{suffix}")
