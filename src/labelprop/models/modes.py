"""Which parts of a network are in eval mode, and which learn."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

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


def learning(net: nn.Module, *, trunk: bool) -> None:
    """Training mode; without `trunk` its weights and its normalization's statistics stay as they are."""
    net.train()
    net.requires_grad_(True)
    if not trunk:
        for part in net.modules():
            if isinstance(part, Network):
                part.trunk.eval().requires_grad_(False)
