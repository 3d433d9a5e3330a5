"""Which format a set of images is brought to, and whether its decoded pixels are kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from labelprop.core.text import byte_size
from labelprop.data.images.pixels import Header, ImageFormat, Scaling

SMALL_PIXELS = 256 * 256  # images of one size up to this are kept as they are
LARGEST_SIDE = 224  # of larger or mixed images, unless --image-size is given
CACHE_LIMIT_BYTES = 8 * 2**30  # of decoded pixels; more than that would surprise on a laptop's disk


Sizes = set[tuple[int, int]]  # widths and heights
Wanted = ImageFormat | int | None  # of the decoded form: all of it (`predict`), the length of its sides, or nothing


@dataclass(frozen=True, slots=True)
class ChosenFormat:
    """How images are read: their format, whether decoded pixels are kept, and a sentence for the user."""

    format: ImageFormat
    cached: bool
    note: str | None = None


def choose_format(headers: Sequence[Header], wanted: Wanted) -> ChosenFormat:
    """Format and storage for images with these headers.

    One channel if all are gray, else three. Small images of one size keep it; others are scaled by their
    shorter side to the median one, at most 224 pixels, and cropped at the center.
    """
    sizes = sizes_of(headers) or {(1, 1)}
    target = (
        wanted
        if isinstance(wanted, ImageFormat)
        else ImageFormat(
            1 if all(header.gray for header in headers) else 3, *_height_and_width(headers, sizes, wanted)
        )
    )
    here = f"{target.width}x{target.height}"
    scaled = f"images of {describe_sizes(sizes)}, each scaled to {here} (shorter side, then a crop at the center)"
    if wanted is None and not small_and_equal(sizes):
        note = f"{scaled} and decoded whenever it is read; --image-size {target.width} decodes once instead"
        return ChosenFormat(target, cached=False, note=note)
    nbytes = len(headers) * target.channels * target.height * target.width
    if nbytes > CACHE_LIMIT_BYTES:
        note = f"images would take {byte_size(nbytes)} once decoded: they are decoded whenever they are read"
        return ChosenFormat(target, cached=False, note=note)
    same = not headers or sizes == {(target.width, target.height)}
    return ChosenFormat(target, cached=True, note=None if same else scaled)


def describe_scaling(headers: Sequence[Header], target: ImageFormat, scaling: Scaling) -> str | None:
    """How images with these headers are brought to `target`; None where they have its size."""
    sizes = sizes_of(headers)
    if sizes <= {(target.width, target.height)}:
        return None
    how = "squeezed to" if scaling.whole else "scaled to"
    crop = "" if scaling.whole else " (shorter side, then a crop at the center)"
    return f"images of {describe_sizes(sizes)}, each {how} {target.width}x{target.height}{crop}"


def _height_and_width(headers: Sequence[Header], sizes: Sizes, side: int | None) -> tuple[int, int]:
    if side is not None:
        return side, side
    if small_and_equal(sizes):
        ((width, height),) = sizes
        return height, width
    median = statistics.median_low(min(header.width, header.height) for header in headers)
    return min(median, LARGEST_SIDE), min(median, LARGEST_SIDE)


def sizes_of(headers: Iterable[Header]) -> Sizes:
    return {(header.width, header.height) for header in headers}


def small_and_equal(sizes: Sizes) -> bool:
    """Whether images of these sizes are kept as they are: then pixels at one place can be compared."""
    return len(sizes) <= 1 and all(width * height <= SMALL_PIXELS for width, height in sizes)


def describe_sizes(sizes: Sizes) -> str:
    """One size, or how many there are, with the smallest and the largest."""
    ordered = sorted(sizes, key=lambda size: (size[0] * size[1], size))
    small, large = (f"{width}x{height}" for width, height in (ordered[0], ordered[-1]))
    return small if len(ordered) == 1 else f"{len(ordered):,} sizes ({small} to {large})"
