"""A folder of tables is one table."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns
from labelprop.data.tables import embedding_column

X = np.random.default_rng(0).normal(size=(10, 3)).astype(np.float32)
LABELS = ["a", "", "b", "", "", "a", "", "", "", "b"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "shards"
    root.mkdir()
    return root


def write(folder: Path, suffix: str, cuts: tuple[int, ...] = (0, 4, 4, 10)) -> None:
    for number, (start, stop) in enumerate(pairwise(cuts)):
        path = folder / f"part-{number:05d}.{suffix}"
        rows = [{"embedding": X[row].tolist(), "label": LABELS[row]} for row in range(start, stop)]
        if suffix == "parquet":
            kind = pa.schema({"embedding": pa.list_(pa.float32()), "label": pa.string()})
            pq.write_table(pa.Table.from_pylist(rows, kind), path)
        elif suffix == "jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows) or "\n")
        else:
            lines = [f'"{row["embedding"]}",{row["label"]}' for row in rows]
            path.write_text("\n".join(["embedding,label", *lines]) + "\n")


@pytest.mark.parametrize(
    ("suffix", "cuts"), [("parquet", (0, 4, 4, 10)), ("csv", (0, 4, 4, 10)), ("jsonl", (0, 4, 10))]
)
def test_shards_are_one_table_in_sorted_order(folder: Path, suffix: str, cuts: tuple[int, ...]) -> None:
    write(folder, suffix, cuts)
    samples = open_samples(folder)
    assert samples.ids == tuple(str(row) for row in range(10))
    assert samples.given == tuple(label or None for label in LABELS)
    assert samples.name == "shards"
    assert samples.content is not None
    np.testing.assert_array_equal(samples.content.read(np.arange(10)).numpy(), X)


def test_files_of_the_folder_are_accounted_for(folder: Path) -> None:
    write(folder, "parquet")
    (folder / "README.md").write_text("about")
    (folder / ".cache").write_text("")
    (folder / "more").mkdir()
    write(folder / "more", "parquet")
    told: list[str] = []
    samples = open_samples(folder, warn=told.append)
    assert len(samples) == 10
    assert len(told) == 2
    why = "4 not read as examples, 1 hidden or of the system"
    assert inspect_data(folder)[1][-1].text == (
        f"10 rows: 10 used, 0 skipped, 0 refused; 8 files: 3 used, 5 skipped ({why}), 0 refused."
    )


def test_ids_and_named_columns(folder: Path) -> None:
    for number in range(2):
        (folder / f"{number}.csv").write_text(f"name,words\n0{number}7,some text\n{number}8,\n")
    samples = open_samples(folder, columns=Columns(id="name", text="words"), warn=[].append)
    assert samples.ids == ("007", "017")
    assert [skip.id for skip in samples.skipped] == ["08", "18"]


def test_one_file_is_enough_and_images_make_it_a_folder_of_images(
    folder: Path, put_image: Callable[..., Path]
) -> None:
    (folder / "one.csv").write_text("id\nx\n")
    with pytest.raises(RequestError, match=r"shards', a folder of tables without images: no column of content"):
        open_samples(folder)
    (folder / "one.csv").write_text("text\nx\n")
    assert open_samples(folder).texts == ("x",)
    put_image(folder / "sub" / "a.png")
    assert open_samples(folder, warn=[].append).ids == ("sub/a.png",)


def test_what_is_wrong_names_the_shard_and_its_row(folder: Path) -> None:
    write(folder, "parquet")
    last = folder / "part-00002.parquet"
    kind = pa.list_(pa.float32())
    pq.write_table(pa.table({"embedding": pa.array([[1, 2, 3], [1, 2]], kind), "label": ["a", "b"]}), last)
    with pytest.raises(DataError, match=r"part-00002\.parquet, row 1: column 'embedding' has 2 numbers"):
        open_samples(folder)
    pq.write_table(pa.table({"embedding": ["x"], "label": ["a"]}), last)
    with pytest.raises(DataError, match=r"part-00002\.parquet, row 0: column 'embedding' is string"):
        open_samples(folder)
    for path in folder.iterdir():
        path.unlink()
    (folder / "a.csv").write_text("embedding\n[1]\n")
    (folder / "b.csv").write_text("embedding\n[1]\nno\n")
    with pytest.raises(DataError, match=r"b\.csv, line 3: column 'embedding' must hold lists"):
        open_samples(folder)


def test_columns_that_differ_name_the_shard_and_the_column(folder: Path) -> None:
    (folder / "a.csv").write_text("id,text\n1,x\n")
    (folder / "b.csv").write_text("id,text,label\n2,x,c\n")
    with pytest.raises(DataError, match=r"b\.csv' has the column 'label', '.*a\.csv' has not"):
        open_samples(folder)
    (folder / "b.csv").write_text("id\n2\n")
    with pytest.raises(DataError, match=r"a\.csv' has the column 'text', '.*b\.csv' has not"):
        open_samples(folder)
    (folder / "b.csv").write_text("text,id\nx,1\n")
    with pytest.raises(DataError, match="more than once: '1'"):
        open_samples(folder)


def test_class_names_must_be_the_same(folder: Path) -> None:
    table = pa.table({"text": ["x", "y"], "label": [0, 1]})
    for name, classes in {"a": '["cat", "dog"]', "b": '["dog", "cat"]'}.items():
        pq.write_table(table.replace_schema_metadata({"class_names": classes}), folder / f"{name}.parquet")
    with pytest.raises(DataError, match=r"b\.parquet' declares other class names than '.*a\.parquet'"):
        open_samples(folder)
    pq.write_table(table.replace_schema_metadata({"class_names": '["cat", "dog"]'}), folder / "b.parquet")
    assert open_samples(folder).given == ("cat", "dog") * 2


def test_vectors_are_streamed_and_never_loaded_whole(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, "parquet")
    monkeypatch.setattr(embedding_column, "Spool", Small := _counting(embedding_column.Spool))
    assert len(open_samples(folder)) == 10
    assert Small.largest == 6 * 3 * 4  # bytes of the larger shard


def _counting(spool: type[embedding_column.Spool]) -> type:
    class Counting(spool):  # type: ignore[misc, valid-type]
        largest = 0

        def append(self, block: memoryview) -> None:
            Counting.largest = max(Counting.largest, block.nbytes)
            super().append(block)

    return Counting


def test_a_column_may_be_text_here_and_numbers_there(folder: Path) -> None:
    for name, labels in {"a": [1, 2], "b": ["1", ""]}.items():
        pq.write_table(pa.table({"text": ["x", "y"], "label": labels}), folder / f"{name}.parquet")
    assert open_samples(folder).given == ("1", "2", "1", None)


def test_images_are_found_beside_their_shard(folder: Path, put_image: Callable[..., Path]) -> None:
    paths = [put_image(folder.parent / "pictures" / f"{seed}.png", seed=seed) for seed in range(3)]
    for number, path in enumerate(paths):
        (folder / f"{number}.csv").write_text(f"image\n../pictures/{path.name}\n")
    samples = open_samples(folder)
    assert len(samples) == 3
    assert samples.picture(2) is not None


def test_whole_numbers_stay_what_they_are(folder: Path) -> None:
    for name in ("a", "b"):
        pq.write_table(pa.table({"text": ["x", "y"], "label": [1, -1]}), folder / f"{name}.parquet")
    samples = open_samples(folder)
    assert (samples.given, samples.label_type) == (("1", None) * 2, "integer")
