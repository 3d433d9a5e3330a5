"""Batches and networks so small that what a method does to them can be written down."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from labelprop.core.distributed import SOLO
from labelprop.core.types import Batch, Progress, Stream, Task

START = Progress(0, 10, 0, 10)


class Heads(nn.Module):
    """Linear heads over the input, and the input of unit length as embedding."""

    def __init__(self, dim: int, n_classes: int, seed: int = 0) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.weight = nn.Parameter(torch.randn(n_classes, dim, generator=generator))
        self.other = nn.Parameter(torch.randn(n_classes, dim, generator=generator))
        self.norm = nn.BatchNorm1d(dim)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        x = self.norm(x)
        return {
            "feature": x,
            "class": x @ self.weight.T,
            "consistency": x @ self.other.T,
            "embedding": F.normalize(x, dim=1),
        }


def task_of(labels: list[int], n_classes: int = 2, weights: list[float] | None = None) -> Task:
    return Task(torch.tensor(labels), torch.tensor(weights or [1.0] * len(labels)), n_classes, 0)


def batch_of(task: Task, rows: list[int], n_labeled: int, *views: torch.Tensor) -> Batch:
    """The first `n_labeled` rows are the labeled stream."""
    rows_B = torch.tensor(rows)
    return Batch(
        labeled=Stream(rows_B[:n_labeled], tuple(view[:n_labeled] for view in views)),
        labels_B=task.labels_N[rows_B[:n_labeled]],
        trust_B=task.weights_N[rows_B[:n_labeled]],
        unlabeled=Stream(rows_B[n_labeled:], tuple(view[n_labeled:] for view in views)),
        joint=Stream(rows_B, views),
    )


class Fixed:
    """Tools with given outputs of all rows."""

    def __init__(self, **outputs: torch.Tensor) -> None:
        self._outputs = outputs

    def outputs(self, view: str = "eval"):
        return self._outputs

    group = SOLO

    def outputs_of(self, rows_B: torch.Tensor):
        return {name: output[rows_B] for name, output in self._outputs.items()}
