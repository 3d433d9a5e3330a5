"""A 1x1 convolution of every second pixel, as shortcuts of residual networks have it."""

from __future__ import annotations

import torch
from torch import nn


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, without bias, of every `every`-th pixel: (B, C, H, W) to (B, outputs, H / every, W / every).

    The pixels are taken first. Where the convolution strides by itself over fewer than 8 channels, oneDNN writes past
    its buffer on processors with AVX2 alone (its issue 6035): wrong gradients, or the end of the process.
    """

    def __init__(self, inputs: int, outputs: int, every: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.every = every

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x[:, :, :: self.every, :: self.every])
