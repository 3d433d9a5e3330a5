"""Votes of labeled rows: which of them vote on a row and how strongly, and what the votes add up to.

Shapes: M seeds (the columns of a vote), K of them vote on a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from labelprop.core.types import Propagation
from labelprop.functional.weigh import normalize_rows
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.outcome import conclude

if TYPE_CHECKING:
    from scipy import sparse

BLOCK_ELEMENTS = 1 << 24  # scores (rows x classes) held at once where the result is sparse


@dataclass(frozen=True, slots=True, eq=False)
class Ballots:
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

    def part(self, start: int, stop: int) -> Ballots:
        """The ballots of some rows."""
        return Ballots(self.columns_NK[start:stop], self.exponents_NK[start:stop], self.n_seeds)

    def to(self, device: torch.device | str) -> Ballots:
        """The same ballots on a device."""
        return Ballots(self.columns_NK.to(device), self.exponents_NK.to(device), self.n_seeds)

    def graph(self) -> AffinityGraph:
        """The vote weights as a graph (N, M)."""
        columns_NK, order_NK = self.columns_NK.sort(dim=1)
        weights_NK = self.weights().gather(1, order_NK)
        kept_NK = weights_NK > 0
        crow = torch.zeros(self.n + 1, dtype=torch.int64, device=columns_NK.device)
        crow[1:] = kept_NK.sum(dim=1).cumsum(0)
        fits = max(int(crow[-1]), self.n, self.n_seeds) <= np.iinfo(np.int32).max
        index = torch.int32 if fits else torch.int64
        return AffinityGraph(
            crow.to(index), columns_NK[kept_NK].to(index), weights_NK[kept_NK], (self.n, self.n_seeds)
        )

    def tally(self, voters: Seeds) -> torch.Tensor:
        """w_j = sum of the weights of the votes for class j, (N, C). A soft seed splits its vote.

        Added up one voter after the other: the same order, hence the same bits, on any device.
        """
        weights_NK = self.weights()
        scores_NC = weights_NK.new_zeros(self.n, voters.n_classes)
        for rank in range(weights_NK.shape[1]):
            column_N, weight_N = self.columns_NK[:, rank], weights_NK[:, rank]
            weight_N = weight_N * voters.weights_N[column_N].to(weight_N.dtype)
            if voters.soft_NC is None:
                scores_NC.scatter_add_(1, voters.labels_N[column_N, None], weight_N[:, None])
            else:
                scores_NC += weight_N[:, None] * voters.soft_NC[column_N].to(weight_N.dtype)
        return scores_NC


def elect(ballots: Ballots, voters: Seeds, seeds: Seeds, top: int | None = None) -> Propagation:
    """Labels of all rows from their ballots; certainty is the share of the label.

    `voters` are the M labeled rows of `seeds`, in their order. Where N x C > 2^28 scores and distributions are
    sparse CSR with at most the `top` (16) best classes a row.
    """
    verdict: dict[str, Any] = {"steps": 0, "residual": 0.0, "converged": True}
    if ballots.n * voters.n_classes > wide.DENSE_LIMIT:
        scores, shares, certainty_N, labels_N, reached_N = _counted_wide(ballots, voters, top or wide.DEFAULT_TOP)
        return conclude(scores, shares, certainty_N, reached_N, seeds, labels_N=labels_N, **verdict)
    scores_NC = ballots.tally(voters)
    shares_NC = normalize_rows(scores_NC)
    reached_N = (scores_NC > 0).any(dim=1)
    return conclude(scores_NC, shares_NC, shares_NC.amax(dim=1), reached_N, seeds, **verdict)


def _counted_wide(ballots: Ballots, voters: Seeds, top: int) -> tuple[torch.Tensor, ...]:
    """Scores and distributions (sparse), share of the label, label, and whether there is one; some rows at a time."""
    top = min(top, voters.n_classes)
    named_BG = _named if voters.soft_NC is None else _all_classes
    width = voters.n_classes if voters.soft_NC is not None else ballots.exponents_NK.shape[1]
    parts = []
    for start, stop in spans(ballots.n, width, BLOCK_ELEMENTS):
        classes_BG, totals_BG = named_BG(ballots.part(start, stop), voters)
        classes_BG, totals_BG = (_padded(part_BG, top) for part_BG in (classes_BG, totals_BG))
        best_B1 = totals_BG.amax(dim=1, keepdim=True)
        sum_B = totals_BG.sum(dim=1)
        label_B = classes_BG.gather(1, (totals_BG == best_B1).int().argmax(dim=1, keepdim=True)).squeeze(1)
        places_BM = totals_BG.topk(top, dim=1).indices.sort(dim=1).values
        classes_BM = classes_BG.gather(1, places_BM)
        classes_BM[sum_B == 0] = torch.arange(top, device=classes_BM.device)  # their shares are equal
        certainty_B = best_B1.squeeze(1) / sum_B.masked_fill(sum_B == 0, 1)
        parts.append((classes_BM, totals_BG.gather(1, places_BM), certainty_B, label_B, sum_B > 0))
    classes_NM, totals_NM, *rest = (torch.cat(part) for part in zip(*parts, strict=True))
    shares_NM, size = normalize_rows(totals_NM), (ballots.n, voters.n_classes)
    scores = wide.sparse_rows(classes_NM, totals_NM, totals_NM > 0, size)
    return scores, wide.sparse_rows(classes_NM, shares_NM, shares_NM > 0, size), *rest


def _named(ballots: Ballots, voters: Seeds) -> tuple[torch.Tensor, torch.Tensor]:
    """The classes that a row's voters name, ascending, and their scores, (N, K) each; score 0 where there are fewer.

    Takes no more than N x K, however many classes there are.
    """
    weights_NK = ballots.weights() * voters.weights_N[ballots.columns_NK].to(ballots.exponents_NK.dtype)
    classes_NK, order_NK = voters.labels_N[ballots.columns_NK].sort(dim=1, stable=True)
    weights_NK = weights_NK.gather(1, order_NK)
    new_NK = torch.ones_like(classes_NK, dtype=torch.bool)
    new_NK[:, 1:] = classes_NK[:, 1:] != classes_NK[:, :-1]
    place_NK = new_NK.cumsum(dim=1) - 1
    totals_NK = torch.zeros_like(weights_NK)
    for rank in range(weights_NK.shape[1]):  # one after the other: the same bits on any device
        totals_NK.scatter_add_(1, place_NK[:, rank, None], weights_NK[:, rank, None])
    return torch.zeros_like(classes_NK).scatter_(1, place_NK, classes_NK), totals_NK


def _all_classes(ballots: Ballots, voters: Seeds) -> tuple[torch.Tensor, torch.Tensor]:
    """All classes and their scores (N, C): soft seeds name many."""
    scores_NC = ballots.tally(voters)
    return torch.arange(voters.n_classes, device=scores_NC.device).expand_as(scores_NC), scores_NC


def _padded(values_BG: torch.Tensor, width: int) -> torch.Tensor:
    """With columns of zeros up to this width."""
    return torch.nn.functional.pad(values_BG, (0, max(0, width - values_BG.shape[1])))


def ballots_of_matrix(
    cosines: sparse.csr_array, k: int, temperature: float, bias_M: torch.Tensor | None = None
) -> Ballots:
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
    return Ballots(torch.from_numpy(columns_NK), torch.from_numpy(exponents_NK), int(cosines.shape[1]))
