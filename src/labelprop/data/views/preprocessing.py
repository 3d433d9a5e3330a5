"""What a network sees: size, channels and normalization, as JSON that travels with a saved model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from labelprop.core.errors import DataError
from labelprop.data.images.pixels import ImageFormat

if TYPE_CHECKING:
    from labelprop.data.contents import Content

_RESIDENT_SAMPLE = 10_000  # rows: the mean is then known to a hundredth of a deviation
_STREAMED_SAMPLE = 1_000  # each has to be decoded
_BLOCK = 1_024  # rows in float64 at once
_SMALLEST_STD = 1e-6  # below it values are constant, and dividing would blow rounding up


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """Images: (x / 255 - mean) / std by channel. Vectors: (x - mean) / std, by one value or one a dimension.

    `seen` is the height and width of the central part of an image that the network sees; None is all of it.
    """

    kind: Literal["image", "vector"]
    shape: tuple[int, ...]  # (C, H, W) or (D,)
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    seen: tuple[int, int] | None = None

    @property
    def seen_shape(self) -> tuple[int, ...]:
        """The shape of an example as the network sees it."""
        return self.shape if self.seen is None else (self.shape[0], *self.seen)

    def apply(self, raw: torch.Tensor) -> torch.Tensor:
        """(B, *shape) of any dtype -> float32 (B, *seen_shape) on the same device; `raw` is not changed.

        Raises DataError where the shape is not the one the network was made for.
        """
        return self.standardize(self.center(raw))

    def center(self, raw: torch.Tensor) -> torch.Tensor:
        """The part of examples (B, *shape) that is seen, (B, *seen_shape): of images the center."""
        if tuple(raw.shape[1:]) != self.shape:
            raise DataError(f"expected examples of shape {self.shape}, got {tuple(raw.shape[1:])}.")
        if self.seen is None:
            return raw
        (height, width), (high, wide) = self.shape[1:], self.seen
        top, left = (height - high + 1) // 2, (width - wide + 1) // 2
        return raw[:, :, top : top + high, left : left + wide]

    def standardize(self, raw: torch.Tensor) -> torch.Tensor:
        """Mean and deviation of images of any size, or of vectors, to 0 and 1; float32."""
        scale = 1 / 255 if self.kind == "image" else 1.0
        std = torch.tensor(self.std, dtype=torch.float32, device=raw.device)
        mean = torch.tensor(self.mean, dtype=torch.float32, device=raw.device)
        if self.kind == "image":
            std, mean = std.view(-1, 1, 1), mean.view(-1, 1, 1)
        return torch.addcmul(-mean / std, raw.to(torch.float32), scale / std)

    @property
    def image_format(self) -> ImageFormat | None:
        """The format to open new images with; None for vectors."""
        return ImageFormat(*self.shape) if self.kind == "image" else None

    def to_json(self) -> dict[str, Any]:
        return {name: value for name, value in asdict(self).items() if value is not None}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Preprocessing:
        parts: dict[str, Any] = {name: value if name == "kind" else tuple(value) for name, value in data.items()}
        return cls(**parts)

    @classmethod
    def measure(cls, content: Content, indices: np.ndarray | None = None) -> Preprocessing:
        """Mean and standard deviation by channel (images) or over all entries (vectors).

        A vector set keeps its geometry: one mean and one scale for all dimensions. At most 10,000 examples
        (1,000 where reading decodes files), evenly spaced in `indices` (all, if None), are read, so the same
        data give the same numbers.
        """
        image = len(content.shape) == 3
        chosen = np.arange(len(content)) if indices is None else np.asarray(indices)
        limit = _RESIDENT_SAMPLE if content.resident else _STREAMED_SAMPLE
        if len(chosen) > limit:
            chosen = chosen[np.linspace(0, len(chosen) - 1, limit).astype(np.int64)]
        blocks = [chosen[start : start + _BLOCK] for start in range(0, len(chosen), _BLOCK)]
        mean, std = _moments(content, blocks, channels=content.shape[0] if image else 1)
        return cls("image" if image else "vector", content.shape, tuple(mean.tolist()), tuple(std.tolist()))


def _moments(content: Content, blocks: list[np.ndarray], channels: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean and standard deviation by channel, in float64, of what `apply` will see before normalizing."""
    count, total, square = 0, torch.zeros(channels).double(), torch.zeros(channels).double()
    scale = 255.0 if content.dtype == torch.uint8 and len(content.shape) == 3 else 1.0
    for raw in content.stream(blocks):
        values = (raw.double() / scale).reshape(raw.shape[0], channels, -1)
        count += values.shape[0] * values.shape[2]
        total += values.sum(dim=(0, 2))
        square += values.square().sum(dim=(0, 2))
    if not count:
        return torch.zeros(channels), torch.ones(channels)
    mean = total / count
    std = (square / count - mean.square()).clamp_min(0).sqrt()
    return mean, torch.where(std > _SMALLEST_STD, std, torch.ones_like(std))
