from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelprop.data.images import look as module
from labelprop.data.images.look import Look, look_at
from labelprop.data.images.originals import EncodedImages, PixelArray


def encoded(mode: str, width: int, height: int, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    Image.new(mode, (width, height)).save(file, kind)
    return file.getvalue()


def test_gray_and_small_images_are_counted_by_their_headers() -> None:
    cells = [
        encoded("RGB", 32, 40),
        encoded("RGB", 31, 400),
        encoded("L", 100, 100),
        encoded("RGB", 500, 90, "JPEG"),
        encoded("1", 8, 8),
        b"no image",
        encoded("RGBA", 32, 32),
    ]
    seen = look_at(EncodedImages(cells))
    assert seen == Look(n=6, gray=2, small=1, alike=False)
    assert seen.photos == 3
    assert look_at(EncodedImages(cells), image_size=16) == Look(n=6, gray=2, small=4, alike=True)
    assert look_at(EncodedImages(cells), image_size=64) == Look(n=6, gray=2, small=0)


def test_the_pixels_of_a_damaged_photo_are_not_decoded() -> None:
    whole = encoded("RGB", 300, 300, "JPEG")
    assert look_at(EncodedImages([whole[: len(whole) // 2]])) == Look(n=1, gray=0, small=0, alike=False)


@pytest.mark.parametrize(
    ("shape", "found"), [((5, 32, 32, 3), 5), ((5, 32, 31, 3), 0), ((5, 64, 64), 0), ((5, 40, 40, 4), 5)]
)
def test_arrays_are_looked_at_as_files_are(shape, found) -> None:
    assert look_at(PixelArray(np.zeros(shape, np.uint8))).photos == found


@pytest.mark.parametrize(
    ("gray", "small", "are"), [(0, 0, True), (3, 1, True), (4, 0, True), (5, 0, False), (2, 3, False), (10, 0, False)]
)
def test_a_few_others_do_not_make_other_than_photographs_of_a_set(gray, small, are) -> None:
    assert Look(n=10, gray=gray, small=small).are_photos is are


def test_nothing_that_can_be_opened_is_no_photograph() -> None:
    assert not look_at(EncodedImages([b"no image", None])).are_photos


def test_of_many_images_some_are_looked_at_all_over_the_set(monkeypatch) -> None:
    monkeypatch.setattr(module, "LOOKED_AT", 10)
    array = np.zeros((95, 40, 40, 3), np.uint8)
    assert look_at(PixelArray(array)) == Look(n=10, gray=0, small=0)
    opened: list[int] = []

    class Counting(PixelArray):
        def open(self, row: int) -> Image.Image:
            opened.append(row)
            return super().open(row)

    look_at(Counting(array))
    assert (min(opened), max(opened), len(set(opened))) == (0, 94, 10)
