"""The graph of label propagation, label spreading and Poisson learning: self-tuned weights of nearest neighbors."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import torch
from scipy import sparse

from labelprop.core.errors import DataError
from labelprop.core.threads import threads, usable_cores
from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.neighbors import as_queries
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import own_kernel, rbf_kernel
from labelprop.propagators.estimator.base import PRECOMPUTED
from labelprop.propagators.estimator.edges import Edges, first_row
from labelprop.propagators.estimator.graph_propagator import GraphPropagator
from labelprop.propagators.estimator.outcome import check_volume
from labelprop.propagators.estimator.parameters import Count, Finite, NotNegative, Shares
from labelprop.propagators.systems.operator import Precondition

SMALLEST_SCALE = 1e-6  # of d_ik^2: rows with k duplicates
SYMMETRIC = 1e-5  # largest difference to the mirrored weight, relative to the largest weight, taken for rounding


def self_tuned(edges: Edges, sharpness: float) -> sparse.csr_array:
    """exp(-sharpness d_ij^2 / max(d_ik^2, 1e-6)), d_ik the distance of row i to the farthest of its neighbors.

    Departs from Zelnik-Manor & Perona 2004 by one scale, of the row that chose, in place of two.
    """
    squared = edges.squared_distances()
    counts = np.diff(squared.indptr)
    farthest = np.full(len(counts), SMALLEST_SCALE, squared.dtype)
    filled = counts > 0
    starts = squared.indptr[:-1][filled]
    if len(starts):
        farthest[filled] = np.maximum(np.maximum.reduceat(squared.data, starts), farthest[filled])
    weights = np.exp(squared.data * squared.dtype.type(-sharpness) / np.repeat(farthest, counts))
    return sparse.csr_array((weights, squared.indices, squared.indptr), shape=squared.shape)


def given_weights(edges: Edges) -> sparse.csr_array:
    """Weights that a user or a kernel gave, as they are. Raises DataError naming a row with a negative one."""
    weights = edges.values
    negative = first_row(weights, weights.data < 0)
    if negative is not None:
        raise DataError(
            f"row {negative[0]} of the graph holds the negative weight {negative[1]:g}; weights are at least 0. Clip "
            f"similarities first, for example graph.data.clip(0, out=graph.data)."
        )
    return weights


@dataclass(eq=False, repr=False, kw_only=True)
class KernelPropagator(GraphPropagator):
    """A propagator on the symmetric graph of self-tuned weights, or on a graph of weights as given.

    Parameters
    ----------
    sharpness : of the weights exp(-sharpness d_ij^2 / d_ik^2) to the k nearest neighbors, d_ik the distance to the
        k-th, the larger of both directions; 0 makes all weights 1. Higher values follow thin classes more closely.
    max_iter, tol : conjugate-gradient steps and relative residual.
    preconditioner : "cells": rows are grouped along the graph, and what is smooth over the groups is solved for
        directly, so that few steps are left; None: no such thing; "auto": cells from 5,000 rows on.
    metric : "euclidean", or "cosine", whose d^2 is 2 - 2 cos; "precomputed" takes a graph of weights,
        "precomputed_distances" distances.
    volume : None, "seeds" (class shares of the seeds, each plus one) or wanted shares (C,) of unlabeled rows.
    """

    sharpness: Finite = 4.0
    max_iter: Count = 1000
    tol: NotNegative = 1e-6
    preconditioner: Precondition = "auto"
    metric: Literal["euclidean", "cosine", "precomputed", "precomputed_distances"] = "euclidean"  # type: ignore[assignment]
    volume: Literal["seeds"] | Shares | None = None

    graph_parameters: ClassVar[tuple[str, ...]] = (*GraphPropagator.graph_parameters, "sharpness")

    def weigh(self, edges: Edges) -> sparse.csr_array:
        return given_weights(edges) if edges.measure == "weight" else self_tuned(edges, self.sharpness)

    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        if self._weights_given and weights.nnz:
            gap = abs(weights - weights.T).max()
            if gap > SYMMETRIC * weights.data.max():
                warnings.warn(
                    f"the graph of given weights is not symmetric (two directions of an edge differ by up to "
                    f"{gap:.3g}); the larger of both weights is taken.",
                    UserWarning,
                    stacklevel=2,
                )
        return AffinityGraph.from_scipy(weights.maximum(weights.T.tocsr()).tocsr())

    def check_seeds(self, seeds: Seeds) -> None:
        check_volume(self.volume, seeds)

    @property
    def _weights_given(self) -> bool:
        """Whether weights come from the user, who may not know that they should be symmetric."""
        return self.metric == "precomputed"


class KernelName:
    """scikit-learn's `kernel`."""

    def problem(self, value: Any) -> str | None:
        known = callable(value) or (isinstance(value, str) and value in ("knn", "rbf"))
        return None if known else "'knn', 'rbf', or a function of two arrays of rows that gives their weights"


