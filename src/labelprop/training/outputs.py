"""Outputs of a network on all examples."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from labelprop.core.errors import NonFiniteLossError
from labelprop.data.views.batches import Loader
from labelprop.models.trunks.modes import evaluating

EVAL_BATCH = 500  # measured on two CPU cores: 250 and 500 are alike, 1,000 a fifth slower, 2,000 nearly half


@torch.no_grad()
def collect_outputs(
    net: nn.Module,
    loader: Loader,
    rows: np.ndarray | None = None,
    batch_size: int = EVAL_BATCH,
    *,
    view: str = "eval",
    generator: torch.Generator | None = None,
) -> dict[str, torch.Tensor]:
    """Outputs of `net` on a view of these examples (None: all N): {"feature": (N, F), "class": (N, C), ...}.

    float32, on the loader's device, in the order of `rows` or of the data set. Runs in eval mode and then gives each
    part its mode back. `generator` is for views that are drawn. Raises NonFiniteLossError where an output is NaN or
    infinite: after steps that were too large.
    """
    rows = np.arange(len(loader.content)) if rows is None else rows
    n = len(rows)
    batches = [rows[start : start + batch_size] for start in range(0, n, batch_size)]
    collected: dict[str, torch.Tensor] = {}
    generator = generator or torch.Generator()
    with evaluating(net):
        done = 0
        for _, raw_B in loader.raw(batches):
            for name, output in net(loader.views.make(view, raw_B, generator)).items():
                if name not in collected:
                    collected[name] = output.new_empty((n, *output.shape[1:]), dtype=torch.float32)
                collected[name][done : done + len(raw_B)] = output
            done += len(raw_B)
    for name, output in collected.items():
        if output.isnan().any() or output.isposinf().any():  # minus infinity is the logarithm of a share of 0
            raise NonFiniteLossError(
                f"the network's output '{name}' is not finite: training diverged. Lower the learning rate "
                "(--set lr=...)."
            )
    return collected
