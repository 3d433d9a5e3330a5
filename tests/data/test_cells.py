from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.data.cells import ids_of, image_cells
from labelprop.data.tables import Table, read_table
from labelprop.errors import DataError


def parquet(folder: Path, **columns: Any) -> Table:
    pq.write_table(pa.table(columns), folder / "t.parquet", row_group_size=2)
    return read_table(folder / "t.parquet")


def text(folder: Path, content: str, suffix: str = "csv") -> Table:
    (folder / f"t.{suffix}").write_text(content)
    return read_table(folder / f"t.{suffix}")


def test_images_as_structs_bytes_and_paths(tmp_path: Path) -> None:
    structs = [{"bytes": b"abc", "path": None}, {"bytes": None, "path": "x.png"}, None, {"bytes": b"", "path": None}]
    table = parquet(tmp_path, image=structs, raw=[b"1", b"", None, b"234"], path=["a.png", None, "", "/b.png"])
    cells = image_cells(table, "image")
    assert [bytes(cell) if isinstance(cell, memoryview) else cell for cell in cells] == [
        b"abc", tmp_path / "x.png", None, b"",
    ]  # fmt: skip
    assert [cell and bytes(cell) for cell in image_cells(table, "raw")] == [b"1", b"", None, b"234"]
    assert image_cells(table, "path") == [tmp_path / "a.png", None, None, Path("/b.png")]


def test_many_rows_are_views_of_one_buffer(tmp_path: Path) -> None:
    values = [{"bytes": bytes([i]) * i, "path": ""} for i in range(1, 9)]
    cells = image_cells(parquet(tmp_path, image=values), "image")
    assert [bytes(cell) for cell in cells] == [value["bytes"] for value in values]  # type: ignore[arg-type]
    assert [bytes(cell) for cell in cells[2:4]] == [values[2]["bytes"], values[3]["bytes"]]  # type: ignore[arg-type]


def test_images_of_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'image' is int64; images are paths, bytes"):
        image_cells(parquet(tmp_path, image=[1]), "image")
    with pytest.raises(DataError, match=r"line 1: column 'image' must hold paths of images, found 3"):
        image_cells(text(tmp_path, '{"image": 3}', "jsonl"), "image")
    assert image_cells(text(tmp_path, '{"image": {"path": "a.png"}}', "jsonl"), "image") == [tmp_path / "a.png"]


def test_ids_come_from_a_column_or_count_rows(tmp_path: Path) -> None:
    table = text(tmp_path, "id,name\n007,a\n08,b\n")
    assert ids_of(table, None) == ["007", "08"]
    assert ids_of(table, "name") == ["a", "b"]
    assert ids_of(text(tmp_path, "name\na\nb\n"), None) == ["0", "1"]
    assert ids_of(parquet(tmp_path, id=[7, 8]), None) == ["7", "8"]
    with pytest.raises(DataError, match="line 3: column 'id' is empty"):
        ids_of(text(tmp_path, "id,x\n1,2\n,3\n"), None)
