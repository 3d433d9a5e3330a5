"""Strong views: each image gets its own two operations at its own strength, as in RandAugment and FixMatch.

The operations and ranges are those of FixMatch (Sohn et al. 2020, table 12). An operation is a function of float
images (B, C, H, W) on the scale 0 to 255 and a level in [0, 1] per image; it is called once with all images that drew
it. `color` blends with gray and is left out for images of one channel.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F

from labelprop.data.views.color import Change, each_changed, gray
from labelprop.data.views.geometric import affine, rotation

OPERATIONS_PER_IMAGE = 2  # N of RandAugment, as in FixMatch


def apply_policies(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Two operations, drawn with replacement for each image, one after the other; float32, 0 to 255."""
    operations = GRAY_OPERATIONS if images.shape[1] == 1 else COLOR_OPERATIONS
    images = images.float()
    for _ in range(OPERATIONS_PER_IMAGE):
        batch, device = images.shape[0], generator.device
        choice_B = torch.randint(len(operations), (batch,), generator=generator, device=device)
        level_B = torch.rand(batch, generator=generator, device=device)
        images = each_changed(images, operations, choice_B, level_B)
    return images


def identity(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return images


def autocontrast(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Each channel stretched to the full range; a flat one stays."""
    low, high = images.amin((2, 3), keepdim=True), images.amax((2, 3), keepdim=True)
    stretched = (images - low) * (255 / (high - low).clamp_min(1e-6))
    return torch.where(high > low, stretched, images)


def equalize(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Histogram of each channel made flat; the rule of Pillow's ImageOps.equalize."""
    batch, channels, height, width = images.shape
    planes = batch * channels
    pixels = images.round().clamp(0, 255).long().view(planes, height * width)
    offsets = torch.arange(planes, device=images.device).unsqueeze(1) * 256
    histogram = torch.bincount((pixels + offsets).flatten(), minlength=planes * 256).view(planes, 256)
    brightest = pixels.amax(1, keepdim=True)
    step = (height * width - histogram.gather(1, brightest)) // 255
    below = histogram.cumsum(1) - histogram
    table = ((below + step // 2) // step.clamp_min(1)).clamp(0, 255)
    return torch.where(step > 0, table.gather(1, pixels), pixels).view_as(images).to(images.dtype)


def brightness(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return images * _factor(level)


def color(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _blend(gray(images), images, level)


def contrast(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _blend(gray(images).mean((2, 3), keepdim=True), images, level)


def sharpness(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Blend with a blurred copy; Pillow's SMOOTH kernel."""
    channels = images.shape[1]
    kernel = torch.tensor([[1.0, 1, 1], [1, 5, 1], [1, 1, 1]], device=images.device, dtype=images.dtype) / 13
    padded = F.pad(images, (1, 1, 1, 1), mode="replicate")
    blurred = F.conv2d(padded, kernel.expand(channels, 1, 3, 3), groups=channels)
    return _blend(blurred, images, level)


def posterize(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Keeps the 4 to 8 highest bits."""
    step = 2.0 ** (4 - (level * 5).floor().clamp(max=4))
    return (images / step).floor() * step


def solarize(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """Inverts what is at or above a threshold between 0 and 256."""
    return torch.where(images < 256 * level, images, 255 - images)


def rotate(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    """By -30 to 30 degrees, in pixels also where the image is not square."""
    angle = torch.deg2rad(60 * level.flatten() - 30)
    return affine(images, rotation(angle, images.shape[2], images.shape[3]))


def shear_x(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _moved(images, level, 0, 1, 1)


def shear_y(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _moved(images, level, 1, 0, 1)


def translate_x(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _moved(images, level, 0, 2, 2)


def translate_y(images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return _moved(images, level, 1, 2, 2)


def _factor(level: torch.Tensor) -> torch.Tensor:
    """How much of the original stays: 0.05 to 0.95."""
    return 0.05 + 0.9 * level


def _blend(other: torch.Tensor, images: torch.Tensor, level: torch.Tensor) -> torch.Tensor:
    return other + _factor(level) * (images - other)


def _moved(images: torch.Tensor, level: torch.Tensor, row: int, column: int, times: int) -> torch.Tensor:
    """By the identity with -0.3 to 0.3 at one place: tangent of a shear, or share of the size (which is 2 there)."""
    matrix_B23 = torch.eye(2, 3, device=images.device).repeat(len(images), 1, 1)
    matrix_B23[:, row, column] = times * (0.6 * level.flatten() - 0.3)
    return affine(images, matrix_B23)


GRAY_OPERATIONS: tuple[Change, ...] = (
    identity,
    autocontrast,
    brightness,
    contrast,
    equalize,
    posterize,
    rotate,
    sharpness,
    shear_x,
    shear_y,
    solarize,
    translate_x,
    translate_y,
)
COLOR_OPERATIONS: tuple[Change, ...] = (*GRAY_OPERATIONS, color)
