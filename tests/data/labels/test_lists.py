from __future__ import annotations

from pathlib import Path

import numpy as np
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


@pytest.mark.parametrize("name", ["t.parquet", "t.jsonl"])
def test_typed_lists_name_the_row(tmp_path: Path, name: str) -> None:
    if name == "t.parquet":
        pq.write_table(pa.table({"id": ["a", "b"], "label": pa.array([None, ["cat", "dog"]])}), tmp_path / name)
    else:
        (tmp_path / name).write_text('{"id": "a"}\n{"id": "b", "label": ["cat", "dog"]}\n')
    samples = open_samples(np.ones((2, 2)))
    place = "row 1" if name == "t.parquet" else "line 2"
    for options in (LabelOptions(), LabelOptions(literal=True)):
        with pytest.raises(
            DataError, match=rf"{name}, {place}: column 'label' holds a list of labels, \['cat', 'dog'\]"
        ):
            join_labels(samples, tmp_path / name, options)


def test_lists_are_counted_by_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('id,text,label\na,x,cat\nb,y,dog\nc,z,"cat,dog"\nd,w,"cat,dog"\ne,v,\n')
    _, findings = inspect_data(tmp_path / "t.csv")
    assert findings[0].text.startswith("lists in the place of 2 labels")
    assert list(findings[0].rows) == ["c", "d"]
    assert findings[-1].text == "5 rows: 3 used, 0 skipped, 2 refused."
