"""Losses of two classifiers that look at the same examples, and the step that misleads one of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

SMALLEST = 1e-12  # of a probability in a mixture, so that its logarithm is finite


def entropy(logits_BC: torch.Tensor) -> torch.Tensor:
    """H(softmax(logits)), (B,)."""
    return -(logits_BC.softmax(dim=1) * logits_BC.log_softmax(dim=1)).sum(dim=1)


def jensen_shannon(a_BC: torch.Tensor, b_BC: torch.Tensor) -> torch.Tensor:
    """H((p + q) / 2) - (H(p) + H(q)) / 2 of the softmax of two logits, (B,): 0 where they agree, at most log 2."""
    mixture_BC = (a_BC.softmax(dim=1) + b_BC.softmax(dim=1)) / 2
    mixed_B = -(mixture_BC * mixture_BC.clamp_min(SMALLEST).log()).sum(dim=1)
    return mixed_B - (entropy(a_BC) + entropy(b_BC)) / 2


def cross_entropy_between(target_BC: torch.Tensor, logits_BC: torch.Tensor) -> torch.Tensor:
    """H(p, q) = -sum p log q of the softmax of two logits, (B,). Gradients flow into both."""
    return -(target_BC.softmax(dim=1) * logits_BC.log_softmax(dim=1)).sum(dim=1)


def misleading(
    look: Callable[[torch.Tensor], torch.Tensor], x_B: torch.Tensor, labels_B: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """x + epsilon sign(d CE(look(x), label) / dx): the fast gradient sign method (Goodfellow et al. 2015).

    `look` gives logits (B, C). A label of -1 stands for the class that `look` itself finds most probable.
    """
    with torch.enable_grad():
        moved_B = x_B.detach().clone().requires_grad_()
        logits_BC = look(moved_B)
        labels_B = torch.where(labels_B >= 0, labels_B, logits_BC.argmax(dim=1))
        (slope_B,) = torch.autograd.grad(F.cross_entropy(logits_BC, labels_B, reduction="sum"), moved_B)
    return x_B.detach() + epsilon * slope_B.sign()
