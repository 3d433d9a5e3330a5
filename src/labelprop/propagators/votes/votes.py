"""Votes of labeled rows: which of them vote on a row and how strongly, and what the votes add up to.

Shapes: M seeds (the columns of a vote), K of them vote on a row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from labelprop.core.types import UNLABELED, Propagation
from labelprop.functional.weigh import normalize_rows
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.sinks import RowSink
from labelprop.propagators.estimator.top_classes import is_wide, n_kept

BLOCK_ELEMENTS = 1 << 24  # scores (rows x classes) held at once where the result is sparse


@dataclass(frozen=True, slots=True, eq=False)
class Votes:
    """The K seeds that vote on each of N rows, strongest first (ties: the lower column), with log vote weights."""

    columns_NK: torch.Tensor  # int64, places among the M seeds; any where the exponent is -inf
    exponents_NK: torch.Tensor  # log vote weight up to a constant of the row; -inf where nobody votes
    n_seeds: int

    @property
    def n(self) -> int:
        return int(self.columns_NK.shape[0])

    def weights(self) -> torch.Tensor:
        """Vote weights (N, K), the row's strongest scaled to 1: no temperature overflows."""
        if not self.exponents_NK.shape[1]:
            return self.exponents_NK
        peak_N1 = self.exponents_NK[:, :1]
        return (self.exponents_NK - peak_N1.masked_fill(peak_N1 == -torch.inf, 0)).exp()

    def part(self, start: int, stop: int) -> Votes:
        """The votes of some rows."""
        return Votes(self.columns_NK[start:stop], self.exponents_NK[start:stop], self.n_seeds)

    def to(self, device: torch.device | str) -> Votes:
        """The same votes on a device."""
        return Votes(self.columns_NK.to(device), self.exponents_NK.to(device), self.n_seeds)

    def graph(self) -> AffinityGraph:
        """The vote weights as a graph (N, M)."""
        columns_NK, order_NK = self.columns_NK.sort(dim=1)
        weights_NK = self.weights().gather(1, order_NK)
        return AffinityGraph.from_rows(columns_NK, weights_NK, weights_NK > 0, self.n_seeds)

    def tally(self, seeds_M: Seeds) -> torch.Tensor:
        """w_j = sum of the weights of the votes for class j, (N, C). A soft seed splits its vote.

        Added up one voter after the other: the same order, hence the same bits, on any device.
        """
        weights_NK = self.weights()
        scores_NC = weights_NK.new_zeros(self.n, seeds_M.n_classes)
        for rank in range(weights_NK.shape[1]):
            column_N, weight_N = self.columns_NK[:, rank], weights_NK[:, rank]
            weight_N = weight_N * seeds_M.weights_N[column_N].to(weight_N.dtype)
            if seeds_M.soft_NC is None:
                scores_NC.scatter_add_(1, seeds_M.labels_N[column_N, None], weight_N[:, None])
            else:
                scores_NC += weight_N[:, None] * seeds_M.soft_NC[column_N].to(weight_N.dtype)
        return scores_NC

    def named(self, seeds_M: Seeds, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """The classes that have votes of one-hot seeds, ascending, then -1; and what `tally` gives them, then 0.

        Both (N, width >= K): no more work and memory however many classes there are.
        """
        weights_NK = self.weights() * seeds_M.weights_N[self.columns_NK].to(self.exponents_NK.dtype)
        classes_NK, order_NK = seeds_M.labels_N[self.columns_NK].sort(dim=1, stable=True)
        weights_NK, places_NK = weights_NK.gather(1, order_NK), torch.zeros_like(classes_NK)
        places_NK[:, 1:] = (classes_NK[:, 1:] != classes_NK[:, :-1]).cumsum(dim=1)
        scores_NW = weights_NK.new_zeros(self.n, width)
        for rank in range(weights_NK.shape[1]):  # the order of `tally`
            scores_NW.scatter_add_(1, places_NK[:, rank, None], weights_NK[:, rank, None])
        return places_NK.new_full((self.n, width), UNLABELED).scatter_(1, places_NK, classes_NK), scores_NW


def count_votes(votes: Votes, seeds_M: Seeds, seeds: Seeds, top: int | None = None) -> Propagation:
    """Labels of all rows from their votes; certainty is the share of the label.

    `seeds_M` are the M labeled rows of `seeds`, in their order. Where N x C > 2^28 scores and distributions are
    sparse CSR with the `top` (16) best classes a row.
    """
    kept = RowSink(seeds, top, votes.exponents_NK)
    narrow = is_wide(seeds.n, seeds.n_classes) and seeds_M.soft_NC is None  # a soft seed names all classes
    width = max(votes.columns_NK.shape[1], n_kept(top, seeds.n_classes)) if narrow else seeds.n_classes
    for start, stop in spans(votes.n, width, BLOCK_ELEMENTS):
        part = votes.part(start, stop)
        classes_BW, scores_BW = part.named(seeds_M, width) if narrow else (None, part.tally(seeds_M))
        rows_B = (scores_BW > 0).any(dim=1).nonzero().squeeze(1)
        shares_BW = normalize_rows(scores_BW[rows_B])
        classes_BW = None if classes_BW is None else classes_BW[rows_B]
        kept.put(rows_B + start, scores_BW[rows_B], shares_BW, shares_BW.amax(dim=1), classes_BW=classes_BW)
    return kept.concluded()


def votes_of_matrix(
    cosines: sparse.csr_array, k: int, temperature: float, bias_M: torch.Tensor | None = None
) -> Votes:
    """The K strongest of the voters stored in each row of (N, M), vote weights exp(cos / temperature + bias)."""
    indptr, columns = cosines.indptr.astype(np.int64), cosines.indices
    exponents = cosines.data / temperature
    if bias_M is not None:
        exponents = exponents + bias_M.cpu().numpy().astype(exponents.dtype)[columns]
    row_E = np.repeat(np.arange(cosines.shape[0]), np.diff(indptr))
    order = np.lexsort((columns, -exponents, row_E))
    rank_E = np.arange(len(order)) - indptr[row_E]
    kept = rank_E < k
    width = min(k, int(np.diff(indptr).max(initial=0)))
    columns_NK = np.zeros((cosines.shape[0], width), dtype=np.int64)
    exponents_NK = np.full(columns_NK.shape, -np.inf, dtype=cosines.data.dtype)
    columns_NK[row_E[kept], rank_E[kept]] = columns[order][kept]
    exponents_NK[row_E[kept], rank_E[kept]] = exponents[order][kept]
    return Votes(torch.from_numpy(columns_NK), torch.from_numpy(exponents_NK), int(cosines.shape[1]))
