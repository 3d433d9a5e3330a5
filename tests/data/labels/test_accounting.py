"""The last line of `doctor`: each file that was seen is in it, once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from labelprop.data.labels.inspect import inspect_data

NO_MORE = "0 skipped, 0 refused"


def account(data: Any, labels: Any = None) -> str:
    return inspect_data(data, labels)[1][-1].text.removesuffix(".")


@pytest.fixture
def photos(tmp_path: Path, put_image: Callable[..., Path]) -> Path:
    for seed in range(3):
        put_image(tmp_path / "photos" / f"{seed}.png", seed=seed)
    return tmp_path / "photos"


def put(path: Path, text: str = "id,label\n0.png,cat\n") -> Path:
    path.write_text(text)
    return path


def test_labels_of_images(photos: Path, tmp_path: Path) -> None:
    assert account(photos) == f"3 files: 3 used, {NO_MORE}"
    both = [put(photos / "labels.csv"), put(tmp_path / "more.csv", "id,label\n1.png,dog\n")]
    assert account(photos, both[1]) == (
        "5 files: 4 used (3 examples, 1 of labels), 1 skipped (1 not read as examples), 0 refused"
    )
    for labels in (both, [*both, photos / ".." / "more.csv"]):
        assert account(photos, labels) == f"5 files: 5 used (3 examples, 2 of labels), {NO_MORE}"


def test_a_file_is_of_one_kind(photos: Path, tmp_path: Path) -> None:
    path = put(photos / "metadata.csv", "file_name,label\n0.png,cat\n")
    assert account(photos, path) == f"4 files: 4 used (3 examples, 1 of metadata), {NO_MORE}"
    table = put(tmp_path / "t.csv", "id,text,label\na,x,cat\nb,y,\n")
    assert account(table, table) == f"2 rows: 2 used, {NO_MORE}; 1 file: 1 used, {NO_MORE}"


def test_a_link_in_the_folder_is_the_file_that_labels_are(photos: Path, tmp_path: Path) -> None:
    (photos / "labels.csv").symlink_to(put(tmp_path / "there.csv"))
    assert account(photos, photos / "labels.csv") == f"4 files: 4 used (3 examples, 1 of labels), {NO_MORE}"


def test_labels_that_cannot_be_read_are_refused(photos: Path, tmp_path: Path) -> None:
    said = "4 files: 3 used, 0 skipped, 1 refused"
    assert account(photos, put(tmp_path / "labels.xlsx")) == said
    assert account(photos, put(photos / "labels.csv", "nothing\n")) == said
    (photos / "labels.csv").unlink()
    assert account(photos, photos / "none.csv") == f"3 files: 3 used, {NO_MORE}"


def test_labels_of_rows(tmp_path: Path) -> None:
    rows = f"2 rows: 2 used, {NO_MORE}"
    table, labels = put(tmp_path / "t.csv", "id,text\na,x\nb,y\n"), put(tmp_path / "l.csv", "id,label\na,cat\n")
    assert account(table) == f"{rows}; 1 file: 1 used, {NO_MORE}"
    assert account(table, labels) == f"{rows}; 2 files: 2 used (1 of data, 1 of labels), {NO_MORE}"
    np.save(tmp_path / "X.npy", np.ones((2, 2)))
    assert account(tmp_path / "X.npy") == f"{rows}; 1 file: 1 used, {NO_MORE}"
    assert account(np.ones((2, 2))) == rows
    put(labels, "id,label\n0,cat\n")
    assert account(np.ones((2, 2)), labels) == f"{rows}; 1 file: 1 used (1 of labels), {NO_MORE}"


def test_data_that_cannot_be_opened(tmp_path: Path) -> None:
    assert account(put(tmp_path / "t.csv", "a,b\n1\n")) == "1 file: 0 used, 0 skipped, 1 refused"
    assert "no file" in account(tmp_path / "none.csv")
