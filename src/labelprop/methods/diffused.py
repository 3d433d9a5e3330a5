"""Labels diffused over vectors for the methods that train on them, with warnings where they are poor."""

from __future__ import annotations

import warnings
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.graph.seeds import Seeds
from labelprop.methods.base import Tools
from labelprop.propagators.diffusion import WARN_ABOVE, Diffusion


def diffused(vectors_ND: torch.Tensor, seeds: Seeds, tools: Tools, **parameters: Any) -> Propagation:
    """The labels of `Diffusion` on vectors, its search shared out over the processes of `tools`.

    Warns where the diffusion stopped far from its solution, or reached nothing; training goes on.
    """
    found = Diffusion(**parameters).label_vectors(vectors_ND, seeds, group=tools.group)
    if found.residual > WARN_ABOVE:
        warnings.warn(
            f"the diffusion stopped far from its solution (relative residual above {WARN_ABOVE}): raise max_iter or "
            "lower alpha.",
            stacklevel=2,
        )
    open_N = seeds.labels_N.to(found.reached_N.device) < 0
    if open_N.any() and not found.reached_N[open_N].any():
        warnings.warn(
            "nothing connects an unlabeled example to a labeled one: an epoch learns from the given labels alone. "
            "Raise n_neighbors.",
            stacklevel=2,
        )
    return found
