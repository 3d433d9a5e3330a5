from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError, RequestError, UnknownNameError
from labelprop.data.labels.file_columns import find_columns
from labelprop.data.labels.options import LabelOptions
from labelprop.data.labels.table import LabelRow, read_label_table
from labelprop.data.samples import Samples, open_samples
from small_tables import text


@pytest.fixture
def questions(tmp_path: Path) -> Samples:
    (tmp_path / "data.csv").write_text("id,text\na,x\nb,y\nc,z\n")
    return open_samples(tmp_path / "data.csv")


def columns_of(tmp_path: Path, header: str, options: LabelOptions | None = None, known: str = "") -> tuple[str, str]:
    table = text(tmp_path, f"{header}\n{','.join(f'{name}-1' for name in header.split(','))}\n")
    return find_columns(table, options or LabelOptions(), lambda name: name == known)[:2]


@pytest.mark.parametrize(
    ("header", "found"),
    [
        ("image_id,class", ("image_id", "class")),
        ("filename,target", ("filename", "target")),
        ("File_Name,Category", ("File_Name", "Category")),
        ("path,labels", ("path", "labels")),
        ("label,id,class,file", ("id", "label")),
        ("weight,image,choice", ("image", "choice")),
        ("ID,Label", ("ID", "Label")),
    ],
)
def test_usual_names_are_found(tmp_path: Path, header: str, found: tuple[str, str]) -> None:
    assert columns_of(tmp_path, header) == found


def test_of_several_ids_it_is_the_first_that_names_an_example(tmp_path: Path) -> None:
    assert columns_of(tmp_path, "id,file,label", known="file-1") == ("file", "label")
    assert columns_of(tmp_path, "id,file,label", known="id-1") == ("id", "label")
    assert columns_of(tmp_path, "id,file,label", known="") == ("id", "label")


def test_the_id_of_a_label_studio_export_is_not_that_of_the_data(tmp_path: Path) -> None:
    header = "annotation_id,annotator,choice,created_at,id,image,lead_time,updated_at"
    assert columns_of(tmp_path, header, known="id-1") == ("image", "choice"), (
        "even where a task has the number of a row"
    )
    assert columns_of(tmp_path, header, LabelOptions(id="id"), known="") == ("id", "choice")
    with pytest.raises(DataError, match="--labels-id-col"):
        columns_of(tmp_path, "annotation_id,choice,id,lead_time", known="id-1")


def test_columns_are_named(tmp_path: Path) -> None:
    assert columns_of(tmp_path, "id,label,who,what", LabelOptions(id="who", label="what")) == ("who", "what")
    assert columns_of(tmp_path, "who,label", LabelOptions(id="who")) == ("who", "label")
    assert columns_of(tmp_path, "class,target,file", LabelOptions(label="target")) == ("file", "target")
    with pytest.raises(DataError, match=r"the labels may be in 'class', 'target'\. .*--labels-label-col"):
        columns_of(tmp_path, "class,target,file")


def test_a_note_says_which_columns_were_taken(questions: Samples, tmp_path: Path) -> None:
    told: list[str] = []
    (tmp_path / "l.csv").write_text("filename,class\na,u\n")
    (tmp_path / "usual.csv").write_text("ID,Label\nb,v\n")
    read_label_table([tmp_path / "l.csv", tmp_path / "usual.csv"], questions, tell=told.append)
    assert told == [f"{tmp_path / 'l.csv'}: ids are taken from the column 'filename', labels from 'class'"]


def test_of_several_files_one_must_have_the_column_that_was_named(questions: Samples, tmp_path: Path) -> None:
    """Corrections from the report have id and label, whatever the columns of the first file."""
    (tmp_path / "l.csv").write_text("who,what\na,u\n")
    (tmp_path / "corrections.csv").write_text("id,label\nb,v\n")
    files = [str(tmp_path / "l.csv"), str(tmp_path / "corrections.csv")]
    rows = read_label_table(files, questions, LabelOptions(id="who", label="what"))
    assert [(row.id, row.label) for row in rows] == [("a", "u"), ("b", "v")]
    with pytest.raises(UnknownNameError, match=r"unknown column of .* 'whom'; did you mean 'who'"):
        read_label_table(files, questions, LabelOptions(id="whom"))


