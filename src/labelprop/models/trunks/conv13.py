"""The 13-layer network of Mean Teacher and DLP (Tarvainen & Valpola 2017; Iscen et al. 2019), for 32-pixel images.

    3 x [conv 3x3, 128, pad 1]   32x32      maxpool 2, dropout
    3 x [conv 3x3, 256, pad 1]   16x16      maxpool 2, dropout
    conv 3x3, 512, pad 0         8x8 -> 6x6
    conv 1x1, 256; conv 1x1, 128            global average -> 128-D feature

Each convolution is followed by batch norm and LeakyReLU(0.1). DLP wraps convolutions and heads in weight norm.
The convolutions keep the bias that the released code gives them, although batch norm cancels it.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm as normalize_weight

from labelprop.models.trunks.trunk import Trunk, require_image


class Conv13(Trunk):
    """Images (B, C, H, W) of 12 pixels or more (the papers: 3x32x32) to features (B, 128).

    `weight_norm=True` is DLP's network, `False` that of VAT; `dropout` is 0 in Deep Co-Training. `width` is that of
    the first stage and of the feature; the papers' is 128.
    """

    def __init__(
        self, input_shape: tuple[int, ...], *, weight_norm: bool = False, dropout: float = 0.5, width: int = 128
    ) -> None:
        super().__init__()
        channels, _, _ = require_image("conv13", input_shape, smallest=12)
        self.feature_dim = width
        self.weight_norm = weight_norm
        self.stage1 = self._stage(channels, width, dropout)
        self.stage2 = self._stage(width, 2 * width, dropout)
        self.stage3 = nn.Sequential(
            self._conv(2 * width, 4 * width, 3, padding=0),
            self._conv(4 * width, 2 * width, 1, padding=0),
            self._conv(2 * width, width, 1, padding=0),
        )

    def _stage(self, inputs: int, outputs: int, dropout: float) -> nn.Sequential:
        convolutions = [self._conv(size, outputs, 3, padding=1) for size in (inputs, outputs, outputs)]
        return nn.Sequential(*convolutions, nn.MaxPool2d(2), nn.Dropout(dropout))

    def _conv(self, inputs: int, outputs: int, kernel: int, *, padding: int) -> nn.Sequential:
        conv: nn.Module = nn.Conv2d(inputs, outputs, kernel, padding=padding)
        if self.weight_norm:
            conv = normalize_weight(conv)
        return nn.Sequential(conv, nn.BatchNorm2d(outputs), nn.LeakyReLU(0.1, inplace=True))

    def head(self, name: str, outputs: int) -> nn.Module:
        layer = super().head(name, outputs)
        return normalize_weight(layer) if self.weight_norm else layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        map_BCHW: torch.Tensor = self.stage3(self.stage2(self.stage1(x)))
        return map_BCHW.mean((2, 3))
