"""The best classes of each row, for results too wide to hold: N x C numbers become N x m."""

from __future__ import annotations

from dataclasses import replace

import torch

from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph

DENSE_LIMIT = 1 << 28  # N x C beyond which results hold only the best classes of a row
DEFAULT_TOP = 16  # enough to look further than the best class; certainties are over all classes


def is_wide(n: int, n_classes: int) -> bool:
    """Whether results hold only the best classes of a row."""
    return n * n_classes > DENSE_LIMIT


def n_kept(top: int | None, n_classes: int) -> int:
    """How many classes of a row a wide result holds, where `top` of them are wanted."""
    return min(top or DEFAULT_TOP, n_classes)


def compact(found: Propagation, top: int) -> Propagation:
    """The same result with scores and distributions as torch sparse CSR of each row's `top` best classes.

    Distributions are rescaled to sum 1; labels and certainties stay those over all classes.
    """
    top = min(top, found.distributions_NC.shape[1])
    order = found.distributions_NC.sort(dim=1, descending=True, stable=True).indices  # ties: the lowest class
    classes_NM = order[:, :top].sort(dim=1).values
    shares_NM = found.distributions_NC.gather(1, classes_NM)
    shares_NM = shares_NM / shares_NM.sum(dim=1, keepdim=True)
    n_classes = found.scores_NC.shape[1]
    return replace(
        found,
        scores_NC=to_csr(classes_NM, found.scores_NC.gather(1, classes_NM), n_classes),
        distributions_NC=to_csr(classes_NM, shares_NM, n_classes),
    )


def dense_rows(kept_NC: torch.Tensor, places_B: torch.Tensor) -> torch.Tensor:
    """Some rows (B, C) of a torch sparse CSR tensor, dense: torch has no such selection for CSR."""
    starts_B = kept_NC.crow_indices()[places_B]
    counts_B = kept_NC.crow_indices()[places_B + 1] - starts_B
    row_E = torch.repeat_interleave(torch.arange(len(places_B), device=places_B.device), counts_B)
    within_E = torch.arange(len(row_E), device=row_E.device) - (counts_B.cumsum(0) - counts_B)[row_E]
    from_E = starts_B[row_E] + within_E
    dense_BC = kept_NC.values().new_zeros(len(places_B), kept_NC.shape[1])
    dense_BC[row_E, kept_NC.col_indices()[from_E]] = kept_NC.values()[from_E]
    return dense_BC


def to_csr(classes_NM: torch.Tensor, values_NM: torch.Tensor, n_classes: int) -> torch.Tensor:
    """Values (N, M) at these ascending classes as a torch sparse CSR tensor (N, C); none where the class is -1."""
    return AffinityGraph.from_rows(classes_NM, values_NM, classes_NM >= 0, n_classes).tensor
