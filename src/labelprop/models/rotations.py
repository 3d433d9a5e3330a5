"""Quarter turns of images, and the mean of a network's class logits over them as a classifier."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

TURNS = 4


def turned(images_B: torch.Tensor, quarters: int) -> torch.Tensor:
    """Square images (B, C, H, H), each turned counterclockwise by so many quarters."""
    return torch.rot90(images_B, quarters, (2, 3))


class MeanOfRotations(nn.Module):
    """Gives what `net` gives of the upright image, and as "class" the mean of its logits over the four rotations."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def to_json(self) -> dict[str, Any]:
        """What `empty` needs beside the network."""
        return {}

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> MeanOfRotations:
        """Around a network whose weights `load_state_dict` brings."""
        return cls(net)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        outputs: dict[str, torch.Tensor] = dict(self.net(x))
        others = [self.net(turned(x, turn))["class"] for turn in range(1, TURNS)]
        return outputs | {"class": torch.stack([outputs["class"], *others]).mean(dim=0)}
