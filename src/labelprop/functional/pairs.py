"""Losses over the pairs of a batch, by whether both have one label."""

from __future__ import annotations

import torch


def min_max_features(
    vectors_BD: torch.Tensor, labels_B: torch.Tensor, weights_B: torch.Tensor, margin: float
) -> torch.Tensor:
    """Pairs of one label drawn together, others pushed apart up to `margin` (Shi et al. 2018); a scalar.

    The mean over pairs i != j of one label of w_i w_j |v_i - v_j|^2, and that over pairs of two labels of
    w_i w_j max(0, margin - |v_i - v_j|^2). A kind of pair that the batch has none of counts 0.
    """
    squares_B = vectors_BD.square().sum(dim=1)
    squared_BB = (squares_B[:, None] + squares_B - 2 * vectors_BD @ vectors_BD.T).clamp_min(0)
    weight_BB = (weights_B[:, None] * weights_B).to(vectors_BD.dtype)
    same_BB = labels_B[:, None] == labels_B
    together_BB = same_BB & ~torch.eye(len(labels_B), dtype=torch.bool, device=labels_B.device)
    near = (weight_BB * squared_BB * together_BB).sum() / together_BB.sum().clamp_min(1)
    far = (weight_BB * (margin - squared_BB).clamp_min(0) * ~same_BB).sum() / (~same_BB).sum().clamp_min(1)
    return near + far
