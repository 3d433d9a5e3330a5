"""VotePropagator: a propagator whose labeled rows vote on every row. No graph of all rows: O(N M) for M seeds.

Finding who votes, precomputed forms and prediction are done here.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from labelprop.core.types import Propagation
from labelprop.functional.weigh import normalize_rows
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.cost.stages import Cost, Size, vote_cost
from labelprop.propagators.estimator.base import Propagator
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.parameters import Count, Positive
from labelprop.propagators.votes.voters import SeededRows, Voters, collect_votes, labeled_only
from labelprop.propagators.votes.votes import BLOCK_ELEMENTS, Votes, count_votes, votes_of_matrix


@dataclass(eq=False, repr=False, kw_only=True)
class VotePropagator(Propagator):
    """Labeled rows vote on all others, and afresh on new ones. A subclass gives the `bias` of each seed's vote.

    `graph_` (n, M) holds the vote weights, a column for each seed in row order.

    Parameters
    ----------
    n_neighbors : labeled rows that vote; cut to the number there is.
    temperature : small values let the nearest decide, large ones count heads.
    metric : of precomputed graphs the labeled ones among the stored columns vote, the best `n_neighbors` of a row.
    warm_start : accepted like everywhere; nothing here outlasts a change of seeds.
    """

    n_neighbors: Count = 10
    temperature: Positive = 0.07

    def cost(self, size: Size) -> Cost:
        """A search among the labeled rows alone."""
        return vote_cost(size, self.get_params(deep=False))

    @abstractmethod
    def bias(self, given: SeededRows | Edges, seeds: Seeds) -> torch.Tensor | None:
        """Log of the factor of each seed's vote (M,), in row order of the seeds; None for equal factors."""

    @torch.no_grad()
    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        device = self.device_of(given)
        seeds = seeds.to(device)
        self._labeled_M, self._seeds_M = seeds.mask_N.nonzero().squeeze(1), labeled_only(seeds)
        self._voters: Voters | None = None
        self._bias_M: torch.Tensor | None = None
        if isinstance(given, Edges):
            self._bias_M = self.bias(given, seeds)
            votes, self.recall_ = self._stored(given), None
        else:
            seeded = SeededRows.whole(given, seeds, device)
            bias_M = self.bias(seeded, seeds)
            started = time.perf_counter()
            votes, self._voters, self.recall_ = collect_votes(seeded, bias_M, **self.voting())
            self.say(f"votes: {seeded.labeled.n} seeds on {votes.n} rows, recall {self.recall_:.4f}", started)
        self.graph_ = votes.graph()
        return count_votes(votes, self._seeds_M, seeds, self.top_classes)

    def _stored(self, edges: Edges) -> Votes:
        """Votes among the stored columns of a precomputed graph."""
        cosines = edges.cosines()[:, self._labeled_M.cpu().numpy()]
        return votes_of_matrix(cosines, self.n_neighbors, self.temperature, self._bias_M).to(self._labeled_M.device)

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if isinstance(given, Edges):
            votes = self._stored(given)
        else:
            assert self._voters is not None
            k, search = self.n_neighbors, self.search
            votes, _ = self._voters.votes(given, k, search=search, seed=self.search_seed())
        for start, stop in spans(votes.n, len(self.classes_), BLOCK_ELEMENTS):
            scores_BC = votes.part(start, stop).tally(self._seeds_M)
            yield normalize_rows(scores_BC).cpu().numpy(), (scores_BC > 0).any(dim=1).cpu().numpy()

    def voting(self) -> dict[str, Any]:
        """Who votes, and how they are found, as `collect_votes` takes it."""
        names = ("n_neighbors", "temperature", "search")
        return {name: getattr(self, name) for name in names} | {"seed": self.search_seed()}
