"""Geometry of whole batches of images (B, C, H, W), a different draw for each image, no loop over images.

Draws come from the given generator, on its own device, so that the same generator gives the same images wherever
the images live.
"""

from __future__ import annotations

import math

import torch
from torch.nn import functional as F

CROP_AREA = (0.2, 1.0)  # of the image (Wu et al. 2018 and those who follow them)
CROP_RATIO = (3 / 4, 4 / 3)  # width by height
CROP_TRIES = 10  # as torchvision's RandomResizedCrop
FRAME = 8 / 84  # of a side


def shift_range(size: int) -> int:
    """The largest shift in pixels along an axis of `size`: an eighth, as the papers' 4 at 32; at least 1."""
    return min(max(1, round(size / 8)), size - 1)


def shift(images: torch.Tensor, generator: torch.Generator, *, flip: bool) -> torch.Tensor:
    """Whole-pixel translation, uniform in [-s, s] per axis with reflect fill; `flip` also mirrors half of them.

    Works on any dtype: one gather moves the pixels, none is resampled.
    """
    height, width = images.shape[2:]
    rows_BH = _shifted(height, len(images), generator)
    columns_BW = _shifted(width, len(images), generator)
    return _gathered(images, rows_BH, columns_BW, generator, flip=flip)


def _shifted(size: int, batch: int, generator: torch.Generator) -> torch.Tensor:
    """Source positions (B, size) along one axis after a random shift; what falls outside is reflected back."""
    most = shift_range(size)
    device = generator.device
    offsets = torch.randint(-most, most + 1, (batch, 1), generator=generator, device=device)
    beyond_end = size - 1 - (torch.arange(size, device=device) + offsets).abs()
    return size - 1 - beyond_end.abs()


def padded_crop(images: torch.Tensor, generator: torch.Generator, *, flip: bool) -> torch.Tensor:
    """A window of the images' own size out of the images with a black frame around them, placed at random.

    The frame is 8 pixels wide at 84 (mini-ImageNet in DLP). `flip` also mirrors half of them. Works on any dtype.
    """
    sizes = images.shape[2:]
    frames = [max(1, round(FRAME * size)) for size in sizes]
    padded = F.pad(images, (frames[1], frames[1], frames[0], frames[0]))
    rows_BH, columns_BW = (
        torch.arange(size, device=generator.device)
        + torch.randint(2 * frame + 1, (len(images), 1), generator=generator, device=generator.device)
        for size, frame in zip(sizes, frames, strict=True)
    )
    return _gathered(padded, rows_BH, columns_BW, generator, flip=flip)


def _gathered(
    images: torch.Tensor, rows_BH: torch.Tensor, columns_BW: torch.Tensor, generator: torch.Generator, *, flip: bool
) -> torch.Tensor:
    """The pixels in these rows and columns of each image; `flip` mirrors half of them."""
    batch, channels = images.shape[:2]
    if flip:
        columns_BW = torch.where(_half(batch, generator)[:, None], columns_BW.flip(1), columns_BW)
    source_BHW = rows_BH[:, :, None] * images.shape[3] + columns_BW[:, None, :]
    source_B1P = source_BHW.to(images.device, non_blocking=True).flatten(1)[:, None]
    found = images.flatten(2).gather(2, source_B1P.expand(-1, channels, -1))
    return found.view(batch, channels, *source_BHW.shape[1:])


def _half(batch: int, generator: torch.Generator) -> torch.Tensor:
    return torch.rand(batch, generator=generator, device=generator.device) < 0.5


def turned(images: torch.Tensor, generator: torch.Generator, *, degrees: float) -> torch.Tensor:
    """Float images turned about their center by -`degrees` to `degrees`; nearest pixel, black where nothing was."""
    share_B = torch.rand(len(images), generator=generator, device=generator.device)
    angle_B = torch.deg2rad(degrees * (2 * share_B - 1)).to(images.device, non_blocking=True)
    matrix_B23 = rotation(angle_B, images.shape[2], images.shape[3])
    return affine(images, matrix_B23, mode="nearest", padding_mode="zeros")


