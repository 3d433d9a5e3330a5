"""GraphPropagator: a propagator on a graph (n, n) of all rows, built from nearest neighbors or given.

A subclass gives a kernel (`_kernel`), how directed weights become a graph (`_build_graph`) and the propagation on it
(`_propagate`); search, precomputed forms, prediction and warm starts are done here.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph, neighbor_matrix
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.base import Propagator
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.inductive import weighted_mean
from labelprop.propagators.estimator.warm import Remembered, fingerprint

if TYPE_CHECKING:
    from scipy import sparse

PREDICT_ELEMENTS = 1 << 24  # probabilities held at once by `predict`


class GraphPropagator(Propagator):
    """Labels spread over a graph of all rows; new rows take the weighted mean of their neighbors' distributions."""

    n_neighbors: int
    _rows: Rows | None
    _memory: Remembered | None
    _order_N: torch.Tensor | None  # of the rows, as the search sorted them

    graph_parameters: ClassVar[tuple[str, ...]] = ("n_neighbors", "metric", "search", "device", "random_state")

    @abstractmethod
    def _kernel(self, edges: Edges) -> sparse.csr_array:
        """Weights (m, n) of edges, in the same places; row i are the neighbors that row i chose."""

    @abstractmethod
    def _build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        """The graph to propagate on from directed weights (n, n), `_kernel` applied."""

    @abstractmethod
    def _propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        """Labels of all rows; warns where the verdict asks for it."""

    def _weights(self, queries: Any) -> Iterator[sparse.csr_array]:
        """Weights of features (m, d), or for None of the fitted rows, to the fitted rows, in blocks of rows."""
        yield self._kernel(self._search(queries))

    def _spread(self, given: Any, seeds: Seeds) -> Propagation:
        self._set_graph(given, self._device(given))
        return self._propagated(seeds)

    def _spread_edges(self, edges: Edges, seeds: Seeds, rows: Rows | None, recall: float | None) -> Propagation:
        """As `_spread`, for a caller that has searched already: `edges` lead from all rows to their neighbors."""
        self._rows, self.recall_ = rows, recall
        self._memory = self._order_N = None
        self._set_weights(self._kernel(edges), self._device(edges) if rows is None else rows.device)
        return self._propagated(seeds)

    def _propagated(self, seeds: Seeds) -> Propagation:
        started = time.perf_counter()
        found = self._propagate(self.graph_, seeds.to(self.graph_.device))
        self._say(f"propagation: {found.steps} steps, residual {found.residual:.2g}", started)
        return found

    def _votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        blocks = iter([self._kernel(given)]) if isinstance(given, Edges) else self._weights(given)
        for weights in blocks:
            for start, stop in spans(weights.shape[0], len(self.classes_), PREDICT_ELEMENTS):
                yield weighted_mean(weights[start:stop], self.label_distributions_, self._seed_codes, self.reached_)

    def _set_graph(self, given: Any, device: torch.device) -> None:
        """Sets `graph_` and `recall_`, and keeps the rows that new ones are compared with."""
        values = self.get_params(deep=False)
        settings = tuple(repr(values[name]) for name in self.graph_parameters)
        content = given.values if isinstance(given, Edges) else given
        key = (fingerprint(content), *settings) if self.warm_start else ()
        known: Remembered | None = getattr(self, "_memory", None)
        if self.warm_start and known is not None and known.graph_key == key:
            self.graph_, self.recall_ = known.graph, known.recall
            return
        self._rows = self._order_N = None
        self.recall_ = None
        if isinstance(given, Edges):
            self._set_weights(self._kernel(given), device)
        else:
            self._rows = as_rows(given, device, metric=self._row_metric)
            blocks = list(self._weights(None))
            self._set_weights(_stacked(blocks), device)
        self._memory = Remembered(key, self.graph_, self.recall_) if self.warm_start else None

    def _set_weights(self, weights: sparse.csr_array, device: torch.device) -> None:
        started = time.perf_counter()
        self.graph_ = replace(self._build_graph(weights), order_N=self._order_N).to(device)
        self._say(f"graph: {self.graph_.n_edges} weights", started)

    @property
    def _row_metric(self) -> str:
        """The metric that feature rows are compared by."""
        return self.metric

    def _search(self, queries: Any) -> Edges:
        """The nearest fitted rows of features (m, d); of the fitted rows themselves for None (sets `recall_`)."""
        assert self._rows is not None
        started = time.perf_counter()
        found = nearest(
            self._rows,
            self.n_neighbors,
            queries=queries,
            metric=self._row_metric,
            search=self.search,
            seed=self._search_seed(),
        )
        self._say(f"search: {len(found.indices_NK)} rows, recall {found.recall:.4f}", started)
        values = neighbor_matrix(found, self._rows.n)
        if queries is None:
            self.recall_, self._order_N = found.recall, found.order_N
        if self.metric == "cosine":
            return Edges(values, "cosine")
        values.data *= -1  # `nearest` orders by similarity, -d^2
        return Edges(values, "squared_distance")


def _stacked(blocks: list[sparse.csr_array]) -> sparse.csr_array:
    from scipy import sparse

    if len(blocks) == 1:
        return blocks[0]
    stacked: sparse.csr_array = sparse.vstack(blocks, format="csr")
    return stacked
