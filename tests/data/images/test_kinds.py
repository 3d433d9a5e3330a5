"""Which kinds of images are decoded, and what is said of the others."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from labelprop.core.cache import Cache
from labelprop.data.images import kinds
from labelprop.data.images.decoding import decode_images
from labelprop.data.images.kinds import IMAGE_SUFFIXES, REMEDIES, is_image_name, open_image
from labelprop.data.images.originals import EncodedImages
from labelprop.data.samples import open_samples

HEIC = b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic" + bytes(40)
AVIF = b"\x00\x00\x00\x18ftypmif1\x00\x00\x00\x00mif1avif" + bytes(40)


@pytest.fixture(autouse=True)
def without_heif(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As if `pillow-heif` were not installed."""
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    kinds._reads_heif.cache_clear()
    yield
    kinds._reads_heif.cache_clear()


def test_no_kind_is_both() -> None:
    assert not IMAGE_SUFFIXES & REMEDIES.keys()
    assert all(is_image_name(f"A{suffix.upper()}") for suffix in [*IMAGE_SUFFIXES, *REMEDIES])
    assert not is_image_name("photo.txt")


@pytest.mark.parametrize("suffix", [".cr2", ".CR3", ".nef", ".arw", ".dng", ".orf", ".rw2", ".raf", ".dcm", ".svs"])
def test_kinds_that_are_not_read_are_not_even_opened(tmp_path: Path, suffix: str) -> None:
    cells = EncodedImages([tmp_path / f"none{suffix}"])
    decoded = decode_images(cells, None, Cache(tmp_path / "cache"))
    ((row, reason),) = decoded.failures
    assert row == 0
    assert reason == f"no reader for {suffix.lower()} here: {REMEDIES[suffix.lower()]}"


def test_the_reason_is_kept_by_kind_and_not_by_place(tmp_path: Path, put_image: Callable[..., Path]) -> None:
    cache, whole = Cache(tmp_path / "cache"), put_image(tmp_path / "a.png")
    for suffix in (".dcm", ".nef"):
        decoded = decode_images(EncodedImages([whole, tmp_path / f"x{suffix}"]), None, cache)
        assert decoded.failures[0][1].startswith(f"no reader for {suffix}")


def test_heic_by_another_name_and_without_one_has_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "IMG_1.jpg").write_bytes(HEIC)
    for cell in (tmp_path / "IMG_1.jpg", HEIC):
        with pytest.raises(kinds.UnsupportedImageError, match="pip install pillow-heif"):
            EncodedImages([cell]).open(0)
    with pytest.raises(OSError, match="cannot identify"):
        open_image(AVIF)


def test_heic_is_read_where_pillow_heif_is_installed(
    tmp_path: Path, put_image: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in that registers itself as pillow-heif does: what follows the header is a PNG."""

    def open_heic(file: io.BytesIO, name: str | bytes) -> Image.Image:
        file.seek(len(HEIC))
        return Image.open(io.BytesIO(file.read()))

    def register() -> None:
        Image.register_open("HEIF", open_heic, lambda head: head[4:12] == b"ftypheic")

    whole = put_image(tmp_path / "in" / "a.png")
    (tmp_path / "in" / "b.HEIC").write_bytes(HEIC + whole.read_bytes())
    told: list[str] = []
    assert open_samples(tmp_path / "in", warn=told.append).ids == ("a.png",)
    assert "1 .heic file cannot be read, skipped" in told[0]
    monkeypatch.setattr(Image, "ID", list(Image.ID))
    monkeypatch.setattr(Image, "OPEN", dict(Image.OPEN))
    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(register_heif_opener=register))
    kinds._reads_heif.cache_clear()
    samples = open_samples(tmp_path / "in")
    assert samples.ids == ("a.png", "b.HEIC")
    assert samples.content is not None
    pixels = samples.content.read(np.arange(2))
    np.testing.assert_array_equal(pixels[0].numpy(), pixels[1].numpy())


def test_photoshop_files_are_read(tmp_path: Path) -> None:
    header = b"8BPS\x00\x01" + bytes(6) + (1).to_bytes(2) + (8).to_bytes(4) + (8).to_bytes(4) + (8).to_bytes(2)
    gray = np.arange(64, dtype=np.uint8)
    (tmp_path / "a.psd").write_bytes(header + (1).to_bytes(2) + bytes(12) + bytes(2) + gray.tobytes())
    samples = open_samples(tmp_path)
    assert samples.content is not None
    np.testing.assert_array_equal(samples.content.read(np.arange(1)).numpy().ravel(), gray)
