"""`metadata.csv` and its kin among images."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns

opened = partial(open_samples, warn=lambda text: None)


@pytest.fixture
def folder(tmp_path: Path, put_image: Callable[..., Path]) -> Path:
    root = tmp_path / "train"
    for seed in range(5):
        put_image(root / f"{seed}.png", seed=seed)
    return root


def write_csv(path: Path, rows: list[tuple[str, str]], label: str = "label") -> None:
    path.write_text(f"file_name,{label}\n" + "".join(f"{name},{text}\n" for name, text in rows))


ROWS = [("0.png", "red"), ("1.png", "green"), ("2.png", ""), ("4.png", "-1")]


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_the_labels_are_those_of_the_metadata(folder: Path, suffix: str) -> None:
    path = folder / f"metadata.{suffix}"
    if suffix == "csv":
        write_csv(path, ROWS)
    elif suffix == "jsonl":
        path.write_text("".join(json.dumps({"file_name": name, "label": text}) + "\n" for name, text in ROWS))
    else:
        names, texts = zip(*ROWS, strict=True)
        pq.write_table(pa.table({"file_name": names, "label": texts, "note": [None] * 4}), path)
    told: list[str] = []
    samples = opened(folder, warn=told.append)
    assert told == [f"'train': 2 labels found in {path}."]
    assert samples.given == ("red", "green", None, None, None)
    assert (samples.beside, samples.skipped) == ((path,), ())
    assert inspect_data(folder)[1][-1].text == "6 files: 6 used (5 examples, 1 of metadata), 0 skipped, 0 refused."


def test_class_numbers_have_the_declared_names(folder: Path) -> None:
    table = pa.table({"file_name": ["0.png", "1.png", "2.png"], "label": [1, -1, 0]})
    names = {"info": {"features": {"label": {"_type": "ClassLabel", "names": ["red", "green", "blue"]}}}}
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(names)}), folder / "metadata.parquet")
    samples = opened(folder)
    assert samples.given == ("green", None, "red", None, None)
    assert samples.declared == ("red", "green", "blue")


@pytest.mark.parametrize(("labels", "kind"), [([3, 7, -1], "integer"), (["3", "7", ""], None)])
def test_labels_have_the_type_they_came_as_unless_a_folder_gives_some(
    folder: Path, put_image: Callable[..., Path], labels: list[Any], kind: str | None
) -> None:
    table = pa.table({"file_name": ["0.png", "1.png", "2.png"], "label": labels})
    pq.write_table(table, folder / "metadata.parquet")
    samples = opened(folder)
    assert (samples.given[:3], samples.label_type) == (("3", "7", None), kind)
    put_image(folder / "5" / "x.png")
    assert opened(folder).label_type is None


def test_names_may_be_composed_in_one_place_and_not_in_the_other(folder: Path) -> None:
    (folder / "0.png").rename(folder / "cafe\u0301.png")
    write_csv(folder / "metadata.csv", [("caf\u00e9.png", "re\u0301d")])
    samples = opened(folder)
    assert samples.given[samples.ids.index("caf\u00e9.png")] == "r\u00e9d"


def test_names_are_relative_to_the_metadata_and_parts_are_no_classes(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "3.png").rename(folder / "sub" / "3.png")
    (folder / "4.png").rename(folder / "sub" / "4.png")
    write_csv(folder / "metadata.csv", [*ROWS[:3], ("sub\\3.png", "blue"), ("./sub/4.png", "red")])
    told: list[str] = []
    samples = opened(folder.parent, warn=told.append)
    assert dict(zip(samples.ids, samples.given, strict=True)) == {
        **{"train/0.png": "red", "train/1.png": "green", "train/2.png": None},
        **{"train/sub/3.png": "blue", "train/sub/4.png": "red"},
    }
    assert samples.declared == ()
    assert any("not taken for classes" in text and "'train'" in text for text in told)
    assert opened(folder, warn=told.append).given == ("red", "green", None, "blue", "red")


def test_folders_and_metadata_may_agree_and_a_disagreement_names_the_id(
    tmp_path: Path, put_image: Callable[..., Path]
) -> None:
    for name in ("cat/1.png", "cat/2.png", "dog/3.png", "4.png"):
        put_image(tmp_path / name)
    rows = [("cat/1.png", "cat"), ("4.png", "dog"), ("dog/3.png", "")]
    write_csv(tmp_path / "metadata.csv", rows)
    assert opened(tmp_path).given == ("dog", "cat", "cat", "dog")
    write_csv(tmp_path / "metadata.csv", [*rows, ("cat/2.png", "dog")])
    with pytest.raises(DataError, match=r"'cat/2\.png' is 'cat' by its folder and 'dog' in .*metadata\.csv, line 5"):
        opened(tmp_path)
    _, findings = inspect_data(tmp_path)
    assert (findings[0].severity, tuple(findings[0].rows)) == ("blocking", ("cat/2.png",))
    assert findings[-1].text == "5 files: 4 used (3 examples, 1 of metadata), 0 skipped, 1 refused."


def test_rows_without_a_file_and_with_two_labels_are_named(folder: Path) -> None:
    write_csv(folder / "metadata.csv", [*ROWS, ("7.png", "red"), ("../8.png", ""), ("0.png", "green")])
    with pytest.raises(DataError) as caught:
        opened(folder)
    said = str(caught.value)
    assert "2 rows of" in said
    assert "'7.png' (" in said
    assert "metadata.csv, line 6)" in said
    assert "'../8.png'" in said
    assert "'0.png' is 'red' (" in said
    assert [finding.severity for finding in inspect_data(folder)[1]][:2] == ["blocking", "blocking"]


def test_a_row_may_name_what_is_skipped(folder: Path) -> None:
    (folder / "9.heic").write_bytes(b"x")
    (folder / "clip.mp4").write_bytes(b"x")
    write_csv(folder / "metadata.csv", [*ROWS, ("9.heic", "blue"), ("clip.mp4", "blue")])
    samples = opened(folder)
    assert samples.given == ("red", "green", None, None, None)
    (warning,) = [text for text in join_labels(samples).warnings if "'blue'" in text]
    assert "9.heic" in warning


def test_other_columns_and_the_truth(folder: Path) -> None:
    (folder / "metadata.csv").write_text("file_name,kind,truth\n0.png,red,red\n1.png,,green\n2.png,,red\n")
    told: list[str] = []
    assert set(opened(folder, warn=told.append).given) == {None}
    assert "has no column label; name one with --label-col: file_name, kind, truth" in told[0]
    columns = Columns(label="kind", truth="truth")
    samples = opened(folder, columns=columns)
    assert samples.given == ("red", None, None, None, None)
    assert read_truth(None, samples, data=folder, columns=columns) == ("red", "green", "red", None, None)
    with pytest.raises(UnknownNameError, match="'kid'; did you mean 'kind'"):
        opened(folder, columns=Columns(label="kid"))
    with pytest.raises(RequestError, match="only --label-col and --truth-col"):
        opened(folder, columns=Columns(image="file_name"))


def test_metadata_without_names_of_files_are_left_out(folder: Path) -> None:
    (folder / "metadata.csv").write_text("id,label\n0.png,red\n")
    told: list[str] = []
    samples = opened(folder, warn=told.append)
    assert samples.skipped[0].reason == "not an image: metadata need a column file_name"
    assert told
