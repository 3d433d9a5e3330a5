from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.labels.checks import check_few
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.labels.options import LabelOptions
from labelprop.data.labels.table import read_label_table
from labelprop.data.samples import Samples, open_samples
from labelprop.data.source import Columns


@pytest.fixture
def photos(tmp_path: Path, put_image: Callable[..., Path]) -> Samples:
    for seed, name in enumerate(["cat/1.png", "cat/2.png", "dog/3.png", "4.png", "5.png"]):
        put_image(tmp_path / "photos" / name, seed=seed)
    return open_samples(tmp_path / "photos")  # order: 4, 5, cat/1, cat/2, dog/3


@pytest.fixture
def vectors() -> Samples:
    return open_samples(np.ones((4, 2)))


def table(tmp_path: Path, *lines: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(("id,label", *lines)) + "\n")
    return path


def test_labels_of_folder_and_table_are_joined(photos: Samples, tmp_path: Path) -> None:
    given = join_labels(photos, table(tmp_path, "4.png,dog", "5.png,", "cat/1.png,cat", "dog/3.png,-1"))
    assert given.classes == ("cat", "dog")
    assert given.labels_N.tolist() == [1, -1, 0, 0, 1]
    assert given.labels_N.dtype == np.int64
    assert given.weights_N.tolist() == [1] * 5
    assert given.weights_N.dtype == np.float32
    assert given.warnings == ()


def test_unknown_ids_come_with_line_and_nearest(photos: Samples, tmp_path: Path) -> None:
    path = table(tmp_path, "bird/1.png,cat", "cat/1.png,cat", "dogg/3.png,dog", "zzz,cat")
    with pytest.raises(DataError) as caught:
        join_labels(photos, path)
    text = str(caught.value)
    assert text.startswith("3 ids of the labels not found in 'photos'")
    assert f"'bird/1.png' ({path}, line 2; nearest 'cat/1.png')" in text
    assert "line 4; nearest 'dog/3.png')" in text
    assert f"'zzz' ({path}, line 5)" in text
    assert "relative to it, with '/' and extension" in text
    assert caught.value.exit_status == 2


def test_near_spellings_are_found(vectors: Samples) -> None:
    with pytest.raises(
        DataError, match=r"1 id of the labels not found in 'array': '9' .* first ids .* '0', '1', '2'"
    ):
        join_labels(vectors, {"9": "a"})


def test_two_labels_for_one_id(photos: Samples, tmp_path: Path) -> None:
    path = table(tmp_path, "4.png,dog", "4.png,cat")
    with pytest.raises(
        DataError, match=r"labels or weights for 1 id: '4\.png' is 'dog' \(.*line 2\) and 'cat' \(.*line 3\)"
    ):
        join_labels(photos, path)


def test_the_same_label_twice_is_accepted_with_a_warning(photos: Samples, tmp_path: Path) -> None:
    given = join_labels(photos, table(tmp_path, "4.png,dog", "4.png,dog", "4.png,"))
    assert given.labels_N[0] == 1
    places = f"{tmp_path / 'labels.csv'}, line 2 and {tmp_path / 'labels.csv'}, line 3"
    assert given.warnings == (
        f"1 label given more than once, each time the same: '4.png' ({places}). Each counts once.",
    )


def test_a_disagreement_with_the_data_names_the_id(photos: Samples, tmp_path: Path) -> None:
    path = table(tmp_path, "cat/1.png,dog")
    with pytest.raises(
        DataError, match=r"disagree on 1 id: 'cat/1\.png' is 'cat' in 'photos' and 'dog' in .*labels\.csv, line 2"
    ):
        join_labels(photos, path)


def test_all_problems_are_said_at_once(photos: Samples, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        join_labels(photos, table(tmp_path, "x,a", "4.png,a", "4.png,b", "cat/1.png,dog"))
    assert len(str(caught.value).splitlines()) == 3


def test_no_labels_at_all(photos: Samples, vectors: Samples) -> None:
    with pytest.raises(
        DataError, match=r"none of the 4 examples of 'array' has one. Give --labels .* id and label\.$"
    ):
        join_labels(vectors)
    bare = open_samples(np.zeros((2, 4, 4), np.uint8))
    with pytest.raises(DataError, match="put labeled images into sub-folders named after their class"):
        join_labels(bare, [-1, -1])


def test_a_class_with_one_label_is_warned_of(vectors: Samples) -> None:
    (one,) = check_few(vectors, ("a", "b", "b", None))
    assert one.text == "one label only in 1 class: 'a'. Label a few more; nothing can be checked with one."
    assert list(one.rows) == ["0"]
    (two,) = check_few(vectors, ("a", "b", None, None))
    assert "one label only in 2 classes: 'a', 'b'" in two.text


def test_classes_sort_as_integers_if_all_are(vectors: Samples) -> None:
    assert join_labels(vectors, [10, 9, 9, -1]).classes == ("9", "10")
    assert join_labels(vectors, ["10", "9", "9", "x"]).classes == ("10", "9", "x")


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "b", "2": "a"}, {0: "b", 2: "a", 3: None}, ["b", "", "a", "-1"], ["b", None, "a", float("nan")],
        np.array(["b", "", "a", ""]), np.array(["b", None, "a", np.nan], dtype=object),
    ],
)  # fmt: skip
def test_mappings_and_aligned_sequences(vectors: Samples, labels: Any) -> None:
    given = join_labels(vectors, labels)
    assert (given.classes, given.labels_N.tolist()) == (("a", "b"), [1, -1, 0, -1])


