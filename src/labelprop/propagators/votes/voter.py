"""Voter: a propagator whose labeled rows vote on every row. No graph of all rows: O(N M) for M seeds.

A subclass gives the bias of each seed's vote (`_bias`); finding who votes, precomputed forms and prediction are here.
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
from labelprop.propagators.estimator.base import Propagator
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.parameters import Count, Positive
from labelprop.propagators.votes.ballots import BLOCK_ELEMENTS, Ballots, ballots_of_matrix, elect
from labelprop.propagators.votes.electorate import Constituency, Electorate, poll, voters_of


@dataclass(eq=False, repr=False, kw_only=True)
class Voter(Propagator):
    """Labeled rows vote on all others, and afresh on new ones.

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

    @abstractmethod
    def _bias(self, given: Constituency | Edges, seeds: Seeds) -> torch.Tensor | None:
        """Log of the factor of each seed's vote (M,), in row order of the seeds; None for equal factors."""

    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        device = self.device_of(given)
        seeds = seeds.to(device)
        self._labeled_M, self._voters = seeds.mask_N.nonzero().squeeze(1), voters_of(seeds)
        self._voting: Electorate | None = None
        self._bias_M: torch.Tensor | None = None
        if isinstance(given, Edges):
            self._bias_M = self._bias(given, seeds)
            ballots, self.recall_ = self._stored(given), None
        else:
            seats = Constituency.whole(given, seeds, device)
            bias_M = self._bias(seats, seeds)
            started = time.perf_counter()
            ballots, self._voting, self.recall_ = poll(seats, bias_M, **self._polling())
            self.say(f"votes: {seats.labeled.n} seeds on {ballots.n} rows, recall {self.recall_:.4f}", started)
        self.graph_ = ballots.graph()
        return elect(ballots, self._voters, seeds, self.top_classes)

    def _stored(self, edges: Edges) -> Ballots:
        """Ballots among the stored columns of a precomputed graph."""
        cosines = edges.cosines()[:, self._labeled_M.cpu().numpy()]
        return ballots_of_matrix(cosines, self.n_neighbors, self.temperature, self._bias_M).to(self._labeled_M.device)

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        if isinstance(given, Edges):
            ballots = self._stored(given)
        else:
            assert self._voting is not None
            k, search = self.n_neighbors, self.search
            ballots, _ = self._voting.ballots(given, k, search=search, seed=self.search_seed())
        for start, stop in spans(ballots.n, len(self.classes_), BLOCK_ELEMENTS):
            scores_BC = ballots.part(start, stop).tally(self._voters)
            yield normalize_rows(scores_BC).cpu().numpy(), (scores_BC > 0).any(dim=1).cpu().numpy()

    def _polling(self) -> dict[str, Any]:
        return {
            "n_neighbors": self.n_neighbors,
            "temperature": self.temperature,
            "search": self.search,
            "seed": self.search_seed(),
        }
