from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from labelprop.data.images.pixels import ImageFormat, failure_reason, read_header, to_eight_bit, to_pixels

GRAY, COLOR = ImageFormat(1, 4, 6), ImageFormat(3, 4, 6)


def stored(image: Image.Image, kind: str = "PNG", **options: object) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return Image.open(io.BytesIO(buffer.getvalue()))


@pytest.mark.parametrize(
    ("mode", "gray"),
    [("1", True), ("L", True), ("LA", True), ("I;16", True), ("P", False), ("RGB", False), ("RGBA", False)],
)
def test_every_mode_comes_out_in_either_format(mode: str, gray: bool) -> None:
    if mode == "P":
        image = Image.new("RGB", (6, 4), (200, 10, 10)).quantize(4)
    elif mode == "I;16":
        image = Image.fromarray(np.full((4, 6), 40000, np.uint16))
    else:
        image = Image.new(mode, (6, 4))
    assert read_header(stored(image)).gray is gray
    assert to_eight_bit(stored(image)).mode == ("L" if gray else "RGB")
    for target in (GRAY, COLOR):
        pixels = to_pixels(stored(image), target)
        assert pixels.dtype == np.uint8
        assert pixels.shape == target.shape
        assert pixels.flags.c_contiguous


def test_sixteen_bits_are_scaled_not_cut() -> None:
    image = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert to_pixels(stored(image), ImageFormat(1, 1, 4)).ravel().tolist() == [0, 1, 128, 255]


def test_transparent_pixels_become_white() -> None:
    for mode, clear, solid in (("RGBA", (0, 0, 0, 0), (10, 20, 30, 255)), ("LA", (0, 0), (10, 255))):
        image = Image.new(mode, (2, 1), clear)
        image.putpixel((1, 0), solid)
        pixels = to_pixels(stored(image), ImageFormat(3 if mode == "RGBA" else 1, 1, 2))
        assert (pixels[..., 0] == 255).all()
        assert pixels[..., 1].ravel().tolist() == list(solid[:-1])
    palette = Image.new("P", (2, 1))
    palette.putpalette([0, 0, 0, 9, 9, 8])
    palette.putpixel((1, 0), 1)
    pixels = to_pixels(stored(palette, transparency=0), ImageFormat(3, 1, 2))
    assert pixels[:, 0].tolist() == [[255, 9], [255, 9], [255, 8]]


def test_a_palette_of_grays_counts_as_gray() -> None:
    assert read_header(stored(Image.new("L", (4, 4), 7).convert("P"))).gray


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_the_exif_orientation_is_applied(kind: str) -> None:
    image = Image.new("L", (48, 32))
    image.paste(255, (0, 0, 48, 8))  # white at the top
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    header = read_header(stored(image, kind, exif=exif))
    assert (header.width, header.height) == (32, 48)
    pixels = to_pixels(stored(image, kind, exif=exif), ImageFormat(1, 48, 32))[0].astype(int)
    assert (pixels[:, 24:] > 250).all()
    assert (pixels[:, :24] < 5).all()


def test_other_sizes_are_scaled_to_cover_and_cropped_at_the_center() -> None:
    image = Image.new("L", (30, 10))
    image.paste(200, (10, 0, 20, 10))  # the middle third
    pixels = to_pixels(stored(image), ImageFormat(1, 5, 5))
    assert (pixels[..., 1:-1] == 200).all()
    assert (pixels > 150).all()  # the filter reaches a little beyond the edge


def test_a_large_jpeg_is_read_at_a_reduced_scale_with_the_same_look() -> None:
    gradient = np.linspace(0, 255, 256, dtype=np.uint8)[None].repeat(256, 0)
    pixels = to_pixels(stored(Image.fromarray(gradient), "JPEG", quality=95), ImageFormat(1, 16, 16))[0]
    expected = gradient.reshape(16, 16, 16, 16).mean(axis=(1, 3))
    assert np.abs(pixels - expected).max() < 3


def test_float_pixels_are_refused_with_the_remedy() -> None:
    with pytest.raises(ValueError, match="save it with 8 or 16 bits"):
        to_pixels(stored(Image.new("F", (2, 2)), "TIFF"), GRAY)


def test_reasons_are_words() -> None:
    assert failure_reason(FileNotFoundError(2, "No such file")) == "the file does not exist"
    assert failure_reason(PermissionError(13, "Permission denied")) == "permission denied"
    assert failure_reason(ValueError("")) == "ValueError"
    with pytest.raises(OSError) as caught:
        Image.open(io.BytesIO(b"no image at all"))
    assert failure_reason(caught.value) == "not an image, or damaged at its beginning"
