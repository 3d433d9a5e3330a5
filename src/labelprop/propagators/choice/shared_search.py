"""SharedSearch: the rows under each metric and their 50 neighbors, searched once for all candidates of `auto`."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from labelprop.core.types import Neighbors
from labelprop.graph.affinity import AffinityGraph, neighbor_matrix
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.propagators.choice.candidates import NEIGHBORS
from labelprop.propagators.choice.content import content_keys
from labelprop.propagators.estimator.edges import Edges

BLOCK_ELEMENTS = 1 << 22
EQUAL_LENGTHS = 2e-3  # largest difference of lengths, relative: float16 rounds those of unit vectors so far


@dataclass(eq=False)
class SharedSearch:
    """Features, or a graph that was given, and what was searched. `say` reports a search and when it began."""

    given: Any  # features or Edges
    device: torch.device
    search: str
    seed: int
    say: Callable[[str, float], None]
    _rows: dict[str, Rows] = field(default_factory=dict)
    _neighbors: dict[str, Neighbors] = field(default_factory=dict)
    _keys_N: np.ndarray | None = None

    @property
    def is_graph(self) -> bool:
        return isinstance(self.given, Edges)

    @property
    def n(self) -> int:
        return int(self.given.shape[0])

    @property
    def recall(self) -> float | None:
        """The lowest of all searches so far; None where there was none."""
        return min((found.recall for found in self._neighbors.values()), default=None)

    def keys(self) -> np.ndarray:
        """A number (N,) for each row that says what it holds, not where it stands."""
        if self._keys_N is None:
            self._keys_N = content_keys(self.given)
        return self._keys_N

    def sample(self, places_M: torch.Tensor, most: int) -> torch.Tensor:
        """At most so many of these rows, ascending; which ones depends on what they hold alone."""
        if len(places_M) <= most:
            return places_M
        order_M = np.argsort(self.keys()[places_M.cpu().numpy()], kind="stable")[:most]
        return places_M[torch.from_numpy(np.sort(order_M)).to(places_M.device)]

    def rows(self, metric: str = "cosine") -> Rows:
        """The rows under a metric, read once."""
        if metric not in self._rows:
            self._rows[metric] = as_rows(self.given, self.device, metric)
        return self._rows[metric]

    def neighbors(self, metric: str) -> Neighbors:
        """The nearest 50 of every row, searched once a metric."""
        if metric not in self._neighbors:
            started, rows = time.perf_counter(), self.rows(metric)
            device = str(self.device)
            found = nearest(rows, max(NEIGHBORS), metric=metric, search=self.search, device=device, seed=self.seed)
            self.say(f"search by {metric}: {rows.n} rows, recall {found.recall:.4f}", started)
            self._neighbors[metric] = found
        return self._neighbors[metric]

    def edges(self, k: int | None, metric: str) -> Edges:
        """The k nearest of every row; the given graph as it is."""
        if self.is_graph:
            edges: Edges = self.given
            return edges
        found = self.neighbors(metric)
        cut = Neighbors(found.indices_NK[:, :k], found.similarities_NK[:, :k], found.recall)
        values = neighbor_matrix(cut, self.n)
        if metric == "cosine":
            return Edges(values, "cosine")
        return Edges(-values, "squared_distance")  # `nearest` orders by similarity, -d^2

    def graph(self, metric: str) -> AffinityGraph:
        """All that was searched by a metric, or given, as a graph."""
        return AffinityGraph.from_scipy(self.edges(None, metric).values).to(self.device)

    def of_rows(self, places_M: torch.Tensor) -> SharedSearch:
        """The same for some of the rows, by themselves and without a word."""
        places = places_M.to(self.given.device) if isinstance(self.given, torch.Tensor) else places_M.numpy()
        return SharedSearch(self.given[places], self.device, self.search, self.seed, lambda *_: None)

    def of_one_length(self) -> bool:
        """Whether all rows are equally long: then distances order and weigh neighbors as cosines do."""
        rows, shortest, longest = self.rows("euclidean"), float("inf"), 0.0
        for start, stop in spans(rows.n, rows.stored, BLOCK_ELEMENTS):
            block = rows.read(start, stop)
            squares = block.multiply(block).sum(axis=1) if hasattr(block, "tocsr") else block.square().sum(dim=1)
            shortest, longest = min(shortest, float(squares.min())), max(longest, float(squares.max()))
        return bool(longest**0.5 - shortest**0.5 <= EQUAL_LENGTHS * longest**0.5)
