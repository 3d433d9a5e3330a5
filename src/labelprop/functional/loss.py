"""Losses as plain functions of tensors, with their normalization written out."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

SMALLEST = 1e-12  # of a probability under a logarithm, of a squared distance under a root


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


def fast_gradient_sign(
    logits_of: Callable[[torch.Tensor], torch.Tensor], x_B: torch.Tensor, labels_B: torch.Tensor, epsilon: float
) -> torch.Tensor:
    """x + epsilon sign(d CE(logits_of(x), label) / dx): the fast gradient sign method (Goodfellow et al. 2015).

    `logits_of` gives logits (B, C). A label of -1 stands for the class that `logits_of` itself finds most probable.
    """
    with torch.enable_grad():
        moved_B = x_B.detach().clone().requires_grad_()
        logits_BC = logits_of(moved_B)
        labels_B = torch.where(labels_B >= 0, labels_B, logits_BC.argmax(dim=1))
        (slope_B,) = torch.autograd.grad(F.cross_entropy(logits_BC, labels_B, reduction="sum"), moved_B)
    return x_B.detach() + epsilon * slope_B.sign()


def min_max_features(
    vectors_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor, margin: float
) -> torch.Tensor:
    """Pairs of one label drawn together, others pushed apart up to `margin` (Shi et al. 2018); a scalar.

    The mean over pairs i != j of one label of w_i w_j |v_i - v_j|^2, and that over pairs of two labels of
    w_i w_j max(0, margin - |v_i - v_j|^2). A kind of pair that the batch has none of counts 0.
    """
    squared_BB = _squared_distances(vectors_BD, 0)
    weight_BB = (weights_B[:, None] * weights_B).to(vectors_BD.dtype)
    same_BB, others_BB = _same(labels_B)
    near = (weight_BB * squared_BB * others_BB).sum() / others_BB.sum().clamp_min(1)
    far = (weight_BB * (margin - squared_BB).clamp_min(0) * ~same_BB).sum() / (~same_BB).sum().clamp_min(1)
    return near + far


def batch_hard(vectors_BD: torch.Tensor, own_B: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(d_positive - d_negative)) of every row, (B,) (Hermans et al. 2017, soft margin).

    d_positive is the Euclidean distance to the farthest other row of the same number in `own_B`, d_negative that to
    the nearest of another. A row without the one or the other has loss 0.
    """
    distances_BB = _squared_distances(vectors_BD, SMALLEST).sqrt()
    same_BB, others_BB = _same(own_B)
    farthest_B = distances_BB.masked_fill(~others_BB, -torch.inf).amax(dim=1)
    nearest_B = distances_BB.masked_fill(same_BB, torch.inf).amin(dim=1)
    return F.softplus(farthest_B - nearest_B)


def _squared_distances(vectors_BD: torch.Tensor, least: float) -> torch.Tensor:
    squares_B = vectors_BD.square().sum(dim=1)
    return (squares_B[:, None] + squares_B - 2 * vectors_BD @ vectors_BD.T).clamp_min(least)


def _same(labels_B: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Which pairs have one label (B, B), and which of them are two rows."""
    same_BB = labels_B[:, None] == labels_B
    return same_BB, same_BB & ~torch.eye(len(labels_B), dtype=torch.bool, device=labels_B.device)
