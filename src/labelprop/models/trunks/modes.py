"""Which parts of a network are in eval mode, and which learn."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

from labelprop.models.network import Network


@contextmanager
def evaluating(module: nn.Module) -> Iterator[None]:
    """Eval mode inside; afterwards every part has the mode it had, also those that were frozen one by one."""
    modes = {part: part.training for part in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for part, training in modes.items():
            part.training = training


def learning(net: nn.Module, *, trunk: bool, heads: Collection[str]) -> None:
    """Training mode of the trunk, if it learns, and of these heads; all other weights and statistics stay."""
    net.train()
    net.requires_grad_(True)
    for part in net.modules():
        if isinstance(part, Network):
            for parameter in part.trunk.fixed():
                parameter.requires_grad_(False)
            if not trunk:
                part.trunk.eval().requires_grad_(False)
            for name, head in part.heads.items():
                if name not in heads:
                    head.requires_grad_(False)


def without_dropout(module: nn.Module) -> None:
    """Takes all dropout layers out of use, for good."""
    for part in module.modules():
        if isinstance(part, _DropoutNd):
            part.p = 0.0


def running_statistics(*modules: nn.Module) -> Iterator[torch.Tensor]:
    """Running means and variances of all batch normalization in the modules."""
    for module in modules:
        for part in module.modules():
            if isinstance(part, _BatchNorm) and part.running_mean is not None and part.running_var is not None:
                yield part.running_mean
                yield part.running_var
