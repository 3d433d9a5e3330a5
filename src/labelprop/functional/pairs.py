"""Losses over the pairs of a batch, by whether both have one label."""

from __future__ import annotations

import torch
from torch.nn import functional as F

SMALLEST = 1e-12  # of a squared distance, so that its root has a slope


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
