"""Local label propagation: labeled neighbors vote, those in dense regions less.

Zhuang, Ding, Murli, Yamins, "Local Label Propagation for Large-Scale Semi-Supervised Learning", 2019, section 3.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch

from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.parameters import Count
from labelprop.propagators.votes.density import DensityRule, neighborhoods_of_edges, neighborhoods_of_rows
from labelprop.propagators.votes.vote_propagator import VotePropagator
from labelprop.propagators.votes.voters import SeededRows, collect_votes
from labelprop.propagators.votes.votes import BLOCK_ELEMENTS, Votes

Density = Literal["joint", "conditional", "ratio"]
Pool = Literal["unlabeled", "all"]
DENSITIES, POOLS = get_args(Density), get_args(Pool)


def local_bias(
    seeded: SeededRows, *, density: str | None, pool: str, n_density: int, temperature: float, **voting: Any
) -> torch.Tensor | None:
    """log 1 / rho_i of each seed (M,), or of what stands in its place; None where all votes count alike.

    rho_i is the sum over the T nearest j of exp(v_i . v_j / temperature), "joint" (version 2 of the paper), or of
    that divided by the sum over all other rows, "conditional" (version 1). "ratio" is the ablation P^R: the class's
    share of the seeds over its share of the labels that an unweighted vote gives.
    Where the rows are a part of all of them, densities and counts are gathered from all parts.
    """
    if density is None:
        return None
    if density == "ratio":
        votes, _, _ = collect_votes(seeded, None, temperature=temperature, **voting)
        counts_C = pseudo_counts(votes, seeded.seeds, seeded.unlabeled_N)
        return log_ratio(seeded.seeds, torch.stack(seeded.gather(counts_C)).sum(dim=0))
    rule = DensityRule(density=density, pool=pool, n_density=n_density, temperature=temperature)
    near = neighborhoods_of_rows(seeded, rule, search=voting["search"], seed=voting["seed"])
    return -near.gathered(seeded.gather, n_density).log_density(temperature)


def pseudo_counts(votes: Votes, seeds_M: Seeds, unlabeled_N: torch.Tensor) -> torch.Tensor:
    """How many unlabeled rows these votes give to each class (C,), float64."""
    counts_C = torch.zeros(seeds_M.n_classes, dtype=torch.float64, device=unlabeled_N.device)
    for start, stop in spans(votes.n, seeds_M.n_classes, BLOCK_ELEMENTS):
        scores_BC = votes.part(start, stop).tally(seeds_M)
        open_B = unlabeled_N[start:stop] & (scores_BC > 0).any(dim=1)
        counts_C += torch.bincount(scores_BC[open_B].argmax(dim=1), minlength=seeds_M.n_classes)
    return counts_C


def log_ratio(seeds_M: Seeds, counts_C: torch.Tensor) -> torch.Tensor:
    """log (L_y / Q_y) of each seed of class y (M,), up to a constant; a class without pseudo-labels counts one."""
    log_C = seeds_M.totals_C().log() - counts_C.clamp_min(1).log()
    return log_C[seeds_M.labels_N]


@dataclass(eq=False, repr=False, kw_only=True)
class LocalPropagation(VotePropagator):
    """Local label propagation (Zhuang et al., 2019): labeled neighbors vote, those in dense regions less.

    A labeled row at cosine s votes with weight exp(s / temperature) / density, and the `n_neighbors` heaviest votes
    count. The density of a labeled row sums exp(s / temperature) over its nearest unlabeled rows, so that a seed in a
    dense region does not outvote one that stands alone. The label of a row is the class with the largest sum, the
    certainty that class's share: votes q_i(v) = exp(v . v_i / temperature) / rho_i. No graph of all rows: the cost is
    that of comparing all rows with the labeled ones.

    Parameters
    ----------
    n_density : neighbors that make up a density; cut to the number there is.
    density : "joint" (version 2 of the paper); "conditional" (version 1: divided by the sum over all other rows);
        "ratio" (its ablation: class shares instead of densities); None, which is `WeightedKNN`.
    pool : "unlabeled" or "all": which rows make up a density; a row never counts for itself.
    metric : of precomputed graphs, densities come from what is stored in the labeled rows.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.local_propagation import LocalPropagation
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> LocalPropagation().fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    n_density: Count = 25
    density: Density | None = "joint"
    pool: Pool = "unlabeled"

    def weighing(self) -> dict[str, Any]:
        """The parameters of the density that votes are divided by, for `local_bias`."""
        return {"density": self.density, "pool": self.pool, "n_density": self.n_density}

    def bias(self, given: SeededRows | Edges, seeds: Seeds) -> torch.Tensor | None:
        started = time.perf_counter()
        if self.density is None:
            return None
        if isinstance(given, Edges):
            bias_M = self._bias_of_edges(given, seeds)
        else:
            bias_M = local_bias(given, **self.weighing(), **self.voting())
        self.say(f"density: of {len(self._labeled_M)} seeds", started)
        return bias_M

    def _bias_of_edges(self, edges: Edges, seeds: Seeds) -> torch.Tensor | None:
        unlabeled_N = ~seeds.mask_N
        if self.density == "ratio":
            return log_ratio(self._seeds_M, pseudo_counts(self._stored(edges), self._seeds_M, unlabeled_N))
        rule = DensityRule(**self.weighing(), temperature=self.temperature)
        near = neighborhoods_of_edges(edges, self._labeled_M.cpu().numpy(), unlabeled_N.cpu().numpy(), rule)
        return -near.log_density(self.temperature)