@pytest.mark.parametrize(
    "labels", [np.array([7, -1, 3, -1]), np.array([[7.0], [np.nan], [3], [-1]]), torch.tensor([7, -1, 3, -1])]
)
def test_arrays_of_numbers(vectors: Samples, tmp_path: Path, labels: Any) -> None:
    assert join_labels(vectors, labels).classes == ("3", "7")
    np.save(tmp_path / "y.npy", labels)
    given = join_labels(vectors, tmp_path / "y.npy")
    assert given.labels_N.tolist() == [1, -1, 0, -1]


def test_aligned_labels_count_skipped_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('text\nx\n""\ny\n')
    samples = open_samples(tmp_path / "t.csv", warn=lambda _: None)
    assert samples.ids == ("0", "2")
    assert join_labels(samples, ["a", "b", "c"]).labels_N.tolist() == [0, 1]
    assert join_labels(samples, ["a", "b", "c"]).classes == ("a", "c")
    assert join_labels(samples, ["a", "c"]).classes == ("a", "c")
    given = join_labels(samples, {"0": "a", "1": "b"})
    assert given.warnings[0] == "1 label for examples that cannot be read: '1'. Left out."


def test_labels_of_another_length(vectors: Samples) -> None:
    with pytest.raises(DataError, match=r"labels has shape \(3,\) where 'array' has 4 rows"):
        join_labels(vectors, [1, 2, 3])


def test_weights(vectors: Samples, tmp_path: Path) -> None:
    path = tmp_path / "w.csv"
    path.write_text("id,label,weight\n0,a,0.5\n1,b,\n2,b,0\n")
    given = join_labels(vectors, path)
    assert given.labels_N.tolist() == [0, 1, -1, -1]
    assert given.weights_N.tolist() == [0.5, 1, 1, 1]
    assert "1 label of weight 0: '2'" in given.warnings[0]
    for wrong in ("-1", "x", "nan", "inf"):
        path.write_text(f"id,label,weight\n0,a,{wrong}\n")
        with pytest.raises(DataError, match=rf"w\.csv, line 2: weight '{wrong}' must be a number of at least 0"):
            join_labels(vectors, path)
    path.write_text("id,label,weight\n0,a,1\n0,a,2\n")
    with pytest.raises(DataError, match=r"'0' has weight 1 \(.*\) and 2 \("):
        join_labels(vectors, path)


def test_columns_of_labels_in_any_case(vectors: Samples, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("ID,Label\n0,a\n1,b\n")
    assert [(row.id, row.label) for row in read_label_table(tmp_path / "l.csv", vectors)] == [("0", "a"), ("1", "b")]


def test_typed_tables(vectors: Samples, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": [0, 1, 2], "label": [1.0, None, float("nan")]}), tmp_path / "l.parquet")
    assert [row.label for row in read_label_table(tmp_path / "l.parquet", vectors)] == ["1", None, None]
    (tmp_path / "l.jsonl").write_text('{"id": "0", "label": null}\n{"id": 1, "label": "NA"}\n')
    assert [row.label for row in read_label_table(tmp_path / "l.jsonl", vectors)] == [None, "NA"]


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("l.csv", "who,label\na,b\n", r"has no column 'id'.* --labels-id-col .*names who, label\."),
        ("l.csv", "id,what\na,b\n", r"has no column 'label'.*--labels-label-col.*names id, what\."),
        ("l.csv", "id|label\na|b\n", r"has no column 'id'.*names id\|label"),
        ("l.csv", "id,label\n,b\n", r"l\.csv, line 2: column 'id' is empty"),
        ("l.txt", "", r"cannot read labels from .* '\.txt': .* a table with.*rename it to l\.csv"),
        ("l.json", "[]", r"cannot read labels from .* '\.json': .*Label Studio, export as CSV"),
        ("l.xlsx", "", r"cannot read labels from .* '\.xlsx': .*CSV UTF-8"),
        ("none.txt", None, "no file .* Check the path of the labels"),
    ],
)
def test_tables_of_labels_that_cannot_be_used(
    vectors: Samples, tmp_path: Path, name: str, content: str | None, text: str
) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(RequestError, match=text):
        join_labels(vectors, tmp_path / name)


def test_rows_of_soft_labels_are_refused(vectors: Samples) -> None:
    with pytest.raises(DataError, match=r"labels has shape \(4, 2\)"):
        join_labels(vectors, np.eye(4)[:, :2])
    with pytest.raises(DataError, match=r"lists in the place of 4 labels: '\[0\.5, 0\.5\]'"):
        join_labels(vectors, [[0.5, 0.5]] * 4)


