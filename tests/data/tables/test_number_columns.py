"""Wide tables: a column a dimension."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.samples import Samples, open_samples
from labelprop.data.source import Columns
from labelprop.data.tables import table as tables
from labelprop.data.tables.number_columns import number_columns

NAMES = ("id", "f0", "f1", "g", "label", "f2")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("f*", ("f0", "f1", "f2")),
        ("f?", ("f0", "f1", "f2")),
        ("*", ("f0", "f1", "g", "f2")),
        ("f0:g", ("f0", "f1", "g")),
        ("id:f2", ("f0", "f1", "g", "f2")),
        ("g", ("g",)),
        (["f2", "f0"], ("f2", "f0")),
    ],
)
def test_which_columns_are_meant(asked: str | list[str], found: tuple[str, ...]) -> None:
    assert number_columns(NAMES, asked, {"id", "label"}) == found


@pytest.mark.parametrize("asked", ["h*", "f2:f0", "label", "label:label"])
def test_no_column_is_an_error(asked: str) -> None:
    with pytest.raises(RequestError, match="names no column"):
        number_columns(NAMES, asked, {"id", "label"})


def test_labels_and_truth_never_become_vectors(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match=r"column 'label' in --embedding-cols holds ids, labels"):
        number_columns(NAMES, ["f0", "label"], {"id", "label"})
    (tmp_path / "t.csv").write_text("id,f0,y,label,fact,f1\n0,1,0,0,1,2\n1,1,1,1,1,2\n")
    for columns in (Columns(embeddings="*", label="y", truth="fact"), Columns(embeddings="f0:f1", truth="fact")):
        content = open_samples(tmp_path / "t.csv", columns=columns, warn=lambda _: None).content
        assert content is not None
        assert content.shape == (2 if columns.label else 3,)


@pytest.mark.parametrize("asked", ["f0:lable", ["lable"], "lable"])
def test_an_unknown_name_has_a_nearest(asked: str | list[str]) -> None:
    with pytest.raises(UnknownNameError, match="--embedding-cols 'lable'; did you mean 'label'"):
        number_columns(NAMES, asked, ())


VECTORS = np.random.default_rng(0).normal(size=(7, 3)).astype(np.float32)


def wide(folder: Path, suffix: str, vectors: np.ndarray = VECTORS) -> Path:
    """A table of ids, labels, a text, and a column a dimension, float32 exactly."""
    n = len(vectors)
    columns = {
        "id": [f"r{row}" for row in range(n)],
        "label": ["a", "b", *[""] * (n - 2)],
        "text": [f"text {row}" for row in range(n)],
        **{f"f{place}": vectors[:, place].astype(float).tolist() for place in range(vectors.shape[1])},
    }
    table, path = pa.table(columns), folder / f"t.{suffix}"
    if suffix == "parquet":
        pq.write_table(table, path, row_group_size=3)
    elif suffix == "jsonl":
        path.write_text(table.to_pandas().to_json(orient="records", lines=True, double_precision=15))
    else:
        path.write_text(table.to_pandas().to_csv(index=False))
    return path


def open_wide(path: Path) -> Samples:
    return open_samples(path, columns=Columns(embeddings="f*"), warn=lambda _: None)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize("rows", [2, 4096])
def test_wide_tables_of_every_kind(tmp_path: Path, suffix: str, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", rows)
    said: list[str] = []
    columns = Columns(embeddings="f0:f2", text="text")
    samples = open_samples(wide(tmp_path, suffix), columns=columns, warn=said.append)
    assert (samples.modality, samples.ids[0], samples.given[:3]) == ("vector", "r0", ("a", "b", None))
    assert samples.content is not None
    np.testing.assert_array_equal(samples.content.read(np.arange(7)).numpy(), VECTORS)
    assert samples.shown == tuple(f"text {row}" for row in range(7))
    assert samples.texts is None
    assert samples.take(np.array([3])).shown == ("text 3",)
    assert said == ["'t': vectors of 3 columns, 'f0' to 'f2'; the text in 'text' is shown only."]


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("x", "column 'f1' must hold numbers, found 'x'"),
        ("", "column 'f1' is empty"),
        ('"0,5"', "column 'f1' must hold numbers, found '0,5'. Write 0.5 with a point"),
    ],
)
def test_a_cell_that_is_no_number_names_row_and_column(
    tmp_path: Path, cell: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "BATCH_ROWS", 2)
    (tmp_path / "t.csv").write_text(f"id,f0,f1\na,1,2\nb,1,2\n\nc,1,2\nd,1,{cell}\n")
    with pytest.raises(DataError, match=rf"t\.csv, line 6: {said}"):
        open_wide(tmp_path / "t.csv")


def test_an_empty_number_in_parquet_names_the_row(tmp_path: Path) -> None:
    pq.write_table(pa.table({"f0": [1.0, 2.0], "f1": [None, 1.5]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, row 0: column 'f1' is empty"):
        open_wide(tmp_path / "t.parquet")
    pq.write_table(pa.table({"f0": ["1", "2"], "f1": [True, False]}), tmp_path / "t.parquet")
    content = open_wide(tmp_path / "t.parquet").content
    assert content is not None
    assert content.read(np.arange(2)).tolist() == [[1, 1], [2, 0]]


def test_cells_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python text takes some 60 bytes a cell: 12 MB for this table, whose vectors are 0.8 MB."""
    vectors = np.random.default_rng(0).normal(size=(1000, 200)).astype(np.float32)
    path = wide(tmp_path, "csv", vectors)
    monkeypatch.setattr(tables, "_BATCH_CELLS", 2**12)
    open_wide(path)
    tracemalloc.start()
    try:
        open_wide(path)
        assert tracemalloc.get_traced_memory()[1] < 6e6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "columns", [Columns(embeddings="f*", image="text"), Columns(embeddings="f*", embedding="f0")]
)
def test_other_content_beside_a_column_a_dimension(tmp_path: Path, columns: Columns) -> None:
    with pytest.raises(RequestError, match="beside it only --text-col can be shown"):
        open_samples(wide(tmp_path, "csv"), columns=columns)


def test_a_text_beside_a_column_of_vectors(tmp_path: Path) -> None:
    """By their usual names or named: vectors are computed with, the text is shown."""
    table = {"id": ["a", "b"], "text": ["x", None], "embedding": [[1.0, 2.0], [3.0, 4.0]]}
    pq.write_table(pa.table(table), tmp_path / "t.parquet")
    for columns in (Columns(), Columns(text="text", embedding="embedding")):
        samples = open_samples(tmp_path / "t.parquet", columns=columns, warn=lambda _: None)
        assert (samples.modality, samples.ids, samples.shown) == ("vector", ("a", "b"), ("x", None))
    assert open_samples(tmp_path / "t.parquet", columns=Columns(embedding="embedding")).shown is None
    assert open_samples(tmp_path / "t.parquet", columns=Columns(text="text"), warn=lambda _: None).modality == "text"
