"""EfficientNet-Lite0 (Tan & Le 2019; without squeeze-and-excitation, ReLU6), from images to the mean of its last map.

    stem conv 3x3/2 -> 16 inverted bottlenecks [1x1 expand, k x k depthwise, 1x1 project] -> conv 1x1 -> mean, 1280

The network is made from its published weights: their shapes say all but the strides. It does not
learn here, so batch normalization is folded into the convolutions. Outputs are those of package
`efficientnet-lite-pytorch`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn
from torch.nn import functional as F

STEP = 32  # sides are multiples of it: then each stride of 2 meets an even side, as `_folded` needs it
BLOCKS = 16
HALVING = (1, 3, 5, 11)  # blocks with a stride of 2, the first of their stages
EPSILON = 1e-3  # of batch normalization


class EfficientNetLite0(nn.Module):
    """Standardized images (B, 3, H, W), sides multiples of 32, to features (B, 1280)."""

    feature_dim = 1280

    def __init__(self, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self.stem = _folded(weights, "_conv_stem", "_bn0", stride=2)
        self.blocks = nn.Sequential(*(_Bottleneck(weights, index) for index in range(BLOCKS)))
        self.last = _folded(weights, "_conv_head", "_bn1")
        self.eval().requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        map_BCHW = self.blocks(F.relu6(self.stem(x.contiguous(memory_format=torch.channels_last)), inplace=True))
        return F.relu6(self.last(map_BCHW), inplace=True).mean((2, 3))


class _Bottleneck(nn.Module):
    """Wide inside, narrow at both ends; the ends are added where they are alike (Sandler et al. 2018)."""

    def __init__(self, weights: Mapping[str, torch.Tensor], index: int) -> None:
        super().__init__()
        name, stride = f"_blocks.{index}.", 2 if index in HALVING else 1
        wide = name + "_expand_conv.weight" in weights  # the first block is not
        self.expand = _folded(weights, name + "_expand_conv", name + "_bn0") if wide else None
        self.depthwise = _folded(weights, name + "_depthwise_conv", name + "_bn1", stride=stride, depthwise=True)
        self.project = _folded(weights, name + "_project_conv", name + "_bn2")
        inputs = (self.expand or self.depthwise).in_channels
        self.adds = stride == 1 and inputs == self.project.out_channels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inside = x if self.expand is None else F.relu6(self.expand(x), inplace=True)
        out: torch.Tensor = self.project(F.relu6(self.depthwise(inside), inplace=True))
        return out.add_(x) if self.adds else out


def _folded(
    weights: Mapping[str, torch.Tensor], name: str, norm: str, *, stride: int = 1, depthwise: bool = False
) -> nn.Conv2d:
    """The convolution `name` with the batch normalization `norm` after it as one convolution."""
    kernel = weights[name + ".weight"].double()
    gamma, beta, mean, variance = (
        weights[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    scale = gamma / (variance + EPSILON).sqrt()
    kernel = kernel * scale.view(-1, 1, 1, 1)
    if stride == 2:  # TensorFlow pads an even side by one less in front: so does a row of zeros here
        kernel = F.pad(kernel, (1, 0, 1, 0))
    outputs, inputs, size, _ = kernel.shape
    groups = outputs if depthwise else 1
    conv = nn.Conv2d(inputs * groups, outputs, size, stride, padding=(size - 1) // 2, groups=groups)
    conv.weight = nn.Parameter(kernel.float().contiguous(memory_format=torch.channels_last))
    conv.bias = nn.Parameter((beta - mean * scale).float())
    return conv
