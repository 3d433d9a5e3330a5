"""Frames of pandas and polars and Arrow tables as DATA, LABELS and truth."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import torch

import labelprop
from labelprop.core.errors import DataError, RequestError
from labelprop.data.labels.join import join_labels, read_truth
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns


def polars_frame(columns: dict[str, list[Any]]) -> Any:
    return pytest.importorskip("polars").DataFrame(columns)


MAKERS = {"pandas": pd.DataFrame, "polars": polars_frame, "arrow": pa.table}


@pytest.fixture(params=MAKERS)
def make(request: pytest.FixtureRequest) -> Callable[[dict[str, list[Any]]], Any]:
    return MAKERS[request.param]


def test_texts_with_ids_and_labels(make: Callable[..., Any]) -> None:
    found = open_samples(make({"id": ["007", "8"], "text": ["one", "two"], "label": ["a", None]}))
    assert (found.name, found.modality) == ("frame", "text")
    assert (found.ids, found.texts, found.given) == (("007", "8"), ("one", "two"), ("a", None))


def test_vectors_in_one_column_and_in_many(make: Callable[..., Any]) -> None:
    one = open_samples(make({"embedding": [[1.0, 2.0], [3.0, 4.0]]}))
    told: list[str] = []
    many = open_samples(make({"id": ["x", "y"], "a": [1.0, 3.0], "b": [2, 4], "label": [5, -1]}), warn=told.append)
    assert told == ["'frame': vectors of 2 columns, 'a' to 'b'."]
    assert one.ids == ("0", "1")
    assert (many.ids, many.given, many.label_type) == (("x", "y"), ("5", None), "integer")
    for samples in (one, many):
        assert samples.content is not None
        assert samples.content.read(torch.arange(2)).tolist() == [[1, 2], [3, 4]]
    with pytest.raises(RequestError, match="no column of content was found"):
        open_samples(make({"a": [1.0, 3.0], "city": ["x", "y"]}))


@pytest.mark.parametrize("name", ["target", "Class", "y", "ID", "image_id", "index", "Unnamed: 0"])
def test_what_is_named_like_labels_or_ids_is_no_feature(make: Callable[..., Any], name: str) -> None:
    frame = make({"a": [1.0, 3.0], "b": [2.0, 4.0], name: [0, 1]})
    with pytest.raises(RequestError, match=f"--label-col '{name}'.*--embedding-cols 'a:{name}'"):
        open_samples(frame)
    for columns, n in ((Columns(label=name), 2), (Columns(id=name), 2), (Columns(embeddings=f"a:{name}"), 3)):
        found = open_samples(frame, columns=columns, warn=lambda _: None)
        assert found.content is not None
        assert found.content.shape == (n,)
    truth = Columns(truth=name)
    assert read_truth(None, open_samples(frame, columns=truth, warn=lambda _: None), data=frame, columns=truth) == (
        "0",
        "1",
    )


def test_the_truth_beside_labels_of_another_name(make: Callable[..., Any]) -> None:
    frame = make({"x": [1.0, 3.0], "y": [2.0, 4.0], "target": [0, -1], "label": [0, 1]})
    columns = Columns(label="target", truth="label")
    samples = open_samples(frame, columns=columns, warn=lambda _: None)
    assert samples.features == ("x", "y"), "a place in the plane"
    assert read_truth(None, samples, data=frame, columns=columns) == ("0", "1")


def test_a_named_index_is_no_feature() -> None:
    frame = pd.DataFrame({"a": [1.0, 3.0]}, index=pd.Index([17, 4], name="customer"))
    with pytest.raises(RequestError, match="--id-col 'customer'"):
        open_samples(frame)
    assert open_samples(frame, columns=Columns(id="customer"), warn=lambda _: None).ids == ("17", "4")


def test_images_as_paths_and_as_bytes(make: Callable[..., Any], tmp_path: Path, put_image: Any) -> None:
    paths = [put_image(tmp_path / f"{name}.png", seed=seed) for seed, name in enumerate("ab")]
    for cells in ([str(path) for path in paths], [path.read_bytes() for path in paths]):
        found = open_samples(make({"picture": cells}), columns=Columns(image="picture"))
        assert (found.modality, len(found)) == ("image", 2)


def test_labels_and_truth_by_id_and_by_row(make: Callable[..., Any]) -> None:
    samples = open_samples(np.ones((3, 2)))
    by_id = make({"id": [2, 0], "label": ["b", "a"]})
    alone = make({"anything": ["a", None, "b"]})
    for labels in (by_id, alone):
        assert join_labels(samples, labels).labels_N.tolist() == [0, -1, 1]
        assert read_truth(labels, samples) == ("a", None, "b")


def test_two_columns_of_one_name() -> None:
    frame = pd.DataFrame([["a", "b", "c"]], columns=["text", "text", "label"])
    for twice in (frame, pa.table([["a"], ["b"], ["c"]], names=["text", "text", "label"])):
        with pytest.raises(DataError, match=r"the frame has two columns of the same name: 'text'\. Rename one"):
            open_samples(twice)


def test_what_pandas_alone_has() -> None:
    indexed = pd.DataFrame({"text": ["one", "two"], "label": pd.Categorical(["a", None])}, index=["x", "y"])
    assert open_samples(indexed).ids == ("0", "1")
    assert open_samples(indexed.rename_axis("id")).ids == ("x", "y")
    mixed = pd.DataFrame({"embedding": list(np.eye(3)), "label": pd.Series(["a", -1, None], dtype=object)})
    assert open_samples(mixed).given == ("a", None, None)
    numbered = pd.DataFrame(np.eye(3, 2), columns=[7, 8])
    assert open_samples(numbered, warn=lambda _: None).content.shape == (2,)  # type: ignore[union-attr]


def test_a_series_is_matched_by_ids_and_never_by_numbers_of_rows(tmp_path: Path, put_image: Any) -> None:
    for seed, name in enumerate("abc"):
        put_image(tmp_path / "photos" / f"{name}.png", seed=seed)
    photos = open_samples(tmp_path / "photos")
    by_id = pd.Series({"c.png": "cat", "a.png": "ant"})
    assert join_labels(photos, by_id).labels_N.tolist() == [0, -1, 1]
    shuffled = pd.Series(["ant", None, "cat"], index=[2, 0, 1])
    assert join_labels(photos, shuffled).labels_N.tolist() == [0, -1, 1], "rows belong together by place"
    with pytest.raises(DataError, match=r"and 2 is no id of it"):
        join_labels(photos, shuffled[:2])
    array = open_samples(np.ones((4, 2)))
    assert join_labels(array, pd.Series([7, 8], index=[3, 1])).labels_N.tolist() == [-1, 1, -1, 0], "numbers of rows"
    assert join_labels(array, pd.Series([7, 8, 7, 8], index=list("wxyz"))).labels_N.tolist() == [0, 1, 0, 1]


@pytest.mark.parametrize("as_labels", [lambda series: series, pd.Series.to_frame], ids=["series", "frame"])
def test_a_series_beside_a_frame_goes_by_the_index(as_labels: Callable[[Any], Any]) -> None:
    frame = pd.DataFrame({"u": [1.0, 2.0, 3.0, 4.0], "v": 1.0}, index=[10, 11, 12, 13])
    truth = pd.Series([5, 6, -1, 6], index=frame.index, name="label")
    data = open_samples(frame, warn=lambda _: None)
    for part in (truth, truth.sample(frac=1, random_state=3), truth[truth >= 0], truth[::-1]):
        assert join_labels(data, as_labels(part)).labels_N.tolist() == [0, 1, -1, 1]
        assert read_truth(as_labels(part), data) == ("5", "6", None, "6")
    by_id = truth.set_axis([0, 1, 2, 3])
    assert join_labels(data, as_labels(by_id[1:])).labels_N.tolist() == [-1, 0, -1, 0], "ids are numbers of rows"
    with pytest.raises(DataError, match=r"and 99 is neither in its index nor an id of it.*to_numpy"):
        join_labels(data, as_labels(truth.set_axis([10, 99, 12, 13])))
    assert join_labels(data, truth.set_axis([10, 99, 12, 13]).to_numpy()).labels_N.tolist() == [0, 1, -1, 1]
    doubled = open_samples(frame.set_axis([10, 10, 12, 13]), warn=lambda _: None)
    with pytest.raises(DataError, match=r"and 10 cannot be told"):
        join_labels(doubled, as_labels(truth[:2].set_axis([10, 12])))
    assert join_labels(doubled, as_labels(truth.set_axis([10, 10, 12, 13]))).labels_N.tolist() == [0, 1, -1, 1]


def test_a_series_finds_rows_that_were_skipped_beside_it() -> None:
    frame = pd.DataFrame({"text": ["one", None, "three"]}, index=["r", "s", "t"])
    data = open_samples(frame, warn=lambda _: None)
    assert join_labels(data, pd.Series(["c", "a", "b"], index=list("tsr"))).labels_N.tolist() == [0, 1]


def test_doctor_takes_them(make: Callable[..., Any]) -> None:
    data = make({"u": [1.0, 2.0, 3.0, 4.0], "v": [0.5, 0.0, 1.0, 0.2]})
    labels = make({"id": [0, 1, 2], "label": ["a", "NA", "a"]})
    doubts = [found.rows for found in labelprop.doctor(data, labels) if "may mean 'no label'" in found.text]
    assert doubts == [("1",)]


def test_propagate_takes_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    truth = np.arange(40) % 2
    X = 4 * np.eye(2)[truth] + rng.normal(size=(40, 2))
    data = pd.DataFrame({"u": X[:, 0], "v": X[:, 1]})
    labels = pd.Series(truth, dtype="Int64").where(np.arange(40) < 6)
    known = pa.table({"id": list(range(40)), "label": truth})
    options = {"out": tmp_path / "run", "baselines": False, "quiet": True}
    run = labelprop.propagate(data, labels, truth=known, method="label-spreading", **options)
    assert run.labels["label"].type == pa.int64()
    assert run.metrics["unlabeled"]["accuracy"] > 0.9


def test_the_package_imports_neither_pandas_nor_polars() -> None:
    package = Path(labelprop.__file__).parent
    lines = [line.strip() for path in package.rglob("*.py") for line in path.read_text(encoding="utf-8").splitlines()]
    assert not [line for line in lines if line.startswith(("import pandas", "from pandas", "import polars"))]
