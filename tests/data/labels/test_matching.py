"""Ids of labels files that are paths of another place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from labelprop.core.errors import DataError
from labelprop.data.labels.file_names import FileNames
from labelprop.data.labels.join import join_labels
from labelprop.data.samples import Samples, open_samples

NAMES = FileNames(
    {"00000.jpg", "a b.PNG", "cat/1.jpg", "cat/2.jpg", "dog/2.jpg", "dog/3.jpg", "dog/3.png", "7", "v1.2"}
)


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("00000.jpg", ["00000.jpg"]),
        ("00000", ["00000.jpg"]),  # as in Kaggle's tables
        ("train/00000.jpg", ["00000.jpg"]),
        ("./00000.jpg", ["00000.jpg"]),
        ("/home/me/train/00000.jpg", ["00000.jpg"]),
        ("C:\\train\\00000.jpg", ["00000.jpg"]),
        ("cat\\1.jpg", ["cat/1.jpg"]),
        ("1.jpg", ["cat/1.jpg"]),
        ("photos/cat/1", ["cat/1.jpg"]),
        ("/data/upload/1/3f2a0000-00000.jpg", ["00000.jpg"]),
        ("/data/upload/3f2a0000-1.jpg", ["cat/1.jpg"]),
        ("/data/local-files/?d=train/00000.jpg", ["00000.jpg"]),
        ("/data/local-files/?d=photos/a%20b.PNG", ["a b.PNG"]),
        ("https://label.example/data/local-files/?d=cat%2F2.jpg", ["cat/2.jpg"]),
        ("https://images.example/x/cat/1.jpg?size=2", ["cat/1.jpg"]),
        ("2.jpg", ["cat/2.jpg", "dog/2.jpg"]),  # one of two
        ("dog/3", ["dog/3.jpg", "dog/3.png"]),
        ("x/dog/2.jpg", ["dog/2.jpg"]),
        ("00000.png", []),  # another file
        ("bird/1.jpg", []),  # another folder
        ("3f2a0000-00000.jpg", []),  # only Label Studio's own folder says what the letters are
        ("7", ["7"]),
        ("7.jpg", []),  # rows are numbers, not files
        ("v1", []),
        ("", []),
    ],
)
def test_what_a_path_may_stand_for(written: str, found: list[str]) -> None:
    assert NAMES.find(written) == found


@pytest.fixture
def photos(tmp_path: Path, put_image: Callable[..., Path]) -> Samples:
    for seed, name in enumerate(["1.png", "a/2.png", "b/2.png", "b/3.png"]):
        put_image(tmp_path / "photos" / "unlabeled" / name, seed=seed)
    return open_samples(tmp_path / "photos" / "unlabeled", warn=lambda _: None)


def labels(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text("\n".join(("image,choice", *rows)) + "\n")
    return path


def test_paths_of_another_place_are_matched_and_said(photos: Samples, tmp_path: Path) -> None:
    path = labels(tmp_path, "/data/local-files/?d=x/1.png,u", "a/2.png,a", "3,b")
    given = join_labels(photos, path)
    assert [given.classes[code] for code in given.labels_N[[0, 1, 3]]] == ["u", "a", "b"]
    assert given.notes[-1] == (
        "2 ids of the labels matched by the name of the file: '/data/local-files/?d=x/1.png' is '1.png', and so on."
    )
    assert given.warnings == ()


def test_a_name_of_two_examples_names_both(photos: Samples, tmp_path: Path) -> None:
    path = labels(tmp_path, "1.png,u", "2.png,v")
    with pytest.raises(DataError, match=r"'2\.png' \(.*labels\.csv, line 3\) may be 'a/2\.png' or 'b/2\.png'"):
        join_labels(photos, path)


def test_two_files_that_would_be_one_example_are_refused(photos: Samples, tmp_path: Path) -> None:
    """Labels of train/ and of test/ against one folder: their names agree, their pictures do not."""
    path = labels(tmp_path, "train/1.png,u", "test/1.png,u")
    said = r"'train/1\.png' \(.*line 2\) and 'test/1\.png' \(.*line 3\) would both be '1\.png'"
    with pytest.raises(DataError, match=said):
        join_labels(photos, path)
    (tmp_path / "corrections.csv").write_text("id,label\n1.png,u\n")
    path = labels(tmp_path, "train/1.png,u")
    given = join_labels(photos, [path, tmp_path / "corrections.csv"])  # another file has ids of its own kind
    assert given.classes[given.labels_N[0]] == "u"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("img_0000.jpg", "; differs only in case from 'IMG_0000.JPG')"),
        (" IMG_0000.JPG ", "; differs only in spaces around it from 'IMG_0000.JPG')"),
        (" img_0000.jpg", "; differs only in case and spaces around it from 'IMG_0000.JPG')"),
        ("Sam", "; differs only in case from 'SAM', 'sam')"),
        ("photos/img_0000.png", "; nearest 'IMG_0000.JPG')"),
        ("IMG_0001.png", "; nearest 'a/IMG_0001.JPG', 'b/IMG_0001.JPG', 'c/IMG_0001.JPG' and 1 more)"),
    ],
)
def test_the_nearest_id_is_the_same_but_for_case_and_spaces(tmp_path: Path, written: str, said: str) -> None:
    ids = ["img_0009", "IMG_0000.JPG", *(f"{folder}/IMG_0001.JPG" for folder in "abcd"), "SAM", "sam"]
    (tmp_path / "t.csv").write_text("id,text\n" + "".join(f"{name},x\n" for name in ids))
    samples = open_samples(tmp_path / "t.csv")
    with pytest.raises(DataError) as caught:
        join_labels(samples, {written: "x"})
    assert said in str(caught.value)
