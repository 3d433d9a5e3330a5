"""Losses as plain functions of tensors, with their normalization written out."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def weighted_cross_entropy(logits_BC: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor) -> torch.Tensor:
    """(1/B) sum_i weight_i CE(logits_i, label_i), in float32 at least.

    Divided by the whole batch, rows of weight 0 included (Iscen et al. 2019 and its code), so that a batch of
    doubtful labels makes a small step. Rows without a label (-1) must have weight 0.
    """
    logits_BC = logits_BC.float() if logits_BC.dtype in (torch.float16, torch.bfloat16) else logits_BC
    losses_B = F.cross_entropy(logits_BC, labels_B.clamp_min(0), reduction="none")
    return mean_of(losses_B * weights_B.to(losses_B.dtype))


def mean_of(losses_B: torch.Tensor) -> torch.Tensor:
    """The mean over examples; 0 where a stream of the batch, or a process's part of it, has none."""
    return losses_B.sum() / max(1, len(losses_B))
