"""The common part of the two methods of S4L: several copies of every example, all classified (Zhai et al. 2019)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.core.types import Batch
from labelprop.functional.loss import weighted_cross_entropy
from labelprop.methods.streams import TwoStreams
from labelprop.propagators.estimator.parameters import NotNegative


@dataclass(eq=False, repr=False, kw_only=True)
class Copies(TwoStreams):
    """Cross-entropy on all K copies of the labeled examples, their mean; beside it a task without labels on all."""

    batch_size: int = 512
    labeled_batch_size: int = 256
    weight: NotNegative = 1.0

    def class_loss(self, logits_KBC: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Of the labeled examples, which come first in the joint batch."""
        copies, n_labeled = len(logits_KBC), len(batch.labels_B)
        logits_RC = logits_KBC[:, :n_labeled].flatten(0, 1)
        return weighted_cross_entropy(logits_RC, batch.labels_B.repeat(copies), batch.trust_B.repeat(copies))
