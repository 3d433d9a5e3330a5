"""Joining propagators: a weighted sum of their log-distributions, each row of each brought to mean 0 and deviation 1.

    scores_ic = sum_m weight_m z_imc,    z_imc = (log p_imc - mean_c log p_imc) / deviation_c log p_imc

over the members m that reach row i, with shares p below `FLOOR` counted as that; the distribution is the softmax.
A sum of logarithms is a product of experts; the deviation is divided out because methods differ in how far their
shares lie apart (harmonic ones hardly, cuts by orders of magnitude), which says little of how often they are right.
Where a member does not reach a row the others decide, and less surely, since the weights are not scaled up.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.sinks import RowSink
from labelprop.propagators.estimator.top_classes import dense_rows

FLOOR = 1e-6
BLOCK_ELEMENTS = 1 << 22


def z_scored_log(shares_BC: torch.Tensor) -> torch.Tensor:
    """Log-distributions (B, C), each row with mean 0 and deviation 1; 0 where all shares of a row are equal."""
    logs_BC = shares_BC.clamp_min(FLOOR).log()
    logs_BC = logs_BC - logs_BC.mean(dim=1, keepdim=True)
    deviation_B1 = logs_BC.square().mean(dim=1, keepdim=True).sqrt()
    smallest = 8 * torch.finfo(logs_BC.dtype).eps
    return torch.where(deviation_B1 > smallest, logs_BC / deviation_B1.clamp_min(smallest), 0)


def join_rows(
    weights_M: Sequence[float], shares_MBC: Sequence[torch.Tensor], reached_MB: Sequence[torch.Tensor]
) -> torch.Tensor:
    """Scores (B, C) of some rows from each member's distributions (B, C) and which of the rows it reaches (B,)."""
    scores_BC = torch.zeros_like(shares_MBC[0])
    for weight, shares_BC, reached_B in zip(weights_M, shares_MBC, reached_MB, strict=True):
        scores_BC += weight * torch.where(reached_B[:, None], z_scored_log(shares_BC).to(scores_BC), 0)
    return scores_BC


def join(
    weights_M: Sequence[float], found_M: Sequence[Propagation], seeds: Seeds, top: int | None = None
) -> Propagation:
    """All members' distributions of all rows as one, in blocks of rows; certainty is the share of the label.

    Results too wide to hold have the best classes of each member: its other classes count as `FLOOR`.
    """
    like = found_M[0].distributions_NC
    like = like.values() if like.layout is not torch.strided else like
    seeds = seeds.to(like.device)
    sink = RowSink(seeds, top, torch.empty(0, dtype=like.dtype, device=like.device))
    reached_N = torch.stack([found.reached_N.to(like.device) for found in found_M]).any(dim=0)
    places_R = reached_N.nonzero().squeeze(1)
    for start, stop in spans(len(places_R), seeds.n_classes, BLOCK_ELEMENTS):
        places_B = places_R[start:stop]
        shares_MBC = [rows_of(found.distributions_NC, places_B) for found in found_M]
        reached_MB = [found.reached_N[places_B] for found in found_M]
        scores_BC = join_rows(weights_M, shares_MBC, reached_MB)
        shares_BC = scores_BC.softmax(dim=1)
        sink.put(places_B, scores_BC, shares_BC, shares_BC.amax(dim=1))
    steps, residual = max(found.steps for found in found_M), max(found.residual for found in found_M)
    return sink.concluded(Verdict(steps, residual, all(found.converged for found in found_M)))


def rows_of(kept_NC: torch.Tensor, places_B: torch.Tensor) -> torch.Tensor:
    """Some rows (B, C) of distributions, dense; 0 for classes that were not kept."""
    return kept_NC[places_B] if kept_NC.layout is torch.strided else dense_rows(kept_NC, places_B)
