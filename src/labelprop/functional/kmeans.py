"""k-means by Lloyd's algorithm, in blocks that never hold all distances."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.nn import functional as F

BLOCK = {"cpu": 1 << 22, "cuda": 1 << 27}  # similarities held at once

Closeness = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]  # rows (B, D), centers (G, D) -> (B, G)


def cosines(block_BD: torch.Tensor, centers_GD: torch.Tensor) -> torch.Tensor:
    """Inner products; cosines where both have unit length."""
    return block_BD @ centers_GD.T


def minus_squares(block_BD: torch.Tensor, centers_GD: torch.Tensor) -> torch.Tensor:
    """Minus squared distances, but for rounding."""
    found_BG = torch.addmm(centers_GD.square().sum(dim=1), block_BD, centers_GD.T, beta=-1, alpha=2)
    return found_BG - block_BD.square().sum(dim=1, keepdim=True)


def lloyd(vectors_ND: torch.Tensor, centers_GD: torch.Tensor, rounds: int, closeness: Closeness) -> torch.Tensor:
    """Centers after so many rounds from those given; spherical (centers of unit length) under `cosines`.

    An empty cluster keeps its center.
    """
    for _ in range(rounds):
        cluster_N = nearest_center(vectors_ND, centers_GD, closeness)
        sums_GD = torch.zeros_like(centers_GD).index_add_(0, cluster_N, vectors_ND)
        counts_G = torch.bincount(cluster_N, minlength=len(centers_GD))
        means_GD = sums_GD / counts_G.clamp_min(1)[:, None]
        if closeness is cosines:
            means_GD = F.normalize(means_GD, dim=1)
        centers_GD = torch.where(counts_G[:, None] > 0, means_GD, centers_GD)
    return centers_GD


def nearest_center(vectors_ND: torch.Tensor, centers_GD: torch.Tensor, closeness: Closeness) -> torch.Tensor:
    """The closest center of each row (N,); ties: the first."""
    step = max(1, BLOCK.get(vectors_ND.device.type, BLOCK["cpu"]) // max(1, len(centers_GD)))
    blocks = torch.split(vectors_ND, step)
    return torch.cat([closeness(block_BD, centers_GD).argmax(dim=1) for block_BD in blocks])