def test_hf_labels_and_other_encodings(questions: Samples, tmp_path: Path) -> None:
    pq.write_table(pa.table({"id": ["a", "b"], "labels": [1, -1]}), tmp_path / "hf.parquet")
    assert [row.label for row in read_label_table(tmp_path / "hf.parquet", questions)] == ["1", None]
    (tmp_path / "l.csv").write_bytes("id,label\na,Käse\n".encode("cp1252"))
    (row,) = read_label_table(tmp_path / "l.csv", questions, LabelOptions(encoding="cp1252"))
    assert row == LabelRow("a", "Käse", 1.0, f"{tmp_path / 'l.csv'}, line 2")
    with pytest.raises(RequestError, match=r"is not UTF-8.*--encoding"):
        read_label_table(tmp_path / "l.csv", questions)


@pytest.mark.parametrize("kind", ["json", "txt", "xlsx", "pt", "unheard", ""])
def test_a_file_of_another_kind_is_one_also_in_a_list(questions: Samples, tmp_path: Path, kind: str) -> None:
    """The command line gives a list of paths, which was taken for labels aligned with the rows."""
    path = tmp_path / f"l.{kind}".rstrip(".")
    path.write_text("id,label\n")
    for labels in ([str(path)], [path], str(path)):
        with pytest.raises(RequestError, match=r"cannot read labels from '.*\.csv \.tsv \.jsonl \.parquet"):
            read_label_table(labels, questions)


@pytest.mark.parametrize("labels", [["nowhere.csv"], "nowhere.csv", Path("nowhere"), ["nowhere.json"], [Path("x/y")]])
def test_a_path_that_leads_nowhere_is_named(questions: Samples, labels: object) -> None:
    with pytest.raises(RequestError, match=r"no file '.*'\. Check the path of the labels"):
        read_label_table(labels, questions)


def test_a_list_of_texts_is_aligned_labels(questions: Samples) -> None:
    with pytest.raises(DataError, match=r"shape \(1,\) where 'data' has 3 rows.*'labels/here' should be a file"):
        read_label_table(["labels/here"], questions)
    assert [row.label for row in read_label_table(["cat", "dog", ""], questions)] == ["cat", "dog"]


def test_rows_without_id_and_label_say_nothing(questions: Samples, tmp_path: Path) -> None:
    (tmp_path / "l.csv").write_text("id,label,by\na,u,me\n,,me\nb,,\n,,\n")
    assert [row.id for row in read_label_table(tmp_path / "l.csv", questions)] == ["a", "b"]
    (tmp_path / "l.csv").write_text("id,label\na,u\n,v\n,\n")
    with pytest.raises(DataError, match=r"l\.csv, line 3: column 'id' is empty"):
        read_label_table(tmp_path / "l.csv", questions)


def test_a_file_without_a_first_line_of_names_is_told_which(questions: Samples, tmp_path: Path) -> None:
    for first in (f"{questions.ids[0]},cat", f"cat,{questions.ids[1]}", f"{questions.ids[0]},label"):
        (tmp_path / "l.csv").write_text(f"{first}\n{questions.ids[2]},dog\n")
        with pytest.raises(DataError, match=r"l\.csv has no column 'id'.*write `id,label` as its first line"):
            read_label_table(tmp_path / "l.csv", questions)


def test_columns_of_zeros_and_ones_are_told_to_be_one(questions: Samples, tmp_path: Path) -> None:
    rows = {"int": ("1", "0"), "float": ("1.0", "0.0"), "bool": ("true", "false")}
    for yes, no in rows.values():
        (tmp_path / "l.csv").write_text(f"id,cat,dog\n{questions.ids[0]},{yes},{no}\n{questions.ids[1]},{no},{yes}\n")
        with pytest.raises(DataError, match=r"'cat', 'dog' hold 0 and 1 alone.*the name of the column that holds 1"):
            read_label_table(tmp_path / "l.csv", questions)
    (tmp_path / "l.csv").write_text(f"id,cat,dog\n{questions.ids[0]},1,2\n")
    with pytest.raises(DataError, match="name their columns with --labels-id-col"):
        read_label_table(tmp_path / "l.csv", questions)


def test_of_many_columns_the_first_are_named(questions: Samples, tmp_path: Path) -> None:
    names = [f"c{number:02}" for number in range(68)]
    (tmp_path / "l.csv").write_text(",".join(names) + "\n" + ",".join(names) + "\n")
    with pytest.raises(DataError, match=r"c06, c07 and 60 more"):
        read_label_table(tmp_path / "l.csv", questions)
    with pytest.raises(UnknownNameError, match=r"did you mean 'c20'\? Known: c00, .*c07 and 60 more\."):
        read_label_table(tmp_path / "l.csv", questions, LabelOptions(id="c20x"))
    with pytest.raises(RequestError, match=r"no column of content was found.*c07 and 60 more"):
        open_samples(tmp_path / "l.csv")
