"""Colors of float images (B, C, H, W) on the scale 0 to 255, changed by one factor an image (B, 1, 1, 1).

Brightness, contrast, saturation and hue as Pillow and torchvision change them. Images of one channel have no
saturation and no hue.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

JITTER = 0.4  # largest change of each factor; of hue: in turns of the color circle
GRAY_SHARE = 0.2  # of the images that lose their colors
LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R 601, as in Pillow's convert("L")

Change = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def jitter(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One image in five gray, then all four changes on each image in an order of its own (Wu et al. 2018)."""
    batch, channels, device = images.shape[0], images.shape[1], generator.device
    changes: tuple[Change, ...] = (brightness, contrast) if channels == 1 else (brightness, contrast, saturation, hue)
    grayed_B = torch.rand(batch, generator=generator, device=device) < GRAY_SHARE
    grayed_B = grayed_B.to(images.device, non_blocking=True).view(-1, 1, 1, 1)
    images = torch.where(grayed_B, gray(images), images)
    order_BP = torch.rand(batch, len(changes), generator=generator, device=device).argsort(1)
    level_BP = JITTER * (2 * torch.rand(batch, len(changes), generator=generator, device=device) - 1)
    for chosen_B in order_BP.unbind(1):
        images = each_changed(images, changes, chosen_B, level_BP.gather(1, chosen_B[:, None]).squeeze(1))
    return images


def each_changed(
    images: torch.Tensor, changes: Sequence[Change], chosen_B: torch.Tensor, level_B: torch.Tensor
) -> torch.Tensor:
    """Each image with the change of its number at its level; a change is called once, with all that chose it."""
    changed = images.clone()
    for number, change in enumerate(changes):
        rows = (chosen_B == number).nonzero().squeeze(1)
        if rows.numel():
            levels = level_B[rows].to(images.device, non_blocking=True).view(-1, 1, 1, 1)
            rows = rows.to(images.device, non_blocking=True)
            changed.index_copy_(0, rows, change(images[rows], levels))
    return changed


def brightness(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Times 1 + level."""
    return (images * (1 + level)).clamp(0, 255)


def contrast(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Distance from the mean gray of the image times 1 + level."""
    return _away_from(gray(images).mean((2, 3), keepdim=True), images, level)


def saturation(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Distance from the gray image times 1 + level."""
    return _away_from(gray(images), images, level)


def hue(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Hue of HSV moved on by `level` turns, saturation and value kept."""
    red, green, blue = images.unbind(1)
    value, least = images.amax(1), images.amin(1)
    chroma = value - least
    safe = chroma.clamp_min(1e-6)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    moved = sixths + 6 * level.view(-1, 1, 1)
    channels = [(moved + offset) % 6 for offset in (5, 3, 1)]
    parts = [value - chroma * torch.minimum(at, 4 - at).clamp(0, 1) for at in channels]
    return torch.stack(parts, 1)


def gray(images: torch.Tensor) -> torch.Tensor:
    """The gray image (B, 1, H, W); one of one channel as it is."""
    if images.shape[1] == 1:
        return images
    weights = torch.tensor(LUMINANCE, device=images.device, dtype=images.dtype).view(1, 3, 1, 1)
    return (images * weights).sum(1, keepdim=True)


def _away_from(middle: torch.Tensor, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return (middle + (1 + level) * (images - middle)).clamp(0, 255)
