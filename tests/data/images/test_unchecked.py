"""Images of which only headers are read before a backbone sees them."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelprop.core.cache import Cache
from labelprop.data.images import decoding, streamed, unchecked
from labelprop.data.images.decoding import open_for_backbone
from labelprop.data.images.originals import EncodedImages, PixelArray
from labelprop.data.images.pixels import FROZEN, ForBackbone, ImageFormat, to_pixels
from labelprop.data.images.unchecked import Remembered, UncheckedImages

FORMAT = ImageFormat(3, 8, 8)


@pytest.fixture
def files(tmp_path: Path, put_image: Callable[..., Path]) -> list[Path]:
    """Twelve photos that were put there an hour ago."""
    made = [put_image(tmp_path / "in" / f"{i}.png", (10 + i, 12), "RGB", seed=i) for i in range(12)]
    for path in made:
        os.utime(path, (time.time() - 3600,) * 2)
    return made


def opened(cells: list[Path], image_format: ImageFormat | None = FORMAT, side: int | None = None) -> UncheckedImages:
    content = open_for_backbone(EncodedImages(cells), ForBackbone(image_format), side, Cache()).content
    assert isinstance(content, UncheckedImages)
    return content


def attempts_of(images: UncheckedImages, known: set[bytes] | None = None) -> list[unchecked.Attempt]:
    batches = [np.arange(len(images))[at : at + 5] for at in range(0, len(images), 5)]
    return [one for batch in images.attempts(batches, known or set()) for one in batch]


def test_opening_decodes_nothing_and_reads_only_the_head(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EncodedImages, "read", None)
    files[3].write_bytes(files[3].read_bytes()[:60])  # its header is whole
    files[5].write_text("no image")
    found = open_for_backbone(EncodedImages(files), ForBackbone(FORMAT), None, Cache())
    assert found.failures == ((5, "not an image, or damaged at its beginning"),)
    assert found.rows.tolist() == [row for row in range(12) if row != 5]
    assert found.content.shape == (3, 8, 8)
    assert (
        found.note
        == "images of 11 sizes (10x12 to 21x12), each scaled to 8x8 (shorter side, then a crop at the center)"
    )


def test_headers_of_many_files_are_read_once(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoding, "_REMEMBERED_FROM", 12)
    files[5].write_text("no image")
    read, original, asked = [], EncodedImages.header, ForBackbone()
    monkeypatch.setattr(EncodedImages, "header", lambda self, row: read.append(row) or original(self, row))
    first = open_for_backbone(EncodedImages(files), asked, None, Cache(tmp_path / "cache"))
    assert sorted(read) == list(range(12))
    again = open_for_backbone(EncodedImages(files), asked, None, Cache(tmp_path / "cache"))
    assert read[12:] == [5]
    assert (again.failures, again.note, again.content.shape) == (first.failures, first.note, first.content.shape)
    os.utime(files[7])
    open_for_backbone(EncodedImages(files), asked, None, Cache(tmp_path / "cache"))
    assert sorted(read[13:]) == [5, 7]


def test_a_format_of_their_own_where_the_backbone_has_none(files: list[Path]) -> None:
    assert opened(files, None).shape == (3, 12, 12)
    assert opened(files, None, side=7).shape == (3, 7, 7)


def test_each_image_is_read_once_and_what_fails_has_its_reason(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    files[3].write_bytes(files[3].read_bytes()[:60])
    images, read = opened(files), []
    original = EncodedImages.read
    monkeypatch.setattr(EncodedImages, "read", lambda self, row: read.append(row) or original(self, row))
    found = attempts_of(images)
    assert sorted(read) == list(range(12))
    assert found[3].pixels is None
    assert "truncated" in (found[3].reason or "")
    for row in set(range(12)) - {3}:
        np.testing.assert_array_equal(found[row].pixels, to_pixels(Image.open(files[row]), FORMAT, FROZEN))
    assert len({one.key for one in found}) == 12
    copies = attempts_of(opened([files[0], files[0]]))
    assert copies[0].key == copies[1].key == found[0].key


def test_what_is_known_is_not_decoded(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    known = {one.key for one in attempts_of(opened(files[:6]))}
    found = attempts_of(opened(files), known)
    assert [one.pixels is None for one in found] == [True] * 6 + [False] * 6
    assert all(one.key for one in found)


def test_keys_are_remembered_by_what_the_file_system_says(files: list[Path], tmp_path: Path) -> None:
    images, cache = opened(files), Cache(tmp_path / "cache")
    assert Remembered(cache).keys(images) == [None] * 12
    found = attempts_of(images)
    Remembered(cache).add(found[:10])
    Remembered(cache).add(found[:10])  # nothing new
    assert len([*(tmp_path / "cache" / "rows" / "keys").iterdir()]) == 1
    assert Remembered(cache).keys(images) == [one.key for one in found[:10]] + [None] * 2
    files[4].write_bytes(files[5].read_bytes())  # just now: not to be trusted either
    assert Remembered(cache).keys(images)[4] is None
    os.utime(files[4], (time.time() - 1800,) * 2)
    assert Remembered(cache).keys(images)[4] is None


def test_where_a_file_changed_behind_the_back_of_the_file_system_nothing_is_believed(
    files: list[Path], tmp_path: Path
) -> None:
    images, cache = opened(files[:5]), Cache(tmp_path / "cache")
    Remembered(cache).add(attempts_of(images))
    before, data = files[2].stat(), bytearray(files[2].read_bytes())
    data[-20] ^= 1
    with files[2].open("r+b") as file:  # the same place on the disk
        file.write(data)
    os.utime(files[2], ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Remembered(cache).keys(images) == [None] * 5


def test_a_file_that_was_just_changed_has_no_identity(files: list[Path]) -> None:
    images = EncodedImages([files[0], b"bytes"])
    assert images.identity(0) is not None
    os.utime(files[0])
    assert images.identity(0) is None
    assert images.identity(1) is None
    assert EncodedImages([files[0].with_name("none.png")]).identity(0) is None


def test_arrays_of_pixels_are_brought_to_the_format_as_files_are(files: list[Path]) -> None:
    array = np.random.default_rng(0).integers(0, 256, (4, 20, 30, 3), dtype=np.uint8)
    content = open_for_backbone(PixelArray(array), ForBackbone(FORMAT), None, Cache()).content
    assert isinstance(content, UncheckedImages)
    for pixels, one in zip(array, attempts_of(content), strict=True):
        np.testing.assert_array_equal(one.pixels, to_pixels(Image.fromarray(pixels), FORMAT, FROZEN))
    as_it_is = open_for_backbone(PixelArray(array), ForBackbone(), None, Cache()).content
    np.testing.assert_array_equal(as_it_is.read(np.arange(4)).numpy(), array.transpose(0, 3, 1, 2))


class Endless(EncodedImages):
    """As many photos as are asked for, of which none is held; counts those that are decoded and not yet taken."""

    def __init__(self, n: int) -> None:
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8)).save(buffer, "PNG")
        self.data, self.n, self.out, self.most = buffer.getvalue(), n, 0, 0

    def __len__(self) -> int:
        return self.n

    def read(self, row: int) -> bytes:
        self.out += 1
        self.most = max(self.most, self.out)
        return self.data

    def identity(self, row: int) -> None:
        return None


@pytest.mark.parametrize("n", [3_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_of_many_photos_few_are_in_memory_at_once(n: int) -> None:
    source = Endless(n)
    images = UncheckedImages(source, np.arange(n), FORMAT, FROZEN)
    batches = [np.arange(at, min(at + 50, n)) for at in range(0, n, 50)]
    for batch in images.attempts(batches, set()):
        source.out -= len(batch)
    assert source.out == 0
    assert source.most <= 2 * (50 + 2 * streamed.workers() + 1)
