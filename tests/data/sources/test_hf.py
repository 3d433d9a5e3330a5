from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from labelprop.core.errors import RequestError
from labelprop.data.labels.table import read_label_table
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns
from labelprop.data.sources.hf import HfSource

datasets = pytest.importorskip("datasets")


@pytest.fixture
def dataset() -> datasets.Dataset:
    features = datasets.Features(
        {"id": datasets.Value("string"), "embedding": datasets.List(datasets.Value("float32"), length=2)}
        | {"label": datasets.ClassLabel(names=["cat", "dog"])}
    )
    rows = {"id": ["007", "8", "9"], "embedding": [[1, 2], [3, 4], [5, 6]], "label": [1, -1, None]}
    return datasets.Dataset.from_dict(rows, features=features)


def test_class_labels_and_minus_one(dataset: datasets.Dataset) -> None:
    samples = open_samples(dataset)
    assert (samples.ids, samples.given) == (("007", "8", "9"), ("dog", None, None))
    assert samples.declared == ("cat", "dog")


def test_rows_that_were_selected(dataset: datasets.Dataset) -> None:
    samples = open_samples(dataset.select([2, 0]))
    assert samples.ids == ("9", "007")
    assert samples.content is not None
    assert samples.content.read(np.arange(2)).tolist() == [[5, 6], [1, 2]]


def test_folders_of_one_and_of_several_splits(dataset: datasets.Dataset, tmp_path: Path) -> None:
    dataset.save_to_disk(tmp_path / "one")
    assert open_samples(tmp_path / "one").name == "one"
    datasets.DatasetDict(train=dataset, test=dataset.select([0])).save_to_disk(tmp_path / "two")
    assert len(open_samples(tmp_path / "two")) == 3
    with pytest.raises(RequestError, match="has the splits a, b; pass one of them"):
        open_samples(datasets.DatasetDict(a=dataset, b=dataset))


def test_images(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5), dtype=np.uint8)
    from PIL import Image

    rows = {"image": [Image.fromarray(image) for image in pixels]}
    samples = open_samples(datasets.Dataset.from_dict(rows, features=datasets.Features(image=datasets.Image())))
    assert samples.content is not None
    np.testing.assert_array_equal(samples.content.read(np.arange(3))[:, 0].numpy(), pixels)


def test_labels_may_be_a_data_set(dataset: datasets.Dataset) -> None:
    rows = read_label_table(dataset, open_samples(dataset))
    assert [(row.id, row.label) for row in rows] == [("007", "dog"), ("8", None), ("9", None)]


def test_names_are_tried_and_failures_told(monkeypatch: pytest.MonkeyPatch, dataset: datasets.Dataset) -> None:
    asked = []

    def load(name: str) -> datasets.Dataset:
        asked.append(name)
        if name == "owner/none":
            raise FileNotFoundError("not on the Hub\nlong story")
        return dataset

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert len(open_samples("owner/name")) == 3
    with pytest.raises(RequestError, match=r"no file or folder 'owner/none', and no HuggingFace.*: not on the Hub$"):
        open_samples("owner/none")
    assert asked == ["owner/name", "owner/none"]


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RequestError, match=r"no file or folder 'nowhere'.*pip install 'labelprop\[hf\]'"):
        HfSource().read("nowhere", Columns())
    with pytest.raises(RequestError, match=r"needs the package datasets: pip install 'labelprop\[hf\]'"):
        HfSource().read(tmp_path, Columns())


def test_files_and_paths_are_not_names(tmp_path: Path) -> None:
    claims = HfSource().claims
    assert claims("owner/name")
    assert not any(claims(data) for data in ("x.csv", "/a/b", "a/b/c", "../x", "photos/", str(tmp_path), [1]))