class JobCount:
    """scikit-learn's `n_jobs`."""

    def problem(self, value: Any) -> str | None:
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        return None if whole and value != 0 else "a whole number other than 0"


@dataclass(eq=False, repr=False, kw_only=True)
class DropInPropagator(KernelPropagator):
    """A propagator with scikit-learn's parameters and its choice of kernels.

    Parameters
    ----------
    kernel : "knn": the weights of `sharpness` to the k nearest neighbors; "rbf": exp(-gamma |x - x'|^2) between all
        rows of X as given, whatever `metric` says, up to 20,000 rows; or a function, called with (X, X) in `fit` and
        with (X, X_new) in `predict`, which gives the weights (n, n) and (n, m) as an array or SciPy CSR. They are
        taken as they are: at least 0, the larger of both directions, the diagonal without effect. Given graphs
        (`metric="precomputed"`) need no kernel; "rbf" applies to given distances.
    gamma : of the rbf kernel.
    max_iter, tol : in scikit-learn they count rounds of another iteration and bound the sum of absolute changes: 1e-3
        there is a looser demand here.
    n_jobs : torch threads during `fit`, counted as joblib does (-1: all cores); None leaves them as they are.
    """

    kernel: Annotated[Literal["knn", "rbf"] | own_kernel.Kernel, KernelName()] = field(default="knn", kw_only=False)
    gamma: Finite = 20.0
    n_jobs: Annotated[int, JobCount()] | None = None

    graph_parameters: ClassVar[tuple[str, ...]] = (*KernelPropagator.graph_parameters, "kernel", "gamma")

    def spread(self, given: Any, seeds: Seeds) -> Propagation:
        if self._all_pairs:
            rbf_kernel.check_room(int(given.shape[0]), 8 if given.dtype in (np.float64, torch.float64) else 4)
        if not isinstance(given, Edges):
            self.X_ = given
        with threads(thread_count(self.n_jobs)):
            return super().spread(given, seeds)

    def weigh(self, edges: Edges) -> sparse.csr_array:
        if self.kernel != "rbf" or edges.measure == "weight":
            return super().weigh(edges)
        weights = edges.squared_distances().copy()  # distances as given: the kernel of the stored ones
        weights.data = np.exp(-self.gamma * weights.data)
        return weights

    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        return AffinityGraph.from_scipy(weights) if self._all_pairs else super().build_graph(weights)

    @property
    def _row_metric(self) -> str:
        return "euclidean" if self._all_pairs else super()._row_metric

    @property
    def _all_pairs(self) -> bool:
        return self.kernel == "rbf" and self.metric not in PRECOMPUTED

    @property
    def _weights_given(self) -> bool:
        return callable(self.kernel) or super()._weights_given

    def _weights(self, queries: Any) -> Iterator[sparse.csr_array]:
        if callable(self.kernel):
            weights = own_kernel.to_fitted(self.kernel, self.X_, self.X_ if queries is None else queries)
            weights = own_kernel.without_diagonal(weights) if queries is None else weights
            yield given_weights(Edges(weights, "weight"))
        elif not self._all_pairs:
            yield from super()._weights(queries)
        elif queries is None:
            assert self._rows is not None
            self.recall_ = 1.0
            yield rbf_kernel.all_pairs(self._rows, self.gamma)
        else:
            assert self._rows is not None
            yield from rbf_kernel.to_rows(as_queries(queries, self._rows), self._rows, self.gamma)


def thread_count(n_jobs: int | None) -> int | None:
    """How many threads joblib means by a number of jobs (-1: all cores)."""
    return n_jobs if n_jobs is None or n_jobs > 0 else max(1, usable_cores() + 1 + n_jobs)
