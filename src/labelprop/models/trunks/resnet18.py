"""ResNet-18, post-activation (He et al. 2016a), as DLP uses it on mini-ImageNet: 84-pixel images, 512-D feature.

7x7/2 stem, maxpool 3/2, basic blocks 2-2-2-2 of widths 64-128-256-512, global average; Kaiming fan-out
initialization, no dropout. The consistency head of Mean Teacher on it is weight-normed, the class head is not.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.parametrizations import weight_norm as normalize_weight

from labelprop.models.trunks.trunk import Trunk, require_image


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


class BasicBlock(nn.Module):
    """conv-BN-ReLU-conv-BN, plus the input (projected where the shape changes), then ReLU."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(Pointwise(inputs, outputs, stride), nn.BatchNorm2d(outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        return F.relu(self.bn2(self.conv2(y)) + self.shortcut(x), inplace=True)


class ResNet18(Trunk):
    """Images (B, C, H, W) of 32 pixels or more to features (B, 8 * width); the paper's width is 64."""

    def __init__(self, input_shape: tuple[int, ...], *, width: int = 64) -> None:
        super().__init__()
        channels, _, _ = require_image("resnet18", input_shape, smallest=32)
        self.stem = nn.Sequential(
            nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks: list[nn.Module] = []
        inputs = width
        for stage, outputs in enumerate((width, 2 * width, 4 * width, 8 * width)):
            blocks += [BasicBlock(inputs, outputs, 1 if stage == 0 else 2), BasicBlock(outputs, outputs, 1)]
            inputs = outputs
        self.blocks = nn.Sequential(*blocks)
        self.feature_dim = inputs
        initialize_convolutions(self)

    def head(self, name: str, outputs: int) -> nn.Module:
        layer = super().head(name, outputs)
        return normalize_weight(layer) if name == "consistency" else layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        map_BCHW: torch.Tensor = self.blocks(self.stem(x))
        return map_BCHW.mean((2, 3))


def initialize_convolutions(trunk: nn.Module) -> None:
    """Kaiming normal, fan-out, for every convolution; batch norm starts at scale 1 and shift 0 by itself."""
    for module in trunk.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
