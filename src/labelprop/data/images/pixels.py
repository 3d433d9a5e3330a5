"""From one image file to 8-bit pixels of a given format, and what its header holds.

Gray stays gray; transparency is composited on white; 16-bit gray is scaled to 8 bits; the EXIF orientation is
applied; an image of another size is scaled so that it covers the format and cropped at the center, or squeezed whole.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from threading import Lock

import numpy as np
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from labelprop.core.kinds import Kinds

DECODER_VERSION = 1  # part of every cache key: raise it when the same file would give other pixels

_GRAY_MODES = frozenset({"1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N"})
_MEANS = frozenset({"L", "LA", "RGB", "RGBA", "CMYK", "YCbCr"})  # modes in which pixels can be averaged
_ORIENTATION = 0x0112  # EXIF tag
_LARGE_PIXELS = 2**24  # above this images are decoded one at a time: several at once could fill the memory
_ONE_LARGE = Lock()
_SIDEWAYS = frozenset({5, 6, 7, 8})  # its values that swap width and height


@dataclass(frozen=True, slots=True)
class ImageFormat:
    """The decoded form every image is brought to: 1 (gray) or 3 (RGB) channels, and its size in pixels."""

    channels: int
    height: int
    width: int

    @property
    def shape(self) -> tuple[int, int, int]:
        return (self.channels, self.height, self.width)


@dataclass(frozen=True, slots=True)
class Scaling:
    """How an image of another size is brought to a format."""

    whole: bool = False  # squeezed, not cropped
    method: Image.Resampling = Image.Resampling.BILINEAR
    oversize: int = 2  # times its longer side that an image has at least before it is resampled; a JPEG is decoded so
    reduced: bool = False  # whether others are shrunk so before anything else as well


USUAL = Scaling()
# For pretrained networks. In `benchmarks/photo_views.py` bilinear is ahead of bicubic where images are enlarged (2.7
# points on CIFAR-10, 5 labels a class) and behind by 1 where they are shrunk; twice the size makes no difference.
FROZEN = Scaling(oversize=1, reduced=True)


@dataclass(frozen=True, slots=True)
class ForBackbone:
    """Images as a frozen backbone sees them: in its own format, or in one that suits them where it has none.

    A function is asked for the format when there are images. `kinds` are those of examples that it takes.
    """

    format: ImageFormat | Callable[[], ImageFormat | None] | None = None
    scaling: Scaling = FROZEN
    kinds: Kinds | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of an image before decoding it; the size is after its EXIF orientation."""

    width: int
    height: int
    gray: bool


def read_header(image: Image.Image) -> Header:
    """The header of an opened image."""
    width, height = image.size
    # A PNG may keep its orientation behind the pixels, where looking for it would decode the image; Pillow turns
    # a TIFF by itself.
    known = image.format != "TIFF" and ("exif" in image.info or image.format != "PNG")
    if known and image.getexif().get(_ORIENTATION) in _SIDEWAYS:
        width, height = height, width
    return Header(width, height, image.mode in _GRAY_MODES or _has_gray_palette(image))


def _has_gray_palette(image: Image.Image) -> bool:
    if image.mode != "P" or image.palette is None or image.palette.mode != "RGB":
        return False
    colors = np.frombuffer(bytes(image.palette.palette), dtype=np.uint8)
    colors = colors[: len(colors) // 3 * 3].reshape(-1, 3)
    return bool((colors == colors[:, :1]).all())


def to_eight_bit(image: Image.Image) -> Image.Image:
    """The image upright, in mode L or RGB. The one that was given is not to be used any more.

    Raises OSError or ValueError (from Pillow) where the file is damaged, and ValueError for float pixels.
    """
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "F":
        raise ValueError("its pixels are floating-point numbers of unknown range; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        sixteen = np.clip(np.asarray(image), 0, 65535).astype(np.float32)
        return Image.fromarray(np.rint(sixteen / 257).astype(np.uint8))
    gray = image.mode in _GRAY_MODES or _has_gray_palette(image)
    if image.has_transparency_data:
        transparent = image.convert("RGBA")
        white = Image.new("RGBA", transparent.size, "white")
        image = Image.alpha_composite(white, transparent)
    return image.convert("L" if gray else "RGB")


def to_pixels(image: Image.Image, target: ImageFormat, scaling: Scaling = USUAL) -> np.ndarray:
    """Decode an opened image to `target`: uint8 (C, H, W).

    Raises OSError or ValueError (from Pillow) where the file is damaged.
    """
    size = (target.width, target.height)
    least = scaling.oversize * max(size)
    whole = (
        image.width * image.height if image.info.get("progressive") else 0
    )  # held as coefficients, whatever is drawn
    if isinstance(image, ImageFile.ImageFile) and image.format == "JPEG":
        image.draft(None, (least, least))  # decodes large photos at a reduced scale
    with _ONE_LARGE if max(whole, image.width * image.height) > _LARGE_PIXELS else nullcontext():
        if scaling.reduced:
            image = _reduced(image, 2 * least)
        image = to_eight_bit(image)
    mode = "L" if target.channels == 1 else "RGB"
    if image.mode != mode:
        image = image.convert(mode)
    if image.size != size and scaling.whole:
        image = image.resize(size, scaling.method)
    elif image.size != size:
        image = ImageOps.fit(image, size, method=scaling.method)
    pixels = np.asarray(image, dtype=np.uint8)
    return pixels[None] if pixels.ndim == 2 else np.ascontiguousarray(pixels.transpose(2, 0, 1))


def _reduced(image: Image.Image, least: int) -> Image.Image:
    """The image with means of blocks for pixels, as many as leave its sides no shorter than `least`."""
    factor = min(image.size) // least
    if factor < 2 or image.mode not in _MEANS:
        return image
    return image.reduce(factor)


def failure_reason(error: Exception) -> str:
    """Why an image could not be read, in words for the user."""
    match error:
        case FileNotFoundError():
            return "the file does not exist"
        case UnidentifiedImageError():
            return "not an image, or damaged at its beginning"
        case Image.DecompressionBombError():  # where the process has a limit below ours
            return f"{str(error).rstrip('.')}; scale it down, or raise PIL.Image.MAX_IMAGE_PIXELS"
        case OSError() if error.strerror:
            return error.strerror.lower()
        case _ if "truncated" in str(error).lower():  # Pillow adds how many bytes were left
            return "the file is truncated"
        case _:
            return str(error) or type(error).__name__
