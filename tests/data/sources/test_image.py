"""DATA that is one image."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from labelprop.core.errors import DataError, RequestError
from labelprop.data.samples import open_samples
from labelprop.data.source import Columns
from labelprop.data.sources.image import ImageSource


def test_one_image_is_one_example_with_its_name(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    path = put_image(tmp_path / "in" / "A.PNG")
    samples = open_samples(path, one_image=True)
    assert (samples.ids, samples.given, samples.modality, samples.unit) == (("A.PNG",), (None,), "image", "file")
    assert samples.picture(0) is not None


def test_elsewhere_it_is_refused_with_the_remedy(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    path = put_image(tmp_path / "a.png")
    with pytest.raises(RequestError, match=r"a\.png' is one image, which only predict takes; put it into a folder"):
        open_samples(path)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"x")
    with pytest.raises(DataError, match=r"'a\.heic' holds nothing that can be read: 1 \.heic file .*convert to JPEG"):
        open_samples(tmp_path / "a.heic", one_image=True)
    (tmp_path / "b.jpg").write_bytes(b"x")
    with pytest.raises(DataError, match=r"'b\.jpg' holds nothing that can be read: .*not an image"):
        open_samples(tmp_path / "b.jpg", one_image=True)
    with pytest.raises(RequestError, match="no file or folder"):
        open_samples(tmp_path / "c.jpg", one_image=True)
    with pytest.raises(RequestError, match="is one image and has no columns"):
        open_samples(tmp_path / "b.jpg", one_image=True, columns=Columns(label="y"))


def test_folders_tables_and_pipes_are_not_claimed(tmp_path: Path) -> None:
    (tmp_path / "a.png").mkdir()
    os.mkfifo(tmp_path / "b.png")
    (tmp_path / "t.csv").write_text("")
    assert not any(ImageSource().claims(tmp_path / name) for name in ("a.png", "b.png", "t.csv", "none.png"))
    assert not ImageSource().claims(7)
