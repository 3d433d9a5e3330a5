from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.labels.lists import listed
from labelprop.data.labels.options import LabelOptions
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        (['["cat"]', "cat"], {'["cat"]'}),
        (["['cat', 'dog']"], {"['cat', 'dog']"}),
        (['{"choices": ["a", "b"]}'], {'{"choices": ["a", "b"]}'}),
        (["[1, 2]", "[]"], {"[1, 2]", "[]"}),
        (["cat|dog", "cat", "bird"], {"cat|dog"}),
        (["cat|dog", "cat|bird", "dog|bird"], {"cat|dog", "cat|bird", "dog|bird"}),
        (["cat | dog", "dog"], {"cat | dog"}),
        (["cat,dog", "cat", "dog"], {"cat,dog"}),
        (["cat; dog", "cat", "dog"], {"cat; dog"}),
        (["cat/dog", "cat", "dog"], {"cat/dog"}),
        # Names of classes:
        (["[unk]", "[PAD]", "{x}", "[a", "(cat, dog)"], set()),
        (["animal|cat", "animal|dog", "plant"], set()),
        (["New York | NY", "Texas | TX"], set()),
        (["Washington", "Washington, D.C.", "Boston"], set()),
        (["Smith, John", "Smith, Anna"], set()),
        (["cat|", "cat", "|"], set()),
        (["cat,", "cat"], set()),
        (["animal/cat", "animal/dog", "animal", "n/a"], set()),
    ],
)
def test_which_labels_are_lists(labels: list[str], found: set[str]) -> None:
    assert listed(labels) == found


def test_a_list_names_file_row_and_flag(tmp_path: Path) -> None:
    samples = open_samples(np.ones((4, 2)))
    path = tmp_path / "l.csv"
    path.write_text('id,label\n0,cat\n1,dog\n2,cat|dog\n3,"[""cat""]"\n')
    said = r"'\[\"cat\"\]' \(.*l\.csv, line 5, id '3'\); 'cat\|dog' \(.*l\.csv, line 4, id '2'\).*--literal-labels"
    with pytest.raises(DataError, match=said):
        join_labels(samples, path)
    given = join_labels(samples, path, LabelOptions(literal=True))
    assert given.classes == ('["cat"]', "cat", "cat|dog", "dog")
    with pytest.raises(DataError, match="cat"):
        read_truth(path, samples)


def test_a_mark_in_a_name_is_said_unless_it_was_said_to_be_part_of_it() -> None:
    """Without another row that has a part of it, nothing tells a list from a name."""
    samples, labels = open_samples(np.ones((4, 2))), ["animal|cat", "animal|dog", "plant", ""]
    (said,) = join_labels(samples, labels).warnings
    assert said.startswith("2 class names with '|': 'animal|cat', 'animal|dog'.")
    assert join_labels(samples, labels, LabelOptions(literal=True)).warnings == ()


def test_lists_in_data_name_the_row(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label,other\nx,cat,u\ny,cat|dog,u|v\nz,,u\n")
    samples = open_samples(tmp_path / "t.csv")
    with pytest.raises(DataError, match=r"'cat\|dog' \('t', line 3, id '1'\)"):
        join_labels(samples)
    with pytest.raises(DataError, match=r"the truth cannot be used.*'u\|v' \('t', line 3"):
        read_truth(None, samples, data=tmp_path / "t.csv", columns=Columns(truth="other"))


LISTS = [None, ["cat", "dog"], ["cat"], ["cat", "dog"]]


def write_lists(path: Path, labels: list[Any]) -> None:
    """A table of texts, of which some have lists as labels: with types, or as text."""
    rows = [{"id": id, "text": f"text {id}", "label": label} for id, label in zip("abcd", labels, strict=False)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    else:
        texts = [{**row, "label": "" if row["label"] is None else json.dumps(row["label"])} for row in rows]
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, ["id", "text", "label"])
            writer.writeheader()
            writer.writerows(texts)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_lists_count_alike_with_types_and_as_text(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t.{suffix}"
    write_lists(path, LISTS)
    places = {"csv": ("line 3", "line 4"), "parquet": ("row 1", "row 2"), "jsonl": ("line 2", "line 3")}[suffix]
    said = [f"'[\"cat\", \"dog\"]' ('t', {places[0]}, id 'b')", f"'[\"cat\"]' ('t', {places[1]}, id 'c')"]
    _, findings = inspect_data(path)
    assert findings[0].text.startswith(f"lists in the place of 3 labels: {said[0]}; {said[1]}.")
    assert findings[-1].text == "4 rows: 1 used, 0 skipped, 3 refused; 1 file: 1 used, 0 skipped, 0 refused."
    assert join_labels(open_samples(path), options=LabelOptions(literal=True)).classes == (
        '["cat", "dog"]',
        '["cat"]',
    )
    write_lists(tmp_path / "data.csv", [None] * 4)
    with pytest.raises(DataError, match=rf"lists in the place of 3 labels: .*t\.{suffix}, {places[0]}, id 'b'"):
        join_labels(open_samples(tmp_path / "data.csv"), path)


def test_lists_in_shards_count_alike(tmp_path: Path) -> None:
    write_lists(tmp_path / "1.parquet", LISTS)
    pq.write_table(
        pa.table({"id": ["e"], "text": ["x"], "label": pa.array([None], pa.string())}), tmp_path / "2.parquet"
    )
    _, findings = inspect_data(tmp_path)
    assert findings[-1].text.startswith("5 rows: 2 used, 0 skipped, 3 refused; 2 files: ")


@pytest.mark.parametrize(
    "labels",
    [
        [["cat", "dog"], "cat", None],
        np.array([["cat", "dog"], "cat", None], dtype=object),
        pd.Series([np.array(["cat", "dog"]), "cat", None]),
        {"0": ("cat", "dog"), "1": "cat"},
        pa.array([["cat", "dog"], ["nan"], None]),
    ],
)
def test_lists_in_memory_count_alike(labels: Any) -> None:
    with pytest.raises(DataError, match=r"lists in the place of [12] labels?: .*'\[\"cat\", \"dog\"\]' \(labels"):
        join_labels(open_samples(np.ones((3, 2))), labels)


def test_lists_are_counted_by_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,text,label\na,x,cat\nb,y,dog\nc,z,"cat,dog"\nd,w,"cat,dog"\ne,v,\n')
    _, findings = inspect_data(tmp_path / "t.csv")
    assert findings[0].text.startswith("lists in the place of 2 labels")
    assert list(findings[0].rows) == ["c", "d"]
    assert findings[-1].text == "5 rows: 3 used, 0 skipped, 2 refused; 1 file: 1 used, 0 skipped, 0 refused."