def test_labels_of_an_unknown_type(vectors: Samples) -> None:
    with pytest.raises(RequestError, match="labels cannot be read from an object of type int"):
        join_labels(vectors, 7)


def test_the_truth_is_read_like_labels(photos: Samples, tmp_path: Path) -> None:
    path = table(tmp_path, "4.png,cat", "cat/1.png,dog")
    assert read_truth(None, photos) == (None,) * 5
    assert read_truth(path, photos, classes=("cat", "dog")) == ("cat", None, "dog", None, None)
    with pytest.raises(DataError, match=r"the truth cannot be used\. 1 id of the labels not found"):
        read_truth({"x": "cat"}, photos)
    with pytest.raises(
        DataError, match=r"no class in common: '0' against 'cat', 'dog'\. Write both in the same names"
    ):
        read_truth({"4.png": 0}, photos, classes=("cat", "dog"))


def test_the_truth_from_a_column_of_the_data(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("id,text,label,real\na,x,1,1\nb,,,2\nc,y,,2\nd,z,,\n")
    columns = Columns(truth="real")
    samples = open_samples(path, columns=columns, warn=lambda _: None)
    assert samples.given == ("1", None, None)
    assert read_truth(None, samples, data=path, columns=columns) == ("1", "2", None)
    with pytest.raises(RequestError, match="--truth and --truth-col both give the truth"):
        read_truth({"a": 1}, samples, data=path, columns=columns)


def test_joining_leaves_the_samples_as_they_are(photos: Samples, tmp_path: Path) -> None:
    before = photos.given
    join_labels(photos, table(tmp_path, "4.png,dog"))
    assert photos.given is before


def test_labels_that_a_run_found_are_said_to_be_such(vectors: Samples, tmp_path: Path) -> None:
    """A run's labels.parquet, or a selection, given back as labels."""
    run = {"id": ["0", "1", "2"], "label": ["a", "b", "a"], "certainty": [1.0, 0.6, 0.9]}
    pq.write_table(pa.table(run | {"source": ["given", "predicted", "accepted"]}), tmp_path / "labels.parquet")
    found = join_labels(vectors, tmp_path / "labels.parquet")
    assert any("1 label that a run found, nobody gave: '1'" in text for text in found.warnings)
    chosen = {"id": ["0", "1"], "label": ["a", "b"], "score": [0.9, 0.8], "rank": [1, 1]}
    pq.write_table(pa.table(chosen), tmp_path / "selected.parquet")
    found = join_labels(vectors, tmp_path / "selected.parquet")
    assert any("2 labels that a run found, nobody gave" in text for text in found.warnings)
    mine = {"id": ["0", "1"], "label": ["a", "b"], "source": ["field", "web"]}
    pq.write_table(pa.table(mine), tmp_path / "mine.parquet")
    assert not any("a run found" in text for text in join_labels(vectors, tmp_path / "mine.parquet").warnings)


def test_a_later_file_may_correct_an_earlier_one(photos: Samples, tmp_path: Path) -> None:
    rows = {"first.csv": "id,label\n4.png,cat\n", "array.npy": None, "last.csv": "id,label\n4.png,dog\n5.png,\n"}
    for name, text in rows.items():
        if text is not None:
            (tmp_path / name).write_text(text, encoding="utf-8")
    np.save(tmp_path / "array.npy", np.array(["", "", "", "", "dog"]))
    files = [tmp_path / name for name in rows]
    index = photos.ids.index("4.png")
    for order, label in ((files, "dog"), ([files[2], files[1], files[0]], "cat")):
        given = join_labels(photos, order, LabelOptions(prefer="labels"))
        assert given.classes[given.labels_N[index]] == label
        assert any("'4.png' is" in text and "1 label of an earlier file" in text for text in given.notes)
    with pytest.raises(DataError, match="let the later file count with --prefer labels"):
        join_labels(photos, files)
    (tmp_path / "twice.csv").write_text("id,label\n4.png,cat\n4.png,dog\n", encoding="utf-8")
    with pytest.raises(DataError, match="Keep one row for each\\."):
        join_labels(photos, tmp_path / "twice.csv", LabelOptions(prefer="labels"))


def test_labels_may_correct_those_of_a_folder(photos: Samples, tmp_path: Path) -> None:
    path = table(tmp_path, "cat/1.png,dog", "cat/2.png,", "dog/3.png,dog", "4.png,dog")
    given = join_labels(photos, path, LabelOptions(prefer="labels"))
    assert given.labels_N.tolist() == [1, -1, 1, 0, 1], "a row without a label corrects nothing"
    assert given.notes == (
        "LABELS correct 1 label of 'photos', as --prefer labels says: 'cat/1.png' is 'dog', not 'cat'.",
    )
    with pytest.raises(DataError, match="let LABELS count with --prefer labels"):
        join_labels(photos, path)
    with pytest.raises(UnknownNameError, match="unknown --prefer 'label'; did you mean 'labels'"):
        LabelOptions(prefer="label")
