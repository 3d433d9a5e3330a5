"""Names in Unicode's composed and decomposed forms are one name, in every reader; the file keeps its own."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from labelprop.core.errors import DataError
from labelprop.data.labels.inspect import inspect_data
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.samples import Samples, open_samples
from labelprop.propagators.label_spreading import LabelSpreading

ONE, TWO = unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")
Put = Callable[..., Path]


@pytest.fixture(autouse=True)
def _keeps_names_as_they_are(tmp_path: Path) -> None:
    (tmp_path / f"{TWO}.probe").touch()
    if f"{TWO}.probe" not in {path.name for path in tmp_path.iterdir()}:
        pytest.skip("this file system changes names")
    (tmp_path / f"{TWO}.probe").unlink()


def test_two_folders_are_one_class(tmp_path: Path, put_image: Put) -> None:
    for seed, name in enumerate([f"{ONE}/1.png", f"{TWO}/2.png", "thé/1.png", "unlabeled/1.png"]):
        put_image(tmp_path / "photos" / name, seed=seed)
    photos = open_samples(tmp_path / "photos")
    assert sorted(photos.ids) == sorted([f"{ONE}/1.png", f"{ONE}/2.png", "thé/1.png", "unlabeled/1.png"])
    assert photos.declared == (ONE, "thé")
    assert join_labels(photos).classes == (ONE, "thé")
    assert photos.skipped == (), "a file is opened by the name it has on disk"


def test_two_files_of_one_id_are_refused_with_both_names(tmp_path: Path, put_image: Put) -> None:
    put_image(tmp_path / "photos" / ONE / "1.png", seed=0)
    put_image(tmp_path / "photos" / TWO / "1.png", seed=1)
    with pytest.raises(DataError) as caught:
        open_samples(tmp_path / "photos")
    assert repr(f"{ONE}/1.png".encode()) in str(caught.value)
    assert repr(f"{TWO}/1.png".encode()) in str(caught.value)
    _, findings = inspect_data(tmp_path / "photos")
    assert [found.text for found in findings if found.severity == "blocking"] == [str(caught.value)]


def test_two_rows_of_one_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"id,text\n{ONE},a\n{TWO},b\n", encoding="utf-8")
    with pytest.raises(DataError, match="more than once"):
        open_samples(path)


def labels_in(kind: str, folder: Path, ids: list[str], labels: list[str]) -> Any:
    match kind:
        case "mapping":
            return dict(zip(ids, labels, strict=True))
        case "parquet":
            pq.write_table(pa.table({"id": ids, "label": labels}), folder / "l.parquet")
            return folder / "l.parquet"
        case "jsonl":
            lines = [f'{{"id": "{name}", "label": "{label}"}}' for name, label in zip(ids, labels, strict=True)]
            (folder / "l.jsonl").write_text("\n".join(lines), encoding="utf-8")
            return folder / "l.jsonl"
        case "array":
            return np.array(labels)
        case "npy":
            np.save(folder / "l.npy", np.array(labels))
            return folder / "l.npy"
        case "frame":
            return pa.table({"id": ids, "label": labels})
        case _:
            (folder / "l.csv").write_text(
                "id,label\n" + "".join(map("{},{}\n".format, ids, labels)), encoding="utf-8"
            )
            return folder / "l.csv"


@pytest.fixture
def flat(tmp_path: Path, put_image: Put) -> Samples:
    for seed, name in enumerate([f"1{ONE}.png", f"2{TWO}.png"]):
        put_image(tmp_path / "flat" / name, seed=seed)
    return open_samples(tmp_path / "flat")


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet", "npy", "array", "mapping", "frame"])
def test_ids_and_labels_of_every_kind_of_labels(kind: str, tmp_path: Path, flat: Samples) -> None:
    labels = labels_in(kind, tmp_path, [f"1{TWO}.png", f"2{ONE}.png"], [ONE, TWO])
    given = join_labels(flat, labels)
    assert (given.classes, given.labels_N.tolist()) == ((ONE,), [0, 0])
    assert read_truth(labels, flat, classes=(ONE,)) == (ONE, ONE)


def test_data_of_every_other_kind(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.ones((2, 2)), y=np.array([ONE, TWO]), ids=np.array(["x", TWO]))
    columns = {"id": ["x", TWO], "text": [TWO, ONE], "label": [ONE, TWO]}
    pq.write_table(pa.table(columns), tmp_path / "t.parquet")
    for data in (tmp_path / "a.npz", tmp_path / "t.parquet", pa.table(columns)):
        found = open_samples(data)
        assert (found.ids, found.given) == (("x", ONE), (ONE, ONE))
    assert found.texts == (TWO, ONE), "a text is no name"


def test_windows_separators_in_ids_of_labels(tmp_path: Path, put_image: Put) -> None:
    put_image(tmp_path / "photos" / "a" / "1.png")
    photos = open_samples(tmp_path / "photos")
    assert join_labels(photos, {"a\\1.png": "a"}).labels_N.tolist() == [0]


def test_an_estimator_joins_two_forms_and_leaves_one_as_it_is() -> None:
    X = np.array([[5, 0.1], [5, 0.2], [0.1, 5], [0.2, 5]])
    joined = LabelSpreading(n_neighbors=1).fit(X, [ONE, TWO, "x", ""])
    assert joined.classes_.tolist() == [ONE, "x"]
    assert joined.transduction_.tolist() == [ONE, ONE, "x", "x"]
    alone = LabelSpreading(n_neighbors=1).fit(X, [TWO, "", "x", ""])
    assert alone.classes_.tolist() == [TWO, "x"]
    assert alone.score(X, [ONE, TWO, "x", "x"]) == 1
