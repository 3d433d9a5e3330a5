"""A small convolutional network for images of 8 to 64 pixels, quick on two CPU cores.

    above 16 pixels   16  pool  32 32  pool  64 128    global average -> 128-D feature
    up to 16 pixels   32  pool  64 64  pool  128     the same

Each number is a 3x3 convolution of that many channels with batch norm and LeakyReLU(0.1). The full-size map, where
a CPU's time goes, has few channels; images above 40 pixels get one more convolution and pool in front. Tiny images
cost little and gain from width.
"""

from __future__ import annotations

import torch
from torch import nn

from labelprop.models.trunks.trunk import Trunk, require_image

TINY, LARGE = 16, 40  # pixels
TINY_STAGES = ((32,), (64, 64), (128,))
STAGES = ((16,), (32, 32), (64, 128))


class SmallCnn(Trunk):
    """Images (B, C, H, W), gray or color, of 8 pixels or more (meant for up to 64), to features (B, 128)."""

    def __init__(self, input_shape: tuple[int, ...]) -> None:
        super().__init__()
        channels, height, width = require_image("small_cnn", input_shape, smallest=8)
        size = min(height, width)
        stages = TINY_STAGES if size <= TINY else STAGES
        if size > LARGE:
            stages = (stages[0], *stages)
        layers: list[nn.Module] = []
        for number, stage in enumerate(stages):
            if number:
                layers.append(nn.MaxPool2d(2))
            for outputs in stage:
                layers.append(_conv(channels, outputs))
                channels = outputs
        self.layers = nn.Sequential(*layers)
        self.feature_dim = channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        map_BCHW: torch.Tensor = self.layers(x)
        return map_BCHW.mean((2, 3))


def _conv(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True)
    )
