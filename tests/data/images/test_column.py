from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, StorageError
from labelprop.data.images.column import read_images
from labelprop.data.tables import arrow, spool
from labelprop.data.tables import table as tables
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table
from small_tables import parquet, text


def cells(table: Table, name: str) -> list[Path | bytes | None]:
    read = read_images(table, name, table.folder / "spilled").cells
    return [bytes(cell) if isinstance(cell, memoryview) else cell for cell in read]


STRUCTS = [{"bytes": b"abc", "path": None}, {"bytes": None, "path": "x.png"}, None, {"bytes": b"", "path": None}]


def test_images_as_structs_bytes_and_paths(tmp_path: Path) -> None:
    table = parquet(tmp_path, image=STRUCTS, raw=[b"1", b"", None, b"234"], path=["a.png", None, "", "/b.png"])
    assert cells(table, "image") == [b"abc", tmp_path / "x.png", None, b""]
    assert cells(table, "raw") == [b"1", b"", None, b"234"]
    assert cells(table, "path") == [tmp_path / "a.png", None, None, Path("/b.png")]


def test_rows_are_views_of_one_run_of_bytes(tmp_path: Path) -> None:
    values = [{"bytes": bytes([i]) * i, "path": ""} for i in range(1, 9)]
    read = read_images(parquet(tmp_path, image=values), "image", tmp_path).cells
    assert [bytes(cell) for cell in read] == [value["bytes"] for value in values]  # type: ignore[arg-type]


@pytest.mark.parametrize("limit", [0, 3, 4, 7])
def test_a_large_column_goes_to_a_file_that_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    """Wherever the border falls, and in batches of any size."""
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", limit)
    for rows in (1, 3):
        monkeypatch.setattr(tables, "BATCH_ROWS", rows)
        table = parquet(tmp_path, raw=pa.array([None, b"12", b"", b"345", b"6", b"78"], pa.large_binary()))
        assert cells(table, "raw") == [None, b"12", b"", b"345", b"6", b"78"]
        assert list((tmp_path / "spilled").iterdir()) == []


def test_a_slice_of_an_arrow_table_is_read_from_its_own_rows(tmp_path: Path) -> None:
    column = pa.chunked_array([pa.array([b"0", b"11", None, b"33"]), pa.array([b"4"])]).slice(1)
    table = Table(
        "t", tmp_path, ("raw",), 4, lambda _: column, lambda _: iter([[part] for part in column.chunks]), {}
    )
    assert cells(table, "raw") == [b"11", None, b"33", b"4"]


def test_a_column_that_cannot_be_written_names_the_folder_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 2)
    (tmp_path / "spilled").write_text("a file, not a folder")
    with pytest.raises(StorageError, match=r"cannot write .*spilled: .*choose another folder with --cache"):
        cells(parquet(tmp_path, raw=[b"123"]), "raw")


def test_streaming_never_holds_the_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's own memory and Python's, at their highest, against the size of the column."""
    n, size = 1_000, 20_000
    rng = np.random.default_rng(0)
    images = [rng.bytes(size) for _ in range(n)]
    pq.write_table(pa.table({"image": images}), tmp_path / "t.parquet", row_group_size=n // 4, use_dictionary=False)
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 8)
    monkeypatch.setattr(arrow, "_BATCH_BYTES", 2**20)
    pool, before = pa.system_memory_pool(), pa.default_memory_pool()
    pa.set_memory_pool(pool)
    held = pool.bytes_allocated()
    tracemalloc.start()
    try:
        read = read_images(read_table(tmp_path / "t.parquet"), "image", tmp_path / "spilled")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert [bytes(read.read(row)) for row in (0, n // 2, n - 1)] == [images[row] for row in (0, n // 2, n - 1)]
    assert peak < n * size / 4, "Python"
    assert pool.max_memory() - held < n * size / 2, "Arrow"


def test_images_of_other_types_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'image' is int64; images are paths, bytes"):
        cells(parquet(tmp_path, image=[1]), "image")
    with pytest.raises(DataError, match=r"line 1: column 'image' must hold paths of images, found 3"):
        cells(text(tmp_path, '{"image": 3}', "jsonl"), "image")
    assert cells(text(tmp_path, '{"image": {"path": "a.png"}}', "jsonl"), "image") == [tmp_path / "a.png"]
