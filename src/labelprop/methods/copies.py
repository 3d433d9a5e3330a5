"""What the two methods of S4L have in common: several copies of every example, all classified (Zhai et al. 2019)."""

from __future__ import annotations

import torch
from torch import nn

from labelprop.core.types import Batch, Task
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods import checks
from labelprop.methods.base import Method
from labelprop.methods.streams import two_streams


class Copies(Method):
    """Cross-entropy on all K copies of the labeled examples, their mean; beside it a task without labels on all."""

    weights_N: torch.Tensor

    def __init__(self, *, batch_size: int, labeled_batch_size: int, weight: float, views: tuple[str, ...]) -> None:
        super().__init__()
        checks.at_least_zero(weight=weight)
        self.needs = two_streams(batch_size, labeled_batch_size, views, views)
        self.weight = weight

    def setup(self, net: nn.Module, task: Task) -> None:
        self.register_buffer("weights_N", task.weights_N.clone())

    def class_loss(self, logits_KBC: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Of the labeled examples, which come first in the joint batch."""
        copies, n_labeled = len(logits_KBC), len(batch.labels_B)
        trust_L = self.weights_N[batch.labeled.indices_B]
        logits_RC = logits_KBC[:, :n_labeled].flatten(0, 1)
        return weighted_cross_entropy(logits_RC, batch.labels_B.repeat(copies), trust_L.repeat(copies))
