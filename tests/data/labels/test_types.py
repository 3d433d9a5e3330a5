"""Labels go back to Python in the type they were given in; files hold text."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

import labelprop
from labelprop.core.errors import DataError
from labelprop.core.files import write_json
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.samples import open_samples
from labelprop.runs.tables import as_given


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        (np.array([3, -1, 10]), "integer"),
        (torch.tensor([3, -1, 10]), "integer"),
        ([3, None, 10], "integer"),
        ({"0": 3, 2: 10}, "integer"),
        ({"0": "3", "2": "10"}, None),
        (np.array([3.0, np.nan, 10.5]), "float"),
        ([3, None, 10.5], "float"),
        (np.array([True, False, True]), "boolean"),
        (np.array(["3", "", "10"]), None),
        (pa.array([3, None, 10]), "integer"),
        (pa.array(["3", None, "10"]), None),
        ([3, None, 2**70], None),
        ([3, None, "b"], None),
    ],
)
def test_the_type_of_labels(labels: Any, kind: str | None) -> None:
    assert join_labels(open_samples(np.ones((3, 2))), labels).type == kind


@pytest.mark.parametrize("wrong", [np.inf, -np.inf, 1j])
def test_infinite_and_complex_numbers_are_no_labels(tmp_path: Path, wrong: Any) -> None:
    vectors = open_samples(np.ones((3, 2)))
    np.save(tmp_path / "y.npy", np.array([0, wrong, 2]))
    np.savez(tmp_path / "d.npz", X=np.ones((3, 2)), y=np.array([0, wrong, 2]))
    for labels in (np.array([0, wrong, 2]), [0, wrong, None], {0: 0, 1: wrong}, str(tmp_path / "y.npy")):
        with pytest.raises(DataError, match=r"row [01]: the label is .*neither infinite nor complex"):
            join_labels(vectors, labels)
        with pytest.raises(DataError, match=r"row [01]: the label is .*neither infinite nor complex"):
            read_truth(labels, vectors)
    with pytest.raises(DataError, match=r"'y', row [01]: the label is .*neither infinite nor complex"):
        open_samples(tmp_path / "d.npz")


def test_an_infinite_label_in_a_table_and_infinity_as_a_name(tmp_path: Path) -> None:
    table = pa.table({"id": [0, 1, 2], "label": [0.0, np.inf, 2.0]})
    with pytest.raises(DataError, match=r"row 1: the label is inf"):
        join_labels(open_samples(np.ones((3, 2))), table)
    with pytest.raises(DataError, match=r"row 1: the label is inf"):
        open_samples(table.append_column("embedding", [[[1.0]] * 3]))
    assert join_labels(open_samples(np.ones((3, 2))), ["a", "inf", None]).classes == ("a", "inf")


def test_numbers_of_the_data_joined_with_text(tmp_path: Path) -> None:
    np.savez(tmp_path / "d.npz", X=np.ones((3, 2)), y=np.array([3, -1, 10]))
    samples = open_samples(tmp_path / "d.npz")
    for label, kind in (("3", "integer"), ("b", None), ("03", None)):
        (tmp_path / "l.csv").write_text(f"id,label\n1,{label}\n")
        given = join_labels(samples, tmp_path / "l.csv")
        assert given.type == kind
        assert bool(given.warnings) == (label == "b"), "a name among numbers is asked about"
    (tmp_path / "names.csv").write_text("id,label\n0,cat\n")
    np.save(tmp_path / "y.npy", np.array([-1, 1, 2]))
    vectors = open_samples(np.ones((3, 2)))
    several = join_labels(vectors, [str(tmp_path / "y.npy"), str(tmp_path / "names.csv")])
    assert any("are numbers ('1', '2')" in text and "are names ('cat')" in text for text in several.warnings)


def test_a_column_without_a_label_has_no_say() -> None:
    empty = pa.table({"embedding": [[1.0], [2.0]], "label": pa.nulls(2, pa.float64())})
    assert join_labels(open_samples(empty), {0: 3, 1: 10}).type == "integer"
    halves = pa.table({"embedding": [[1.0], [2.0]], "label": [0.5, None]})
    assert join_labels(open_samples(halves), {1: 10}).type == "float"


def test_columns_with_names_for_numbers_are_text(tmp_path: Path) -> None:
    pq.write_table(pa.table({"embedding": [[1.0], [2.0]], "label": [1, None]}), tmp_path / "t.parquet")
    assert open_samples(tmp_path / "t.parquet").label_type == "integer"
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {"embedding": datasets.List(datasets.Value("float32")), "label": datasets.ClassLabel(names=["x", "y"])}
    )
    named = datasets.Dataset.from_dict({"embedding": [[1.0], [2.0]], "label": [1, -1]}, features=features)
    assert (open_samples(named).given, open_samples(named).label_type) == (("y", None), None)


@pytest.mark.parametrize(
    ("kind", "texts", "wanted"),
    [
        ("integer", ["3", None, "10"], [3, None, 10]),
        ("float", ["3", None, "10.5"], [3.0, None, 10.5]),
        ("boolean", ["true", None, "false"], [True, None, False]),
        (None, ["3", None, "10"], ["3", None, "10"]),
    ],
)
def test_tables_with_labels_as_they_were_given(kind: Any, texts: list[str | None], wanted: list[Any]) -> None:
    found = as_given(pa.table({"id": ["a", "b", "c"], "label": texts}), kind)
    assert found["label"].to_pylist() == wanted
    assert found.column_names == ["id", "label"]


def test_a_run_gives_them_back_and_its_files_hold_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(60) % 2
    X = (4 * np.eye(2)[truth] + rng.normal(size=(60, 2))).astype(np.float32)
    y = np.where(np.arange(60) < 10, 3 + 7 * truth, -1)
    options: dict[str, Any] = {"recipe": "supervised", "steps": 3, "baselines": False, "quiet": True}
    run = labelprop.train(X, y, out=tmp_path / "run", **options)
    assert run.labels["label"].type == pa.int64()
    assert set(run.labels["label"].to_pylist()) <= {3, 10}
    assert pq.read_table(tmp_path / "run" / "labels.parquet")["label"].type == pa.string()
    predicted = labelprop.load(tmp_path / "run").predict(X[:5], proba=True)
    assert predicted["label"].type == pa.int64()
    assert run.select(X, per_class=1)["label"].type == pa.int64()
    again = labelprop.propagate(X, predicted, out=tmp_path / "again", baselines=False, quiet=True)
    assert set(again.labels["label"].to_pylist()) <= {3, 10}, "a label is not the place of a class"
    record = run._folder.read_json("run.json")
    write_json(tmp_path / "run" / "run.json", {name: record[name] for name in record if name != "label_type"})
    assert labelprop.load(tmp_path / "run").labels["label"].type == pa.string(), "runs of before say nothing of it"
