"""Pre-activation ResNet-18 and -50 ("v2", He et al. 2016b), the networks of LLP (Zhuang et al. 2019).

A stem without batch norm or ReLU; blocks 2-2-2-2 (basic) or 3-4-6-3 (bottleneck) with strides 1, 2, 2, 2; the
shortcut of each stage's first block is a projection taken after that block's batch norm and ReLU; a last batch norm
and ReLU; spatial mean. LLP puts two parallel linear heads on the feature: `class` and `embedding` (128-D, unit norm).
"""

from __future__ import annotations

from typing import Literal, get_args

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.errors import RequestError
from labelprop.models.trunks.resnet18 import Pointwise, initialize_convolutions
from labelprop.models.trunks.trunk import Trunk, require_image

Stem = Literal["auto", "imagenet", "small"]
SMALL_IMAGE = 64  # pixels; up to here the ImageNet stem, which reduces fourfold, would leave too little


class PreactBlock(nn.Module):
    """BN-ReLU before each convolution: two 3x3, or 1x1-3x3-1x1 with four times the width at the end."""

    def __init__(self, inputs: int, width: int, stride: int, *, bottleneck: bool, project: bool) -> None:
        super().__init__()
        outputs = 4 * width if bottleneck else width
        self.norm = nn.BatchNorm2d(inputs)
        self.project = Pointwise(inputs, outputs, stride) if project else None
        shapes = [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        if bottleneck:
            shapes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        layers: list[nn.Module] = []
        for place, (before, after, kernel, step) in enumerate(shapes):
            if place:
                layers += [nn.BatchNorm2d(before), nn.ReLU(inplace=True)]
            layers.append(nn.Conv2d(before, after, kernel, step, padding=kernel // 2, bias=False))
        self.branch = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        activated = F.relu(self.norm(x), inplace=True)
        shortcut = x if self.project is None else self.project(activated)
        branch: torch.Tensor = self.branch(activated)
        return branch + shortcut


class PreactResNet(Trunk):
    """Images (B, C, H, W) to features (B, F); F = 8 * width (basic) or 32 * width (bottleneck).

    `stem`: "imagenet" is 7x7/2 and maxpool 3/2 (32 pixels or more), "small" 3x3/1 without a pool (8 or more),
    "auto" takes "small" up to 64 pixels. `bn_momentum` is what a new batch counts for in the running statistics:
    the paper's TF momentum of .997 is 0.003 here, which needs thousands of steps, so that None means 0.003 with the
    ImageNet stem and PyTorch's 0.1 with the small one.
    """

    blocks_a_stage: tuple[int, ...]
    bottleneck: bool

    def __init__(
        self, input_shape: tuple[int, ...], *, width: int = 64, stem: Stem = "auto", bn_momentum: float | None = None
    ) -> None:
        super().__init__()
        if stem not in get_args(Stem):
            raise RequestError(f"stem={stem!r} is not known; choose 'auto', 'imagenet' or 'small'.")
        channels, height, wide = require_image("preact_resnet", input_shape, smallest=8)
        if stem == "auto":
            stem = "small" if min(height, wide) <= SMALL_IMAGE else "imagenet"
        if stem == "imagenet":
            require_image("preact_resnet with stem='imagenet'", input_shape, smallest=32)
            pool = nn.MaxPool2d(3, stride=2, padding=1)
            self.stem = nn.Sequential(nn.Conv2d(channels, width, 7, stride=2, padding=3, bias=False), pool)
        else:
            self.stem = nn.Sequential(nn.Conv2d(channels, width, 3, padding=1, bias=False))
        layers: list[nn.Module] = []
        inputs = width
        for stage, count in enumerate(self.blocks_a_stage):
            stage_width = width * 2**stage
            for position in range(count):
                first = position == 0
                stride = 2 if first and stage > 0 else 1
                layers.append(PreactBlock(inputs, stage_width, stride, bottleneck=self.bottleneck, project=first))
                inputs = 4 * stage_width if self.bottleneck else stage_width
        self.blocks = nn.Sequential(*layers)
        self.norm = nn.BatchNorm2d(inputs)
        self.feature_dim = inputs
        initialize_convolutions(self)
        momentum = bn_momentum if bn_momentum is not None else (0.003 if stem == "imagenet" else 0.1)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum, module.eps = momentum, 1e-5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.norm(self.blocks(self.stem(x))), inplace=True).mean((2, 3))


class PreactResNet18(PreactResNet):
    """Basic blocks 2-2-2-2; the paper's feature has 512 dimensions (width 64)."""

    blocks_a_stage, bottleneck = (2, 2, 2, 2), False


class PreactResNet50(PreactResNet):
    """Bottleneck blocks 3-4-6-3; the paper's feature has 2048 dimensions (width 64)."""

    blocks_a_stage, bottleneck = (3, 4, 6, 3), True
