"""The base of every trunk: a module from inputs to one feature vector, and the linear heads on top of it."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from labelprop.core.errors import RequestError


class Trunk(nn.Module):
    """Inputs (B, C, H, W) or (B, D), float32 and standardized, to features (B, feature_dim)."""

    feature_dim: int
    learned: bool = False  # its first weights come from another training, and are not random
    rate: float = 1.0  # times the recipe's learning rate: below 1 where the weights are pretrained

    def fixed(self) -> Iterable[nn.Parameter]:
        """The parameters that never learn."""
        return ()

    def head(self, name: str, outputs: int) -> nn.Module:
        """The layer from the feature to head `name`. A trunk overrides this where its paper asks for it."""
        return nn.Linear(self.feature_dim, outputs)


def require_image(model: str, input_shape: tuple[int, ...], smallest: int) -> tuple[int, int, int]:
    """`input_shape` as (channels, height, width).

    Raises RequestError where it is not that of an image, or of one below `smallest` pixels.
    """
    if len(input_shape) != 3:
        raise RequestError(
            f"model '{model}' takes images (channels, height, width), not an input of shape {input_shape}; "
            "use 'mlp' for vectors."
        )
    channels, height, width = input_shape
    if min(height, width) < smallest:
        raise RequestError(
            f"model '{model}' takes images of {smallest} pixels or more, not {height}x{width}; "
            "choose another model or a larger image size."
        )
    return channels, height, width
