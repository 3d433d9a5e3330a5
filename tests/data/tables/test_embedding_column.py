from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, StorageError
from labelprop.data.tables import spool
from labelprop.data.tables import table as tables
from labelprop.data.tables.embedding_column import read_embeddings
from labelprop.data.tables.read import read_table
from labelprop.data.tables.table import Table
from small_tables import parquet, text


def embedding_array(table: Table, name: str) -> np.ndarray:
    return read_embeddings(table, name, table.folder / "spilled")


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float64()), pa.large_list(pa.int16()), pa.list_(pa.float32(), 2), pa.list_(pa.uint8(), 2)]
)
def test_embeddings_of_every_list_type(tmp_path: Path, kind: pa.DataType) -> None:
    array = embedding_array(parquet(tmp_path, x=pa.array([[1, 2], None, [3, 4], [5, 6], [7, 8]], kind)), "x")
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, [[1, 2], [np.nan, np.nan], [3, 4], [5, 6], [7, 8]])


def test_missing_numbers_are_nan(tmp_path: Path) -> None:
    np.testing.assert_array_equal(embedding_array(parquet(tmp_path, x=[[1.0, None]]), "x"), [[1, np.nan]])
    lines = '{"x": [1, null]}\n{"x": null}\n'
    array = embedding_array(text(tmp_path, lines, "jsonl"), "x")
    np.testing.assert_array_equal(array, [[1, np.nan], [np.nan, np.nan]])


def test_embeddings_written_as_text(tmp_path: Path) -> None:
    table = text(tmp_path, 'id,x\na,"[1, 2.5]"\nb,"[3, 4]"\n')
    np.testing.assert_array_equal(embedding_array(table, "x"), [[1, 2.5], [3, 4]])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2], [3, 4], [5]], r"row 2: column 'x' has 1 number where the first row has 2"),
        ([np.zeros(0), None], "column 'x' holds no numbers"),
        ([None, None], "column 'x' "),
        (["a", "b"], "column 'x' is string; embeddings are lists of numbers"),
        ([["a"]], "embeddings are lists of numbers"),
    ],
)
def test_wrong_embeddings_name_row_and_column(tmp_path: Path, rows: list[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        embedding_array(parquet(tmp_path, x=rows), "x")


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([[1, 2], [3]], "line 2: column 'x' has 1 number"),
        ([[1, 2], "no"], "line 2: column 'x' must hold lists of numbers .*found 'no'"),
        ([[1, "a"]], "line 1: column 'x' holds something that is no number"),
        ([None], "holds no numbers"),
        ([0.1], "line 1: .*Numbers in columns of their own"),
    ],
)
def test_wrong_embeddings_in_json_lines(tmp_path: Path, lines: list[Any], message: str) -> None:
    table = text(tmp_path, "\n".join(json.dumps({"x": line}) for line in lines), "jsonl")
    with pytest.raises(DataError, match=message):
        embedding_array(table, "x")


ROWS = pa.array([None, [1, 2], None, [3, 4], [5, 6], [7, None], [9, 10]], pa.list_(pa.float64()))


def test_a_large_column_goes_to_a_file_that_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = parquet(tmp_path, x=ROWS)
    small = embedding_array(table, "x")
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 8)
    large = embedding_array(table, "x")
    assert (isinstance(small, np.memmap), isinstance(large, np.memmap)) == (False, True)
    np.testing.assert_array_equal(small, [[np.nan] * 2, [1, 2], [np.nan] * 2, [3, 4], [5, 6], [7, np.nan], [9, 10]])
    np.testing.assert_array_equal(large, small)
    assert list((tmp_path / "spilled").iterdir()) == []
    with pytest.raises(ValueError, match="read-only"):
        large[0, 0] = 1


def test_a_wrong_length_is_found_in_any_batch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    rows = [None, None, [1, 2], [3, 4], [5, 6], [7]]
    with pytest.raises(DataError, match="row 5: column 'x' has 1 number where the first row has 2"):
        embedding_array(parquet(tmp_path, x=rows), "x")


def test_a_column_that_cannot_be_written_names_the_folder_and_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 8)
    (tmp_path / "spilled").write_text("a file, not a folder")
    with pytest.raises(StorageError, match=r"spilled: .*choose another folder with --cache"):
        embedding_array(parquet(tmp_path, x=ROWS), "x")


def test_streaming_never_holds_the_column(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrow's own memory and NumPy's, at their highest, against the size of the column."""
    n, d = 40_000, 64
    values = pa.array(np.arange(n * d, dtype=np.float32))
    table = pa.table({"x": pa.FixedSizeListArray.from_arrays(values, d)})
    pq.write_table(table, tmp_path / "t.parquet", row_group_size=n // 4, use_dictionary=False)
    del table, values
    monkeypatch.setattr(spool, "IN_MEMORY_BYTES", 8)
    pool = pa.system_memory_pool()
    before = pa.default_memory_pool()
    pa.set_memory_pool(pool)
    tracemalloc.start()
    try:
        found = embedding_array(read_table(tmp_path / "t.parquet"), "x")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        pa.set_memory_pool(before)
    assert found.shape == (n, d)
    assert found[-1, -1] == n * d - 1
    assert peak < n * d * 4 / 2, "NumPy"
    assert pool.max_memory() < n * d * 4, "Arrow"