def resized_crop(
    images: torch.Tensor, size: tuple[int, int], generator: torch.Generator, *, flip: bool
) -> torch.Tensor:
    """Float images (B, C, *size): a box of each at random, brought to `size`; `flip` also mirrors half of them.

    Bilinear as torch's grid_sample, which smooths nothing where a box shrinks and at its edge also sees the pixels
    beyond it.
    """
    batch, _, height, width = images.shape
    box_B4 = crop_boxes(batch, height, width, generator)
    top_B, left_B, high_B, wide_B = box_B4.unbind(1)
    zero_B = torch.zeros_like(top_B)
    across_B = torch.where(_half(batch, generator), -wide_B, wide_B) if flip else wide_B
    first_B3 = torch.stack((across_B / width, zero_B, (2 * left_B + wide_B) / width - 1), 1)
    second_B3 = torch.stack((zero_B, high_B / height, (2 * top_B + high_B) / height - 1), 1)
    matrix_B23 = torch.stack((first_B3, second_B3), 1).to(images.device, non_blocking=True)
    return affine(images, matrix_B23, size=size)


def crop_boxes(batch: int, height: int, width: int, generator: torch.Generator) -> torch.Tensor:
    """Boxes (B, 4) float32 of whole pixels: top, left, height, width; the rule of torchvision's RandomResizedCrop.

    Area uniform, ratio uniform in its logarithm, the first of ten draws that fits; the whole image where none does.
    """
    device = generator.device
    area_BT, ratio_BT = torch.rand(2, batch, CROP_TRIES, generator=generator, device=device)
    area_BT = height * width * (CROP_AREA[0] + (CROP_AREA[1] - CROP_AREA[0]) * area_BT)
    low, high = math.log(CROP_RATIO[0]), math.log(CROP_RATIO[1])
    ratio_BT = (low + (high - low) * ratio_BT).exp()
    wide_BT, high_BT = (area_BT * ratio_BT).sqrt().round(), (area_BT / ratio_BT).sqrt().round()
    fits_BT = (wide_BT <= width) & (high_BT <= height) & (wide_BT > 0) & (high_BT > 0)
    first_B1 = fits_BT.int().argmax(1, keepdim=True)
    any_B = fits_BT.any(1)
    wide_B = torch.where(any_B, wide_BT.gather(1, first_B1).squeeze(1), float(width))
    high_B = torch.where(any_B, high_BT.gather(1, first_B1).squeeze(1), float(height))
    place_2B = torch.rand(2, batch, generator=generator, device=device)
    top_B = (place_2B[0] * (height - high_B + 1)).floor().clamp_max(height)
    left_B = (place_2B[1] * (width - wide_B + 1)).floor().clamp_max(width)
    return torch.stack((top_B, left_B, high_B, wide_B), 1)


def rotation(angle_B: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Matrices (B, 2, 3) for `affine` that turn by these angles, in pixels also where the image is not square."""
    cos, sin, zero = angle_B.cos(), angle_B.sin(), torch.zeros_like(angle_B)
    first_B3 = torch.stack((cos, -sin * (height / width), zero), 1)
    return torch.stack((first_B3, torch.stack((sin * (width / height), cos, zero), 1)), 1)


def affine(
    images: torch.Tensor,
    matrix_B23: torch.Tensor,
    *,
    size: tuple[int, int] | None = None,
    mode: str = "bilinear",
    padding_mode: str = "reflection",
) -> torch.Tensor:
    """Float images resampled by one matrix each, output to input in coordinates of [-1, 1]; `size` or their own."""
    shape = [*images.shape[:2], *(images.shape[2:] if size is None else size)]
    grid = F.affine_grid(matrix_B23, shape, align_corners=False)
    return F.grid_sample(images, grid, mode=mode, padding_mode=padding_mode, align_corners=False)


def cutout(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Standardized images with a square of half their shorter side set to 0, the mean of the data.

    The center is uniform over the image, so that the square may reach over the edge (DeVries & Taylor 2017).
    """
    batch, _, height, width = images.shape
    side = min(height, width) // 2
    rows_BH = _outside_window(height, side, batch, generator)
    columns_BW = _outside_window(width, side, batch, generator)
    kept_BHW = (rows_BH[:, :, None] | columns_BW[:, None, :]).to(images.device, non_blocking=True)
    return images * kept_BHW[:, None]


def _outside_window(size: int, side: int, batch: int, generator: torch.Generator) -> torch.Tensor:
    device = generator.device
    start_B1 = torch.randint(0, size, (batch, 1), generator=generator, device=device) - side // 2
    positions = torch.arange(size, device=device)
    return (positions < start_B1) | (positions >= start_B1 + side)
