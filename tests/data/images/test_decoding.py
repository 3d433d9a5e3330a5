from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from labelprop.core.cache import Cache
from labelprop.core.errors import StorageError, WorkError
from labelprop.data.images import choose_format as format_module
from labelprop.data.images import pixel_file
from labelprop.data.images.decoding import decode_images
from labelprop.data.images.originals import EncodedImages, PixelArray
from labelprop.data.images.pixels import ImageFormat
from labelprop.data.images.streamed import StreamedImages


@pytest.fixture
def files(tmp_path: Path, put_image: Callable[..., Path]) -> list[Path]:
    return [put_image(tmp_path / "in" / f"{i}.png", seed=i) for i in range(150)]


def forbid(*_: object) -> None:
    raise AssertionError("decoded again")


def pixels_of(files: list[Path]) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path))[None] for path in files])


def test_decodes_once_and_maps_the_file_afterwards(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = Cache(tmp_path / "cache")
    first = decode_images(EncodedImages(files), None, cache)
    monkeypatch.setattr(pixel_file, "to_pixels", forbid)
    monkeypatch.setattr(EncodedImages, "header", forbid)
    second = decode_images(EncodedImages(files), None, cache)
    assert first.digest == second.digest
    for content in (first.content, second.content):
        assert (content.shape, content.dtype, content.resident, len(content)) == ((1, 8, 8), torch.uint8, True, 150)
        indices = np.array([149, 3, 3])
        np.testing.assert_array_equal(content.read(indices).numpy(), pixels_of(files)[indices])


def test_content_and_order_decide_the_digest(files: list[Path], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    digest = decode_images(EncodedImages(files), None, cache).digest
    assert decode_images(EncodedImages(files[::-1]), None, cache).digest != digest
    assert decode_images(EncodedImages(files), 4, cache).digest != digest
    assert decode_images(EncodedImages([path.read_bytes() for path in files]), None, cache).digest == digest
    files[7].write_bytes(files[8].read_bytes())
    assert decode_images(EncodedImages(files), None, cache).digest != digest


def test_damaged_files_are_left_out_and_said(files: list[Path], tmp_path: Path) -> None:
    expected = np.delete(pixels_of(files), [0, 5, 70, 149], axis=0)
    files[0].write_bytes(b"")
    files[5].write_bytes(files[5].read_bytes()[:60])
    files[70].write_text("not an image")
    files[149].unlink()
    for _ in range(2):  # decoded, then from the cache
        decoded = decode_images(EncodedImages(files), None, Cache(tmp_path / "cache"))
        reasons = dict(decoded.failures)
        assert reasons.keys() == {0, 5, 70, 149}
        assert reasons[0] == "the file is empty (0 bytes)"
        assert "truncated" in reasons[5]
        assert reasons[70] == "not an image, or damaged at its beginning"
        assert reasons[149] == "the file does not exist"
        assert decoded.rows.tolist() == [row for row in range(150) if row not in reasons]
        np.testing.assert_array_equal(decoded.content.read(np.arange(146)).numpy(), expected)


def test_a_damaged_or_missing_cache_file_is_made_again(files: list[Path], tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache")
    decode_images(EncodedImages(files), None, cache)
    (pixels,) = cache.root.glob("pixels-*.npy")
    for harm in (
        lambda: pixels.write_bytes(pixels.read_bytes()[:500]),
        pixels.unlink,
        lambda: pixels.write_bytes(b""),
    ):
        harm()
        content = decode_images(EncodedImages(files), None, cache).content
        np.testing.assert_array_equal(content.read(np.arange(150)).numpy(), pixels_of(files))


def test_a_disk_that_fills_up_while_decoding(files: list[Path], tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageError, match=r"cannot write .*pixels-.*\.npy"):
            decode_images(EncodedImages(files), None, Cache(tmp_path / "cache"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert list((tmp_path / "cache").iterdir()) == []
    assert len(decode_images(EncodedImages(files), None, Cache(tmp_path / "cache")).content) == 150


def test_a_lack_of_memory_is_not_blamed_on_a_file(
    files: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exhausted(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(pixel_file, "to_pixels", exhausted)
    with pytest.raises(MemoryError):
        decode_images(EncodedImages(files), None, Cache(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []


def test_nothing_readable_gives_empty_content(tmp_path: Path) -> None:
    decoded = decode_images(EncodedImages([b"", None]), None, Cache(tmp_path))
    assert len(decoded.content) == 0
    assert dict(decoded.failures) == {0: "the file is empty (0 bytes)", 1: "the cell is empty"}


def test_mixed_sizes_are_streamed_in_order(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    files = [put_image(tmp_path / "in" / f"{i}.png", (10 + i, 12), "RGB", seed=i) for i in range(9)]
    files[4].write_bytes(files[4].read_bytes()[:80])
    decoded = decode_images(EncodedImages(files), None, Cache(tmp_path / "cache"))
    content = decoded.content
    assert isinstance(content, StreamedImages)
    assert (content.shape, content.resident, len(content)) == ((3, 12, 12), False, 8)
    assert content.nbytes == 8 * 3 * 12 * 12
    assert decoded.note is not None
    assert [row for row, _ in decoded.failures] == [4]
    once = decode_images(EncodedImages(files), 12, Cache(tmp_path / "cache")).content
    assert once.resident
    whole = once.read(np.arange(8))
    batches = [np.array([7, 0]), np.array([3]), np.arange(8)] * 5
    for batch, pixels in zip(batches, content.stream(batches), strict=True):
        torch.testing.assert_close(pixels, whole[batch], rtol=0, atol=0)


def test_a_stream_may_be_left_early_and_a_lost_file_is_named(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    files = [put_image(tmp_path / "in" / f"{i}.png", (10 + i, 12), seed=i) for i in range(4)]
    content = decode_images(EncodedImages(files), None, Cache(tmp_path / "cache")).content
    stream = content.stream([np.array([0])] * 100)
    assert next(stream).shape == (1, 1, 11, 11)
    stream.close()
    files[2].unlink()
    with pytest.raises(WorkError, match=r"the image .*2\.png. could be read when .* the file does not exist"):
        list(content.stream([np.array([2])]))


@pytest.mark.parametrize("channels", [None, 1, 3])
def test_arrays_are_used_as_they_are(tmp_path: Path, channels: int | None) -> None:
    shape = (5, 4, 6) if channels is None else (5, 4, 6, channels)
    array = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    array.flags.writeable = False
    decoded = decode_images(PixelArray(array), None, Cache(tmp_path / "cache"))
    expected = array[:, None] if channels is None else array.transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(decoded.content.read(np.arange(5)).numpy(), expected)
    assert not (tmp_path / "cache").exists()


def test_arrays_of_another_kind_are_converted(tmp_path: Path) -> None:
    transparent = np.zeros((2, 4, 4, 4), np.uint8)
    decoded = decode_images(PixelArray(transparent), None, Cache(tmp_path))
    assert decoded.content.shape == (3, 4, 4)
    assert (decoded.content.read(np.arange(2)) == 255).all()
    gray = np.full((2, 4, 4), 9, np.uint8)
    forced = decode_images(PixelArray(gray), ImageFormat(3, 8, 8), Cache(tmp_path))
    assert forced.content.read(np.arange(2)).shape == (2, 3, 8, 8)
    assert (forced.content.read(np.arange(2)) == 9).all()


def test_large_arrays_are_scaled_like_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(format_module, "SMALL_PIXELS", 15)
    assert decode_images(PixelArray(np.zeros((2, 4, 4), np.uint8)), None, Cache(tmp_path)).note is not None
