"""The vote of a few labeled vectors on a batch, for a training step and for a deployed model.

The propagators' vote (`labelprop.propagators.votes.voters`) is the same for millions of rows.
"""

from __future__ import annotations

import torch


def vote_shares(
    vectors_BD: torch.Tensor,
    voters_MD: torch.Tensor,
    labels_M: torch.Tensor,
    n_classes: int,
    *,
    n_neighbors: int,
    temperature: float,
    log_weight_M: torch.Tensor | None = None,
) -> torch.Tensor:
    """Share of each class (B, C) in the K heaviest votes exp(v . v_i / temperature + log_weight_i); rows sum to 1.

    Vectors have unit length. K is cut to the number of voters, of which there must be one. Local Label Propagation
    (Zhuang et al. 2019), Eqs. 3 to 5; without `log_weight_M` the weighted kNN of Wu et al. 2018.
    """
    exponents_BM = vectors_BD @ voters_MD.T / temperature
    if log_weight_M is not None:
        exponents_BM = exponents_BM + log_weight_M
    heaviest = exponents_BM.topk(min(n_neighbors, len(labels_M)), dim=1)
    shares_BK = heaviest.values.softmax(dim=1)
    return shares_BK.new_zeros(len(vectors_BD), n_classes).scatter_add_(1, labels_M[heaviest.indices], shares_BK)
