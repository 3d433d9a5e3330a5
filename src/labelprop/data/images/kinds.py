"""Kinds of image files: which are decoded here, and what to do about the others."""

from __future__ import annotations

import io
from functools import lru_cache
from pathlib import Path, PurePath
from typing import BinaryIO

from PIL import Image

IMAGE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".dib", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
    | {".pbm", ".pnm", ".jp2", ".j2k", ".jpx", ".avif", ".tga", ".apng", ".mpo", ".psd"}
)
LARGEST_PIXELS = 178_956_970  # of an image: where Pillow's own, twice MAX_IMAGE_PIXELS, is if nobody changes it
HEIF_SUFFIXES = frozenset({".heic", ".heif", ".hif"})
_HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"})
_HEIF_REMEDY = "pip install pillow-heif, or convert to JPEG"
_REMEDIES = {  # of images that Pillow cannot decode, or of which it would only find a preview
    _HEIF_REMEDY: ".heic .heif .hif",
    "develop to JPEG or TIFF, for instance with darktable": (
        ".cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .dng .orf .rw2 .raf .pef .srw .x3f .3fr .fff .iiq .erf .mef .mos "
        ".mrw .dcr .kdc .rwl .gpr .raw"
    ),
    "save as PNG, for instance with pydicom": ".dcm .dicom",
    "save tiles as PNG, for instance with OpenSlide": ".svs .ndpi .mrxs .scn .vms .bif .czi .lif .nd2",
    "save slices as PNG": ".nii .nrrd .mha .mhd",
    "export as PNG": ".jxl .xcf .exr .hdr .svg .eps .ai .djvu .kra",
}  # fmt: skip
REMEDIES = {suffix: remedy for remedy, suffixes in _REMEDIES.items() for suffix in suffixes.split()}


class UnsupportedImageError(ValueError):
    """An image of a kind that cannot be decoded here."""

    def __init__(self, suffix: str) -> None:
        super().__init__(f"no reader for {suffix} here: {REMEDIES[suffix]}")


def is_image_name(name: str) -> bool:
    """Whether a file of this name is an image, one that can be decoded or not."""
    suffix = PurePath(name).suffix.lower()
    return suffix in IMAGE_SUFFIXES or suffix in REMEDIES


def refuse_unsupported(name: str | Path) -> None:
    """Raises UnsupportedImageError for a kind that cannot be decoded here; it may be large, and is not opened."""
    suffix = PurePath(name).suffix.lower()
    if suffix in REMEDIES and not (suffix in HEIF_SUFFIXES and _reads_heif()):
        raise UnsupportedImageError(suffix)


class TooLargeError(ValueError):
    """An image that is not decoded, since it may be made to fill the memory."""

    def __init__(self, width: int, height: int) -> None:
        super().__init__(
            f"{width}x{height} pixels are more than the {LARGEST_PIXELS / 1e6:.0f} million that are decoded: scale "
            "it down, or remove it where it is a decompression bomb"
        )


def open_image(file: bytes | memoryview | BinaryIO) -> Image.Image:
    """The image in an encoded file, not yet decoded. Raises OSError or ValueError where there is none.

    HEIF is known by its first bytes: phones also store it under the name `.jpg`, and cells of tables have no name.
    """
    if isinstance(file, bytes | memoryview):
        file = io.BytesIO(file)
    head = file.read(40)
    file.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS and b"avif" not in head and not _reads_heif():
        raise UnsupportedImageError(".heic")
    image = Image.open(file)
    if image.width * image.height > LARGEST_PIXELS:
        raise TooLargeError(image.width, image.height)
    return image


@lru_cache
def _reads_heif() -> bool:
    """Whether `pillow-heif` is installed; it then reads HEIF for Pillow."""
    try:
        import pillow_heif
    except ImportError:
        return False
    pillow_heif.register_heif_opener()
    return True
