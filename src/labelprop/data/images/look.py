"""What the headers of a set of images tell before anything is decoded: how many are gray, how many are small."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from labelprop.data.images.choose_format import sizes_of, small_and_equal
from labelprop.data.images.pixel_file import over_rows
from labelprop.data.images.pixels import Header
from labelprop.data.source import Originals

PHOTO_SIDE = 32  # pixels of the shorter side, from which on a picture is taken for a photograph
LOOKED_AT = 10_000  # images, evenly spaced in a larger set: opening each of a million takes minutes


@dataclass(frozen=True, slots=True)
class Look:
    """Of the images that were looked at, how many there are; which of them are gray; which others are small.

    `alike`: all are of one size, and not too large to be kept as they are.
    """

    n: int
    gray: int
    small: int
    alike: bool = True

    @classmethod
    def of(cls, headers: Iterable[Header], image_size: int | None = None) -> Look:
        """`image_size` is the one that images will be brought to, if they will be."""
        known = list(headers)
        color = [header for header in known if not header.gray]
        sides = [image_size or min(header.width, header.height) for header in color]
        alike = image_size is not None or small_and_equal(sizes_of(known))
        return cls(len(known), len(known) - len(color), sum(side < PHOTO_SIDE for side in sides), alike)

    @property
    def photos(self) -> int:
        """Images in color of 32 pixels and more."""
        return self.n - self.gray - self.small

    @property
    def are_photos(self) -> bool:
        """Whether more than half are: all are brought to one format, and a few gray or small ones among photographs
        are still read as what they show, while a few in color make no photographs of scans or icons."""
        return 2 * self.photos > self.n


def look_at(originals: Originals, image_size: int | None = None) -> Look:
    """Opens the images, and decodes none; what cannot be opened is not counted."""
    n = len(originals)
    rows = np.arange(n) if n <= LOOKED_AT else np.linspace(0, n - 1, LOOKED_AT).astype(np.int64)
    headers = over_rows(originals.header, rows)
    return Look.of((header for header in headers if isinstance(header, Header)), image_size)
