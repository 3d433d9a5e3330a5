"""Nearest neighbors of all rows by several processes: each searches for its part, and all get all results."""

from __future__ import annotations

import torch

from labelprop.core.distributed import SOLO, Group
from labelprop.core.types import Neighbors
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.exact import drop_self


def nearest_by_all(
    vectors_ND: torch.Tensor, k: int, *, group: Group = SOLO, search: str = "auto", seed: int = 0
) -> Neighbors:
    """The k nearest rows of every row by cosine, on the device of the vectors, of which every process has all.

    With one process this is `nearest`. The recall is the lowest that any process measured.
    """
    device = str(vectors_ND.device)
    if group.size == 1:
        return nearest(vectors_ND, k, search=search, device=device, seed=seed)
    n = len(vectors_ND)
    part, k = group.part(n), min(k, n - 1)
    found = nearest(vectors_ND, k + 1, queries=vectors_ND[part], search=search, device=device, seed=seed)
    own_B = torch.arange(part.start, part.stop, device=vectors_ND.device)
    keep_BW = drop_self(own_B, found.indices_NK)
    size = (len(own_B), k)
    whole = group.rows(
        {"indices": found.indices_NK[keep_BW].view(size), "similarities": found.similarities_NK[keep_BW].view(size)},
        group.counts(n),
    )
    measured = torch.tensor([found.recall], dtype=torch.float64, device=vectors_ND.device)
    recall = float(torch.cat(group.parts(measured)).min())
    return Neighbors(whole["indices"], whole["similarities"], recall=recall)
