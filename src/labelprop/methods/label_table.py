"""A method that trains on a label and a weight for each example, kept for all N."""

from __future__ import annotations

import torch
from torch import nn

from labelprop.core.types import PseudoLabels, Task
from labelprop.methods.base import Method


class LabelTable(Method):
    """The given labels with their trust, and the current label, certainty and weight of every example.

    At first only the given ones have a label, certainty 1, and their trust for a weight.
    """

    given_N: torch.Tensor  # int64, -1 where unlabeled
    trust_N: torch.Tensor
    label_N: torch.Tensor
    certainty_N: torch.Tensor
    weight_N: torch.Tensor

    def setup(self, net: nn.Module, task: Task) -> None:
        given_N = task.labels_N >= 0
        self.n_classes = task.n_classes
        self.register_buffer("trust_N", task.weights_N.clone())
        self.register_buffer("given_N", task.labels_N.clone())
        self.register_buffer("label_N", task.labels_N.clone())
        self.register_buffer("certainty_N", given_N.float())
        self.register_buffer("weight_N", task.weights_N * given_N)

    def pseudo_labels(self) -> PseudoLabels:
        return PseudoLabels(self.label_N, self.certainty_N, self.weight_N)
