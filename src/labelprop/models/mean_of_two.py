"""Two networks of one kind as a classifier: the mean of their probabilities."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn


class MeanOfTwo(nn.Module):
    """Gives what `net` gives and, as "class", the log of the mean of both networks' probabilities."""

    def __init__(self, net: nn.Module, other: nn.Module) -> None:
        super().__init__()
        self.net, self.other = net, other

    def to_json(self) -> dict[str, Any]:
        """What `empty` needs beside the network: both are of the same architecture."""
        return {}

    @classmethod
    def empty(cls, net: nn.Module, described: Mapping[str, Any]) -> MeanOfTwo:
        """Room for two networks that `load_state_dict` brings."""
        return cls(net, copy.deepcopy(net))

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        """Log probabilities, "class" (B, C), at least the log of the smallest positive number."""
        outputs: dict[str, torch.Tensor] = dict(self.net(x))
        mean_BC = (outputs["class"].softmax(dim=1) + self.other(x)["class"].softmax(dim=1)) / 2
        return outputs | {"class": mean_BC.clamp_min(torch.finfo(mean_BC.dtype).tiny).log()}
