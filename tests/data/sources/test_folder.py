from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labelprop.core.errors import DataError, RequestError
from labelprop.data.source import Columns
from labelprop.data.sources.folder import FolderSource

SOURCE = FolderSource()


def test_claims_folders_but_not_those_of_datasets(tmp_path: Path) -> None:
    assert SOURCE.claims(str(tmp_path))
    (tmp_path / "state.json").write_text("{}")
    assert not SOURCE.claims(tmp_path)
    assert not SOURCE.claims(tmp_path / "none")


def test_class_folders_without_images_are_declared(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    put_image(tmp_path / "cat" / "1.PNG")
    for name in ("dog", "unlabeled", ".git"):
        (tmp_path / name).mkdir()
    found = SOURCE.read(tmp_path, Columns())
    assert found.declared == ("cat", "dog")
    assert list(found.ids) == ["cat/1.PNG"]


def test_columns_are_refused(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    with pytest.raises(RequestError, match="is a folder of images and has no columns"):
        SOURCE.read(put_image(tmp_path / "1.png").parent, Columns(label="y"))


def test_two_names_that_look_the_same_are_refused(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    source = put_image(tmp_path / "in" / "caf\\xe9.png")
    try:
        with open(os.fsencode(tmp_path) + b"/in/caf\xe9.png", "wb") as handle:
            handle.write(source.read_bytes())
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    with pytest.raises(DataError, match=r"two files in .* are both shown as"):
        SOURCE.read(tmp_path / "in", Columns())
