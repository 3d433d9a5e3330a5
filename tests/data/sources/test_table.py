from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.data.sources.table import ids_of
from labelprop.data.tables import Table, read_table
from labelprop.errors import DataError


def csv(folder: Path, content: str) -> Table:
    (folder / "t.csv").write_text(content)
    return read_table(folder / "t.csv")


def test_ids_come_from_a_column_or_count_rows(tmp_path: Path) -> None:
    table = csv(tmp_path, "id,name\n007,a\n08,b\n")
    assert ids_of(table, None) == ["007", "08"]
    assert ids_of(table, "name") == ["a", "b"]
    assert ids_of(csv(tmp_path, "name\na\nb\n"), None) == ["0", "1"]
    pq.write_table(pa.table({"id": [7, 8]}), tmp_path / "t.parquet")
    assert ids_of(read_table(tmp_path / "t.parquet"), None) == ["7", "8"]
    with pytest.raises(DataError, match="line 3: column 'id' is empty"):
        ids_of(csv(tmp_path, "id,x\n1,2\n,3\n"), None)
