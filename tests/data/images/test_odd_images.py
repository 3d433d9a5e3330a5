"""Images as nobody expects them: of one pixel, very long, very large, of other modes than the rest."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelprop.core.cache import Cache
from labelprop.core.memory import peak_memory_bytes, reset_peak_memory
from labelprop.data.images import kinds, pixels
from labelprop.data.images.decoding import DecodedImages, decode_images, open_for_backbone
from labelprop.data.images.kinds import open_image
from labelprop.data.images.originals import EncodedImages
from labelprop.data.images.pixels import FROZEN, USUAL, ForBackbone, ImageFormat, Scaling, to_pixels
from labelprop.data.images.unchecked import UncheckedImages

SQUARE = ImageFormat(3, 16, 16)
SQUEEZED = Scaling(whole=True, oversize=1, reduced=True)


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def opened(images: EncodedImages, target: ImageFormat, scaling: Scaling = FROZEN) -> DecodedImages:
    return open_for_backbone(images, ForBackbone(target, scaling), None, Cache())


@pytest.mark.parametrize("scaling", [USUAL, FROZEN, SQUEEZED])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_one_pixel_and_very_long_images_come_in_the_format(
    size: tuple[int, int], kind: str, scaling: Scaling
) -> None:
    found = to_pixels(open_image(stored(Image.new("RGB", size, (200, 100, 40)), kind)), SQUARE, scaling)
    assert found.shape == (3, 16, 16)
    assert np.abs(found.mean((1, 2)) - [200, 100, 40]).max() < 4


def in_mode(mode: str) -> Image.Image:
    """A picture in one color, the left half brighter than the right, whatever the mode."""
    color = Image.new("RGB", (40, 40), (180, 60, 60))
    color.paste((90, 30, 30), (20, 0, 40, 40))
    if mode == "I;16":
        return Image.fromarray(np.asarray(color.convert("L"), np.uint16) * 257)
    if mode == "P":
        return color.quantize(4)
    return color.convert(mode)


@pytest.mark.parametrize("scaling", [USUAL, FROZEN, SQUEEZED])
@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        *(("CMYK", "JPEG"), ("CMYK", "TIFF"), ("P", "PNG"), ("P", "GIF"), ("I;16", "PNG"), ("I;16", "TIFF")),
        *(("1", "PNG"), ("L", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"), ("RGBA", "WEBP"), ("RGB", "WEBP")),
        ("YCbCr", "JPEG"),
    ],
)
def test_all_modes_among_each_other(mode: str, kind: str, scaling: Scaling) -> None:
    data = [stored(in_mode(mode), kind), stored(in_mode("RGB")), stored(in_mode("L"))]
    content = opened(EncodedImages(data), SQUARE, scaling).content
    assert isinstance(content, UncheckedImages)
    odd, color, gray = (one.pixels for one in next(content.attempts([np.arange(3)], set())))
    assert odd is not None
    assert odd.shape == (3, 16, 16)
    means = odd.reshape(3, 16, 2, 8).mean((1, 3))
    assert (means[:, 0] >= means[:, 1]).all()
    if mode in ("CMYK", "P", "RGBA", "RGB", "YCbCr"):  # the others hold no color
        assert np.abs(means - color.reshape(3, 16, 2, 8).mean((1, 3))).max() < 8
    elif mode != "1":
        assert np.abs(means - gray.reshape(3, 16, 2, 8).mean((1, 3))).max() < 8
    shown_gray = open_for_backbone(
        EncodedImages(data), ForBackbone(ImageFormat(1, 16, 16), scaling), None, Cache()
    ).content
    assert shown_gray.read(np.arange(3)).shape == (3, 1, 16, 16)


def test_a_photo_that_lies_on_its_side_is_turned_before_it_is_cropped(tmp_path: Path) -> None:
    image = Image.new("RGB", (400, 200))
    image.paste((255, 255, 255), (0, 0, 400, 100))  # white above
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("JPEG", "PNG"):
        found = to_pixels(open_image(stored(image, kind, exif=exif)), SQUARE, FROZEN).mean(0)
        assert (found[:, 9:] > 240).all()
        assert (found[:, :7] < 15).all()


def checkered(width: int, height: int, kind: str, **options: object) -> bytes:
    """A large picture in two colors, of few bytes."""
    tile = np.kron([[0, 255], [255, 0]], np.ones((64, 64))).astype(np.uint8)
    return stored(Image.fromarray(np.tile(tile, (height // 128, width // 128))), kind, **options)


def test_a_photo_of_a_hundred_megapixels_is_decoded_small(monkeypatch: pytest.MonkeyPatch) -> None:
    data = checkered(11648, 8704, "JPEG", quality=30)
    sizes: list[tuple[int, int]] = []
    original = pixels.to_eight_bit
    monkeypatch.setattr(pixels, "to_eight_bit", lambda image: sizes.append(image.size) or original(image))
    images = EncodedImages([data])
    content = opened(images, ImageFormat(3, 160, 160)).content
    assert isinstance(content, UncheckedImages)
    reset_peak_memory()
    before = peak_memory_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((found,),) = content.attempts([np.arange(1)], set())
    assert found.pixels is not None
    assert abs(found.pixels.mean() - 127.5) < 6
    ((width, height),) = sizes
    assert width * height < 2_000_000
    assert peak_memory_bytes() - before < 60e6  # all pixels would take 400 MB


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_what_cannot_be_decoded_small_is_decoded_one_at_a_time(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_LARGE_PIXELS", 1000)
    inside: list[bool] = []
    original = pixels.to_eight_bit
    monkeypatch.setattr(
        pixels, "to_eight_bit", lambda image: inside.append(pixels._ONE_LARGE.locked()) or original(image)
    )
    options = {"progressive": True} if kind == "JPEG" else {}
    for size, alone in ((256, True), (25, False)):
        data = stored(Image.new("RGB", (size, size), (9, 9, 9)), kind, **options)
        to_pixels(open_image(data), SQUARE, FROZEN)
        assert inside.pop() is alone


def bomb() -> bytes:
    """A PNG whose header says 20,000 by 20,000 pixels."""
    data = bytearray(stored(Image.new("L", (4, 4))))
    data[16:24] = (20_000).to_bytes(4) * 2
    data[29:33] = zlib.crc32(bytes(data[12:29])).to_bytes(4)
    return bytes(data)


@pytest.mark.parametrize("limit", [Image.MAX_IMAGE_PIXELS, None, 10_000])
def test_a_decompression_bomb_is_left_out_by_name_and_without_a_warning(
    limit: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
    images = EncodedImages([bomb(), stored(Image.new("L", (8, 8)))])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for found in (
            opened(images, SQUARE),
            decode_images(images, None, Cache(tmp_path)),
        ):
            ((row, reason),) = found.failures
            assert row == 0
            assert "scale it down" in reason
            assert "20000x20000" in reason or "400000000" in reason
    assert limit == Image.MAX_IMAGE_PIXELS


def test_between_the_warning_and_the_limit_an_image_is_read_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 3000)  # where Pillow warns, and refuses twice as much
    content = open_for_backbone(
        EncodedImages([stored(Image.new("L", (64, 64)))]), ForBackbone(SQUARE), None, Cache()
    ).content
    assert isinstance(content, UncheckedImages)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ((found,),) = content.attempts([np.arange(1)], set())
    assert found.pixels is not None
    assert kinds.LARGEST_PIXELS == 2 * 89_478_485
