"""GraphPropagator: a propagator on a graph (n, n) of all rows, built from nearest neighbors or given.

Search, precomputed forms, prediction and warm starts are done here.
"""

from __future__ import annotations

import time
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self, TypeVar

import numpy as np
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from labelprop.core.distributed import SOLO, Group
from labelprop.core.text import counted
from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph, neighbor_matrix
from labelprop.graph.neighbors import nearest
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows, as_rows
from labelprop.graph.neighbors.shared_out import nearest_by_all
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.base import Propagator
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.inductive import weighted_mean
from labelprop.propagators.estimator.parameters import Count
from labelprop.propagators.estimator.sinks import Blocks, solve_blocks
from labelprop.propagators.estimator.top_classes import is_wide
from labelprop.propagators.estimator.warm import LastFit, fingerprint, solve_changed

System = TypeVar("System")

PREDICT_ELEMENTS = 1 << 24  # probabilities held at once by `predict`


@dataclass(eq=False, repr=False, kw_only=True)
class GraphPropagator(Propagator):
    """Labels spread over a graph of all rows; new rows take the weighted mean of their neighbors' distributions.

    A subclass gives three functions: `weigh` (the kernel), `build_graph` (from directed weights) and `propagate`
    (labels from seeds on the graph); in `graph_parameters` the names of parameters that the graph depends on; and
    `warning_text` where it warns of other things than a missed tolerance.

    Parameters
    ----------
    n_neighbors : neighbors of each row; cut to n - 1.
    """

    n_neighbors: Count = 10

    graph_parameters: ClassVar[tuple[str, ...]] = ("n_neighbors", "metric", "search", "device", "random_state")

    @abstractmethod
    def weigh(self, edges: Edges) -> sparse.csr_array:
        """Weights (m, n) of edges, in the same places; row i are the neighbors that row i chose."""

    @abstractmethod
    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        """The graph to propagate on from directed weights (n, n), `weigh` applied."""

    @abstractmethod
    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        """Labels of all rows of `graph_`, with the verdict of what was solved; what suits all seeds is `prepared`."""

    def check_graph(self, given: Edges) -> None:
        self.weigh(given)

    def warning_text(self, found: Propagation) -> str | None:
        """What to warn of where an answer is not what was asked for."""
        if found.converged:
            return None
        return (
            f"{type(self).__name__} stopped after {counted(found.steps, 'step')} with relative residual "
            f"{found.residual:.2g}. Raise max_iter, or tol if this is near enough."
        )

    def _weights(self, queries: Any) -> Iterator[sparse.csr_array]:
        """Weights of features (m, d), or for None of the fitted rows, to the fitted rows, in blocks of rows."""
        yield self.weigh(self._search(queries))

    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        self._set_graph(given, self.device_of(given))
        return self.label(seeds)

    def on_graph(self, graph: AffinityGraph, rows: Rows | None = None, *, recall: float | None = None) -> Self:
        """Takes a graph that is built already, in place of a search: `label` then propagates on it.

        `rows` are what new rows will be compared with, None where they will come as a graph. What `propagate` keeps
        of the graph for the next seeds (see `warm_start`) is kept until `forget`.
        """
        self.graph_, self.recall_ = graph, recall
        self._rows: Rows | None = rows
        self._memory: LastFit | None = LastFit((), graph, recall)
        return self

    def label(self, seeds: Seeds) -> Propagation:
        """Labels of all rows of `graph_` from these seeds, which may be on any device."""
        started = time.perf_counter()
        found = self.propagate(self.graph_, seeds.to(self.graph_.device))
        how = f"{counted(found.steps, 'step')}, residual {found.residual:.2g}" if found.steps else "solved directly"
        self.say(f"propagation: {how}", started)
        text = self.warning_text(found)
        if text is not None:
            warnings.warn(text, ConvergenceWarning, stacklevel=3)
        return found

    @torch.no_grad()
    def label_vectors(
        self, vectors_ND: torch.Tensor, seeds: Seeds, *, seed: int = 0, group: Group = SOLO
    ) -> Propagation:
        """Labels of vectors of any length: cosine neighbors, graph and solve on their device, without messages.

        For training, whose processes (a `group`) share out the search; each solves the whole.
        """
        found = nearest_by_all(vectors_ND, self.n_neighbors, group=group, search=self.search, seed=seed)
        weights = self.weigh(Edges(neighbor_matrix(found, len(vectors_ND)), "cosine"))
        self.on_graph(self.build_graph(weights).to(vectors_ND.device), recall=found.recall).forget()
        return self.propagate(self.graph_, seeds.to(vectors_ND.device))

    def forget(self) -> None:
        """Frees what was kept for further seeds on the same graph."""
        self._memory = None

    def prepared(self, prepare: Callable[..., System], *settings: Any) -> System:
        """`prepare(graph_, *settings)`; kept for the next seeds with `warm_start` and after `on_graph`."""
        memory = self._memory
        if memory is None:
            return prepare(self.graph_, *settings)
        if memory.system is None or memory.system_key != settings:
            memory = self._memory = replace(memory, system=prepare(self.graph_, *settings), system_key=settings)
        system: System = memory.system
        return system

    def solved(
        self, prepare: Callable[..., Any], seeds: Seeds, *, made_with: tuple[Any, ...] = (), **settings: Any
    ) -> Blocks:
        """The solution of the system `prepare(graph_, *made_with)`.

        Its `solve(seeds, classes, **settings)` treats classes independently. Classes whose seeds and settings did not
        change are those of the last solve, where all classes fit in memory.
        """
        system, memory = self.prepared(prepare, *made_with), self._memory
        if memory is None or is_wide(seeds.n, seeds.n_classes):
            yield from solve_blocks(system, seeds, **settings)
            return
        classes = vars(self).get("classes_", ())
        if len(classes) != seeds.n_classes:  # on a graph that was handed over, before any fit
            classes = np.arange(seeds.n_classes)
        solved, self._memory = solve_changed(memory, system, seeds, classes, settings)
        yield 0, solved

    def votes(self, given: Any) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        blocks = iter([self.weigh(given)]) if isinstance(given, Edges) else self._weights(given)
        for weights in blocks:
            for start, stop in spans(weights.shape[0], len(self.classes_), PREDICT_ELEMENTS):
                yield weighted_mean(weights[start:stop], self.label_distributions_, self._seed_codes, self.reached_)

    def _set_graph(self, given: Any, device: torch.device) -> None:
        """Sets `graph_` and `recall_`, and keeps the rows that new ones are compared with."""
        values = self.get_params(deep=False)
        settings = tuple(repr(values[name]) for name in self.graph_parameters)
        content = given.values if isinstance(given, Edges) else given
        key = (fingerprint(content), *settings) if self.warm_start else ()
        known: LastFit | None = getattr(self, "_memory", None)
        if self.warm_start and known is not None and known.graph_key == key:
            self.graph_, self.recall_ = known.graph, known.recall
            return

        self._rows = self.recall_ = None
        self._order_N: torch.Tensor | None = None  # of the rows, as the search sorted them
        if isinstance(given, Edges):
            weights = self.weigh(given)
        else:
            self._rows = as_rows(given, device, metric=self._row_metric)
            blocks = list(self._weights(None))
            weights = blocks[0] if len(blocks) == 1 else sparse.vstack(blocks, format="csr")
        started = time.perf_counter()
        self.graph_ = replace(self.build_graph(weights), order_N=self._order_N).to(device)
        self.say(f"graph: {self.graph_.n_edges} weights", started)
        self._memory = LastFit(key, self.graph_, self.recall_) if self.warm_start else None

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
            seed=self.search_seed(),
        )
        self.say(f"search: {len(found.indices_NK)} rows, recall {found.recall:.4f}", started)
        values = neighbor_matrix(found, self._rows.n)
        if queries is None:
            self.recall_, self._order_N = found.recall, found.order_N
        if self.metric == "cosine":
            return Edges(values, "cosine")
        values.data *= -1  # `nearest` orders by similarity, -d^2
        return Edges(values, "squared_distance")
