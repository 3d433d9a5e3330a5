"""Geometry of whole batches of images (B, C, H, W), a different draw for each image, no loop over images.

Draws come from the given generator, on its own device, so that the same generator gives the same images wherever
the images live.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def shift_range(size: int) -> int:
    """The largest shift in pixels along an axis of `size`: an eighth, as the papers' 4 at 32; at least 1."""
    return min(max(1, round(size / 8)), size - 1)


def shift(images: torch.Tensor, generator: torch.Generator, *, flip: bool) -> torch.Tensor:
    """Whole-pixel translation, uniform in [-s, s] per axis with reflect fill; `flip` also mirrors half of them.

    Works on any dtype: one gather moves the pixels, none is resampled.
    """
    batch, channels, height, width = images.shape
    rows_BH = _shifted(height, batch, generator)
    columns_BW = _shifted(width, batch, generator)
    if flip:
        mirrored_B1 = torch.rand(batch, 1, generator=generator, device=generator.device) < 0.5
        columns_BW = torch.where(mirrored_B1, columns_BW.flip(1), columns_BW)
    source_BHW = rows_BH[:, :, None] * width + columns_BW[:, None, :]
    source = source_BHW.to(images.device, non_blocking=True).view(batch, 1, height * width)
    return images.flatten(2).gather(2, source.expand(-1, channels, -1)).view_as(images)


def _shifted(size: int, batch: int, generator: torch.Generator) -> torch.Tensor:
    """Source positions (B, size) along one axis after a random shift; what falls outside is reflected back."""
    most = shift_range(size)
    device = generator.device
    offsets = torch.randint(-most, most + 1, (batch, 1), generator=generator, device=device)
    beyond_end = size - 1 - (torch.arange(size, device=device) + offsets).abs()
    return size - 1 - beyond_end.abs()


def affine(images: torch.Tensor, matrix_B23: torch.Tensor) -> torch.Tensor:
    """Float images resampled by one matrix each, output to input in coordinates of [-1, 1]; reflect fill."""
    grid = F.affine_grid(matrix_B23, list(images.shape), align_corners=False)
    return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)


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
