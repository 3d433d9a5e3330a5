"""Opening every kind of DATA, and what is said where it cannot be used."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image

from labelprop.core.errors import DataError, RequestError, StorageError
from labelprop.data.images.pixels import ImageFormat
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns


@pytest.fixture
def photos(tmp_path: Path, put_image: Callable[..., Path]) -> Path:
    root = tmp_path / "photos"
    for seed, name in enumerate(["cat/1.png", "cat/2.png", "dog/a/3.png", "unlabeled/4.png", "5.png"]):
        put_image(root / name, seed=seed)
    return root


def test_a_folder(photos: Path) -> None:
    samples = open_samples(photos)
    assert samples.ids == ("5.png", "cat/1.png", "cat/2.png", "dog/a/3.png", "unlabeled/4.png")
    assert samples.given == (None, "cat", "cat", "dog", None)
    assert (samples.modality, samples.name, samples.declared) == ("image", "photos", ("cat", "dog"))
    assert samples.content is not None
    assert samples.content.read(np.arange(5)).shape == (5, 1, 8, 8)
    picture = samples.picture(1)
    assert picture is not None
    np.testing.assert_array_equal(np.asarray(picture), samples.content.read(np.array([1]))[0, 0].numpy())


def test_the_second_time_nothing_is_decoded(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_samples(photos)
    monkeypatch.setattr("labelprop.data.images.pixel_file.to_pixels", None)
    assert open_samples(photos).digest == first.digest


def test_unreadable_files_are_skipped_with_count_and_reason(photos: Path) -> None:
    (photos / "cat" / "1.png").write_bytes(b"")
    (photos / "5.png").write_bytes((photos / "5.png").read_bytes()[:-40])
    told: list[str] = []
    samples = open_samples(photos, warn=told.append)
    assert samples.ids == ("cat/2.png", "dog/a/3.png", "unlabeled/4.png")
    assert samples.given == ("cat", "dog", None)
    assert samples.rows.tolist() == [2, 3, 4]
    assert samples.n_rows == 5
    assert [skip.id for skip in samples.skipped] == ["5.png", "cat/1.png"]
    assert [skip.label for skip in samples.skipped] == [None, "cat"]
    assert told == [
        "'photos': 1 .png file cannot be read, skipped (the file is truncated): '5.png'.",
        "'photos': 1 .png file cannot be read, skipped (the file is empty (0 bytes)): 'cat/1.png'.",
    ]
    picture = samples.picture(0)
    assert picture is not None
    np.testing.assert_array_equal(np.asarray(picture), np.asarray(Image.open(photos / "cat" / "2.png")))


def test_strict_refuses_unreadable_files(photos: Path) -> None:
    (photos / "5.png").write_text("no")
    with pytest.raises(DataError, match=r"1 \.png file cannot be read, refused \(not.*'5\.png'.*leave --strict"):
        open_samples(photos, strict=True)


def test_nothing_readable_and_nothing_there(tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with pytest.raises(DataError, match=r"empty' holds no images\. Put images"):
        open_samples(folder)
    (folder / "a.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"'empty' holds nothing that can be read: .*the file is empty.*'a\.png'"):
        open_samples(folder)


@pytest.mark.parametrize("name", ["sub/t.csv", "t.npy"])
def test_a_folder_with_something_else_to_read_says_to_pass_that(tmp_path: Path, name: str) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / name).write_text("id\n1\n")
    with pytest.raises(DataError, match=rf"holds no images, but '{name}': to read that, pass '.*{name}'"):
        open_samples(tmp_path)


def test_mixed_sizes_and_modes_are_said_and_read(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    root = tmp_path / "mixed"
    for seed, (mode, size) in enumerate(
        [("L", (9, 12)), ("RGB", (12, 9)), ("RGBA", (20, 20)), ("P", (9, 9)), ("LA", (30, 10)), ("1", (9, 9))]
    ):
        put_image(root / f"{mode}.png", size, mode, seed=seed)
    Image.fromarray(np.full((9, 9), 30000, np.uint16)).save(root / "sixteen.png")
    told: list[str] = []
    samples = open_samples(root, warn=told.append)
    assert samples.content is not None
    assert samples.content.shape == (3, 9, 9)
    assert not samples.content.resident
    assert "images of 5 sizes (9x9 to 20x20), each scaled to 9x9" in told[0]
    assert samples.content.read(np.arange(7)).shape == (7, 3, 9, 9)
    sized = open_samples(root, image_size=16, warn=told.append)
    assert sized.content is not None
    assert sized.content.resident
    assert sized.content.shape == (3, 16, 16)
    forced = open_samples(root, image_format=ImageFormat(1, 4, 6), warn=told.append)
    assert forced.content is not None
    assert forced.content.shape == (1, 4, 6)


@pytest.mark.parametrize("name", ["two words.png", 'it\'s "q".png', "<b>&amp;.png", "a,b\n.png", "Grüße.png"])
def test_odd_names(tmp_path: Path, put_image: Callable[..., Path], name: str) -> None:
    put_image(tmp_path / "in" / "a class" / name)
    samples = open_samples(tmp_path / "in")
    assert samples.ids == (f"a class/{name}",)
    assert samples.picture(0) is not None


def test_names_that_are_not_utf8(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    source = put_image(tmp_path / "x.png")
    folder = os.fsencode(tmp_path) + b"/in/caf\xe9"
    try:
        os.makedirs(folder)
    except OSError:  # a file system that wants UTF-8
        pytest.skip("this file system takes UTF-8 names only")
    with open(folder + b"/\xff.png", "wb") as handle:
        handle.write(source.read_bytes())
    samples = open_samples(tmp_path / "in")
    assert samples.ids == ("caf\\xe9/\\xff.png",)
    assert samples.given == ("caf\\xe9",)
    assert samples.picture(0) is not None


def test_hidden_and_other_files_are_left_out_and_links_followed_once(photos: Path) -> None:
    (photos / ".hidden").mkdir()
    for name in (".hidden/x.png", "cat/.x.png", "labels.csv", "cat/readme.txt"):
        (photos / name).write_text("")
    (photos / "cat" / "loop").symlink_to(photos)
    (photos / "bird").symlink_to(photos / "dog" / "a")
    told: list[str] = []
    samples = open_samples(photos, warn=told.append)
    assert len(samples) == 5
    assert "bird/3.png" in samples.ids
    assert told == ["'photos': 2 files skipped (not an image): 'cat/readme.txt', 'labels.csv'."]
    assert {skip.id for skip in samples.skipped} == {".hidden/", "cat/.x.png", "labels.csv", "cat/readme.txt"}
    assert samples.n_rows == 5


def test_files_that_are_read_apart_are_not_skipped(photos: Path) -> None:
    (photos / "labels.csv").write_text("")
    samples = open_samples(photos, apart=[photos / "labels.csv", None, {"an": "object"}])
    assert samples.skipped == ()


def test_a_table_of_paths(photos: Path) -> None:
    table = photos / "t.csv"
    table.write_text("id,image,label\n007,cat/1.png,x\n8,5.png,\n9,5.png,-1\n10,cat/2.png,NA\n")
    samples = open_samples(table)
    assert samples.ids == ("007", "8", "9", "10")
    assert samples.given == ("x", None, None, "NA")
    assert samples.name == "t"
    assert samples.content is not None
    assert samples.content.shape == (1, 8, 8)


def test_a_table_of_bytes_with_class_names(photos: Path, tmp_path: Path) -> None:
    image = [{"bytes": (photos / name).read_bytes(), "path": None} for name in ("5.png", "cat/1.png", "cat/2.png")]
    columns = pa.table({"image": image, "label": [1, -1, None], "other": ["a", "b", ""]})
    pq.write_table(columns.replace_schema_metadata({"class_names": '["cat", "dog"]'}), tmp_path / "t.parquet")
    samples = open_samples(tmp_path / "t.parquet")
    assert samples.given == ("dog", None, None)
    assert samples.declared == ("cat", "dog")
    assert samples.ids == ("0", "1", "2")
    assert open_samples(tmp_path / "t.parquet", columns=Columns(label="other")).given == ("a", "b", None)


def test_texts_are_read_and_rows_without_one_skipped(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text,label\na,hello,x\nb,,y\nc, \t,\n")
    told: list[str] = []
    samples = open_samples(tmp_path / "t.csv", warn=told.append)
    assert (samples.modality, samples.texts, samples.content) == ("text", ("hello",), None)
    assert samples.skipped[0].reason == "no text"
    assert told == ["'t': 2 rows cannot be read, skipped (no text): 'b', 'c'."]
    assert samples.picture(0) is None


@pytest.mark.parametrize("suffix", ["npy", "npz"])
def test_vectors_from_files(tmp_path: Path, suffix: str) -> None:
    X = np.arange(12.0).reshape(4, 3)
    path = tmp_path / f"v.{suffix}"
    if suffix == "npy":
        np.save(path, X)
    else:
        np.savez(path, X=X, y=np.array(["a", "", "-1", "b"]), ids=np.array(["007", "x", "y", "z"]))
    samples = open_samples(path)
    assert samples.content is not None
    assert samples.content.read(np.array([1])).tolist() == [[3, 4, 5]]
    expected: tuple[Any, Any] = (("0", "1", "2", "3"), (None,) * 4)
    assert (samples.ids, samples.given) == (
        expected if suffix == "npy" else (("007", "x", "y", "z"), ("a", None, None, "b"))
    )


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor])
def test_arrays_in_memory(make: Callable[[Any], Any]) -> None:
    vectors = open_samples(make(np.ones((3, 2), np.float32)))
    assert (vectors.modality, vectors.name) == ("vector", "array")
    images = open_samples(make(np.zeros((3, 4, 5, 3), np.uint8)))
    assert images.content is not None
    assert images.content.shape == (3, 4, 5)
    picture = images.picture(2)
    assert picture is not None
    assert picture.size == (5, 4)


def test_vectors_that_are_not_finite_name_the_row() -> None:
    X = np.ones((10, 4), np.float32)
    X[3, 2], X[7] = np.nan, np.inf
    with pytest.raises(
        DataError, match=r"in 2 rows of 10; the first is row 3 \(id '3'\): NaN in dimension 2\. Remove or repair"
    ):
        open_samples(X)
    assert len(open_samples(X, check=False)) == 10


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("id,text\na,1\nb,2\na,3\n")
    with pytest.raises(DataError, match=r"'t' uses 1 id more than once: 'a' \(line 2, line 4\)\. .*--id-col"):
        open_samples(tmp_path / "t.csv")
    assert open_samples(tmp_path / "t.csv", check=False).ids == ("a", "b", "a")


@pytest.mark.parametrize(
    ("content", "columns", "text"),
    [
        ("id,x\n1,2\n", Columns(), "no column of content was found. Name one with --image-col.*columns are id, x"),
        ("image,text\n1,2\n", Columns(), "more than one column could be the content: image, text"),
        ("text\nx\n", Columns(text="txet"), "unknown column of .* 'txet'; did you mean 'text'"),
        ("text,y\nx,1\n", Columns(label="y", truth="y"), "--label-col and --truth-col both name 'y'"),
        ("text\n", Columns(), "has no rows"),
    ],
)
def test_columns_that_are_not_clear(tmp_path: Path, content: str, columns: Columns, text: str) -> None:
    (tmp_path / "t.csv").write_text(content)
    with pytest.raises(RequestError, match=text):
        open_samples(tmp_path / "t.csv", columns=columns)


def test_the_column_of_the_truth_is_not_read_as_labels(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text,label\nx,a\n")
    assert open_samples(tmp_path / "t.csv", columns=Columns(truth="label")).given == (None,)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("/no/such/place.csv", r"no file '/no/such/place\.csv'"),
        ("/no/such/place", "no file or folder '/no/such/place'"),
        (7, "cannot read an object of type int: DATA is a folder"),
    ],
)
def test_what_no_source_reads(data: Any, text: str) -> None:
    with pytest.raises(RequestError, match=text):
        open_samples(data)


def test_sizes_for_images_only_and_at_least_one() -> None:
    with pytest.raises(RequestError, match="'array' holds no images; so --image-size means nothing"):
        open_samples(np.ones((2, 2)), image_size=8)
    with pytest.raises(RequestError, match="--image-size must be at least 1 pixel, got 0"):
        open_samples(np.ones((2, 2, 2), np.uint8), image_size=0)


def test_a_cache_that_cannot_be_written(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="choose another folder with --cache"):
        open_samples(photos, cache=tmp_path / "file")


def test_warnings_reach_python_users(photos: Path) -> None:
    (photos / "5.png").write_text("no")
    with pytest.warns(UserWarning, match="1 .png file cannot be read"):
        open_samples(photos)


def test_the_format_of_images_may_be_chosen_by_a_look_at_them() -> None:
    array = np.zeros((4, 40, 50, 3), np.uint8)
    seen = []

    def choose(look):
        seen.append(look)
        return ImageFormat(3, 16, 16)

    samples = open_samples(array, image_format=choose, warn=list)
    assert samples.content.shape == (3, 16, 16)
    assert seen == [samples.look]
    assert (samples.look.n, samples.look.photos) == (4, 4)
    left = open_samples(array, image_format=lambda look: None)
    assert left.content.shape == (3, 40, 50)
    assert open_samples(array, image_format=lambda look: None, image_size=8, warn=list).content.shape == (3, 8, 8)
    assert open_samples(array).look is None
    assert open_samples(np.zeros((4, 3)) + 1, image_format=choose).look is None
