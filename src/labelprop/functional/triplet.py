"""Triplet loss on the hardest of a batch."""

from __future__ import annotations

import torch
from torch.nn import functional as F

SMALLEST = 1e-12  # of a squared distance, so that its root has a slope


def batch_hard(vectors_BD: torch.Tensor, own_B: torch.Tensor) -> torch.Tensor:
    """log(1 + exp(d_positive - d_negative)) of every row, (B,) (Hermans et al. 2017, soft margin).

    d_positive is the Euclidean distance to the farthest other row of the same number in `own_B`, d_negative that to
    the nearest of another. A row without the one or the other has loss 0.
    """
    squares_B = vectors_BD.square().sum(dim=1)
    squared_BB = squares_B[:, None] + squares_B - 2 * vectors_BD @ vectors_BD.T
    distances_BB = squared_BB.clamp_min(SMALLEST).sqrt()
    same_BB = own_B[:, None] == own_B
    itself_BB = torch.eye(len(own_B), dtype=torch.bool, device=own_B.device)
    farthest_B = distances_BB.masked_fill(~same_BB | itself_BB, -torch.inf).amax(dim=1)
    nearest_B = distances_BB.masked_fill(same_BB, torch.inf).amin(dim=1)
    return F.softplus(farthest_B - nearest_B)
