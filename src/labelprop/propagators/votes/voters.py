"""Voters: the labeled rows, and the search for those whose votes weigh most on each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse

from labelprop.core.distributed import Group
from labelprop.core.types import UNLABELED
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rows import DenseRows, Rows, as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.votes.votes import Votes

Gather = Callable[[torch.Tensor], list[torch.Tensor]]


def alone(part: torch.Tensor) -> list[torch.Tensor]:
    """What one process gathers: its own part."""
    return [part]


@dataclass(frozen=True, slots=True, eq=False)
class SeededRows:
    """Rows to be voted on, and all M seeds. The rows may be a part of all of them; `gather` collects from all parts.

    The seeds' vectors are a copy: they are few, and what votes later on new rows should not hold all others.
    """

    rows: Rows
    labeled: Rows  # (M, D)
    seeds: Seeds  # labels and weights of the M seeds
    own_N: torch.Tensor  # each row's place among the seeds; -1 where unlabeled
    gather: Gather = alone

    @classmethod
    def whole(cls, vectors: Any, seeds: Seeds, device: torch.device | str) -> SeededRows:
        """All rows in one process."""
        rows, seeds = as_rows(vectors, device), seeds.to(device)
        seeded_N = seeds.mask_N
        labeled = as_rows(rows.take(seeded_N.nonzero().squeeze(1)), rows.device)
        return cls(rows, labeled, labeled_only(seeds), (seeded_N.cumsum(0) - 1).masked_fill(~seeded_N, UNLABELED))

    def shared_out(self, group: Group) -> SeededRows:
        """This process's part of the rows, where each of a group has them all."""
        if group.size == 1:
            return self
        part = group.part(self.rows.n)
        places = torch.arange(part.start, part.stop, device=self.own_N.device)
        return replace(self, rows=self.rows.subset(places), own_N=self.own_N[part], gather=group.parts)

    @property
    def unlabeled_N(self) -> torch.Tensor:
        return self.own_N < 0

    @property
    def places_M(self) -> torch.Tensor:
        """Where each seed stands among the rows; -1 where in another part."""
        places_M = torch.full((self.labeled.n,), UNLABELED, device=self.own_N.device)
        here = (self.own_N >= 0).nonzero().squeeze(1)
        places_M[self.own_N[here]] = here
        return places_M


def labeled_only(seeds: Seeds) -> Seeds:
    """The labeled rows of seeds alone, in their order."""
    labeled_M = seeds.mask_N.nonzero().squeeze(1)
    soft_MC = None if seeds.soft_NC is None else seeds.soft_NC[labeled_M]
    return Seeds(seeds.labels_N[labeled_M], seeds.weights_N[labeled_M], seeds.n_classes, soft_MC)


class Voters:
    """M labeled rows, ready to vote: row i votes on v with weight exp(v . v_i / temperature + bias_i).

    A zero vector is similar to nothing: it neither votes nor is voted on. Ranking by the weighted vote is a
    maximum-inner-product search: the vectors get one more entry, temperature times bias_i, and queries a 1.
    """

    def __init__(self, labeled: Rows, temperature: float, bias_M: torch.Tensor | None) -> None:
        self._temperature, self._n_seeds, self._biased = temperature, labeled.n, bias_M is not None
        self._able_V = (~labeled.zero_N).nonzero().squeeze(1)  # places among the seeds
        vectors_VD = labeled.take(self._able_V)
        if bias_M is not None:
            vectors_VD = _widened(vectors_VD, temperature * bias_M[self._able_V])
        self._rows = as_rows(vectors_VD, labeled.device, "inner" if self._biased else "cosine")

    def votes(
        self, queries: Any, k: int, *, search: str = "auto", seed: int = 0, own_N: torch.Tensor | None = None
    ) -> tuple[Votes, float]:
        """The K strongest votes on each query (features or Rows), and the recall of the search.

        `own_N` is each query's own place among the seeds (-1: none): a row does not vote on itself.
        """
        rows, width = self._rows, min(k + (own_N is not None), self._rows.n)
        if self._biased or not width:
            queries = as_rows(queries, rows.device)
        if not width:
            nobody_NW = torch.full((queries.n, 0), -torch.inf, dtype=rows.dtype, device=rows.device)
            return Votes(nobody_NW.long(), nobody_NW, self._n_seeds), 1.0
        asked = _with_ones(queries) if self._biased else queries
        found = nearest(
            rows, width, queries=asked, metric=rows.metric, search=search, device=str(rows.device), seed=seed
        )
        columns_NW = self._able_V[found.indices_NK.clamp_min(0)]
        exponents_NW = found.similarities_NK / self._temperature
        if self._biased:
            exponents_NW.masked_fill_(queries.zero_N.to(exponents_NW.device)[:, None], -torch.inf)
        if own_N is not None:
            columns_NW, exponents_NW = _without_self(columns_NW, exponents_NW, own_N)
        return Votes(columns_NW[:, :k], exponents_NW[:, :k], self._n_seeds), found.recall


class _RowsWithOnes(DenseRows):
    """Rows with a 1 behind, added as they are read."""

    def __init__(self, rows: Rows) -> None:
        self._inner = rows
        self.n, self.dim, self.dtype, self.device = rows.n, rows.dim + 1, rows.dtype, rows.device
        self.stored = self.dim
        self.metric, self.zero_N = "inner", rows.zero_N

    def read(self, start: int, stop: int) -> Any:
        return _widened(self._inner.read(start, stop), None)

    def take(self, indices_B: torch.Tensor) -> Any:
        return _widened(self._inner.take(indices_B), None)


def _with_ones(queries: Rows) -> Any:
    """Queries that add what the last entry of a voter holds."""
    return _RowsWithOnes(queries) if isinstance(queries, DenseRows) else _widened(queries.read(0, queries.n), None)


@torch.no_grad()
def collect_votes(
    seeded: SeededRows, bias_M: torch.Tensor | None, *, n_neighbors: int, temperature: float, **searching: Any
) -> tuple[Votes, Voters, float]:
    """Votes on these rows, the voters for later votes, and the recall of the search."""
    voters = Voters(seeded.labeled, temperature, bias_M)
    votes, recall = voters.votes(seeded.rows, n_neighbors, own_N=seeded.own_N, **searching)
    return votes, voters, recall


def _widened(block: Any, column_B: torch.Tensor | None) -> Any:
    """A block with one more column, of ones where none is given."""
    if isinstance(block, torch.Tensor):
        last_B1 = block.new_ones(len(block), 1) if column_B is None else column_B[:, None].to(block)
        return torch.cat([block, last_B1], dim=1)

    last = np.ones((block.shape[0], 1)) if column_B is None else column_B.cpu().numpy()[:, None]
    return sparse.hstack([block, sparse.csr_array(last.astype(block.dtype))], format="csr")


def _without_self(
    columns_NW: torch.Tensor, exponents_NW: torch.Tensor, own_N: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """A labeled row's own vote moved behind the others, as no vote."""
    places_L = (own_N >= 0).nonzero().squeeze(1)
    columns_LW = columns_NW[places_L]
    exponents_LW = exponents_NW[places_L].masked_fill(columns_LW == own_N[places_L, None], -torch.inf)
    exponents_LW, order_LW = exponents_LW.sort(dim=1, descending=True, stable=True)
    columns_NW[places_L], exponents_NW[places_L] = columns_LW.gather(1, order_LW), exponents_LW
    return columns_NW, exponents_NW
