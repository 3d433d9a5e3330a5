"""Outputs of a network on all examples: of one process, of several, and those that a method asks for in a refresh."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from labelprop.core.distributed import SOLO, Group
from labelprop.core.errors import NonFiniteLossError
from labelprop.data.views.batches import Loader
from labelprop.methods.base import Outputs
from labelprop.models.trunks.modes import evaluating
from labelprop.training.job import Job, epoch_seeds

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


def outputs_of_all(job: Job, net: nn.Module, rows: np.ndarray | None = None, **view: Any) -> Outputs:
    """Outputs on a view of these examples (None: all N), each process passing its part of them."""
    rows = np.arange(job.task.n) if rows is None else rows
    group = job.group if len(rows) >= job.group.size else SOLO  # too few to share out
    with job.clock.stage(f"{job.label}: embedding"):
        part = collect_outputs(net, job.loader, rows[group.part(len(rows))], **view)
        return group.rows(part, group.counts(len(rows)))


class RefreshTools:
    """The `Tools` of a refresh: passes over all data, each made at most once and shared by the processes."""

    def __init__(self, job: Job, net: nn.Module, phase: int, epoch: int) -> None:
        self._job, self._net, self._phase, self._epoch = job, net, phase, epoch
        self._made: dict[str, Outputs] = {}

    @property
    def group(self) -> Group:
        return self._job.group

    @property
    def made(self) -> Outputs | None:
        """The outputs on the eval view, if that pass was made."""
        return self._made.get("eval")

    def outputs(self, view: str = "eval") -> Outputs:
        if view not in self._made:
            self._made[view] = outputs_of_all(self._job, self._net, view=view, generator=self._generator())
        return self._made[view]

    def outputs_of(self, rows_B: torch.Tensor) -> Outputs:
        if self.made is not None:
            return {name: output[rows_B] for name, output in self.made.items()}
        return outputs_of_all(self._job, self._net, rows_B.cpu().numpy())

    def examples(self) -> torch.Tensor:
        loader = self._job.loader
        raw = loader.content.read(np.arange(self._job.task.n)) if loader.resident is None else loader.resident
        return raw.to(loader.device).float().flatten(1)

    def _generator(self) -> torch.Generator:
        """For views that are drawn: others than those of the epoch's steps."""
        job = self._job
        _, seed = epoch_seeds(job.task.seed, self._phase, self._epoch, job.group.rank)
        return torch.Generator(job.fabric.device).manual_seed(seed + 1)
