from __future__ import annotations

from pathlib import Path

import pytest

from labelprop.core.errors import DataError
from labelprop.data.sources.table import ids_of
from small_tables import parquet, text


def test_ids_come_from_a_column_or_count_rows(tmp_path: Path) -> None:
    table = text(tmp_path, "id,name\n007,a\n08,b\n")
    assert ids_of(table, None) == ["007", "08"]
    assert ids_of(table, "name") == ["a", "b"]
    assert ids_of(text(tmp_path, "name\na\nb\n"), None) == ["0", "1"]
    assert ids_of(parquet(tmp_path, id=[7, 8]), None) == ["7", "8"]
    with pytest.raises(DataError, match="line 3: column 'id' is empty"):
        ids_of(text(tmp_path, "id,x\n1,2\n,3\n"), None)
