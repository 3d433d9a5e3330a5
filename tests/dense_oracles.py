"""Propagation written from the equations, dense, in float64, one component at a time: what fast code must equal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse

from labelprop.core.types import Propagation
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds


def on_graph(kind: Any) -> Any:
    """What a propagator finds, as a function of a graph, seeds and its parameters; without its warnings."""

    def labels(graph: AffinityGraph, seeds: Seeds, **parameters: Any) -> Propagation:
        found: Propagation = kind(**parameters).on_graph(graph).propagate(graph, seeds)
        return found

    return labels


@dataclass(frozen=True)
class Problem:
    """A weighted graph, some labels and their weights; `soft` holds distributions instead of labels."""

    w: np.ndarray  # (n, n)
    y: np.ndarray  # (n,) -1 where unlabeled
    weight: np.ndarray  # (n,)
    n_classes: int
    soft: np.ndarray | None = None

    @property
    def graph(self) -> AffinityGraph:
        return AffinityGraph.from_scipy(sparse.csr_array(self.w))

    @property
    def seeds(self) -> Seeds:
        weights = torch.from_numpy(self.weight)
        if self.soft is not None:
            return Seeds.soft(torch.from_numpy(self.soft), weights)
        return Seeds.hard(torch.from_numpy(self.y), self.n_classes, weights)

    @property
    def rows(self) -> np.ndarray:
        """The right-hand side Y without weights."""
        if self.soft is not None:
            return self.soft
        return np.where(self.y[:, None] >= 0, np.eye(self.n_classes)[self.y], 0)

    @property
    def seeded(self) -> np.ndarray:
        return self.y >= 0


def random_problem(
    n: int, n_classes: int, seed: int, *, degree: float = 3, weighted: bool = False, soft: bool = False
) -> Problem:
    """A sparse random graph, often in several parts with isolated rows, and labels on about a fifth of the rows."""
    rng = np.random.default_rng(seed)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < degree / n), 1)
    w = w + w.T
    y = np.where(rng.random(n) < 0.2, rng.integers(n_classes, size=n), -1)
    y[rng.integers(n)] = 0
    weight = np.where(y >= 0, rng.random(n) + 0.1 if weighted else 1.0, 1.0)
    rows = None
    if soft:
        rows = np.where(y[:, None] >= 0, rng.dirichlet(np.ones(n_classes), size=n), 0)
        y = np.where(y >= 0, rows.argmax(axis=1), -1)
    return Problem(w, y, weight, n_classes, rows)


def parts(w: np.ndarray) -> list[np.ndarray]:
    """Rows of each connected component, by following edges."""
    left, found = set(range(len(w))), []
    while left:
        front = [min(left)]
        part = set(front)
        while front:
            near = set(np.flatnonzero(w[front].any(axis=0)).tolist()) - part
            part |= near
            front = sorted(near)
        found.append(np.array(sorted(part)))
        left -= part
    return found


def laplacian(w: np.ndarray) -> np.ndarray:
    return np.diag(w.sum(axis=1)) - w


def harmonic(w: np.ndarray, given: np.ndarray, seeded: np.ndarray) -> np.ndarray:
    """F = given on the seeds, (D - W) F = 0 elsewhere in their components, 0 in others."""
    f = np.where(seeded[:, None], given, 0.0)
    for part in parts(w):
        free, fixed = part[~seeded[part]], part[seeded[part]]
        if len(free) and len(fixed):
            system = laplacian(w)
            f[free] = np.linalg.solve(system[np.ix_(free, free)], w[np.ix_(free, fixed)] @ given[fixed])
    return f


def poisson(w: np.ndarray, b: np.ndarray, part: np.ndarray) -> np.ndarray:
    """The solution of (D - W) u = b on one component with sum_i d_i u_i = 0, by the pseudo-inverse."""
    inner = w[np.ix_(part, part)]
    u = np.linalg.pinv(laplacian(inner), rcond=1e-13, hermitian=True) @ b[part]
    degree = inner.sum(axis=1)
    return u - (degree @ u) / max(degree.sum(), 1e-300)


def reweighted(w: np.ndarray, seeded: np.ndarray) -> np.ndarray:
    """g_i g_j W_ij with (D - W) g = 1_seeds - its mean, g - min g + 1e-5, in each component."""
    g = np.zeros(len(w))
    for part in parts(w):
        source = np.zeros(len(w))
        source[part] = seeded[part] - seeded[part].mean()
        u = poisson(w, source, part)
        g[part] = u - u.min() + 1e-5
    return g[:, None] * w * g[None, :]


def self_tuned_graph(squared: np.ndarray, k: int, sharpness: float = 4.0) -> np.ndarray:
    """max(A, A^T), a_ij = exp(-sharpness d_ij^2 / max(d_ik^2, 1e-6)) for the k nearest j of i by squared distance."""
    squared = squared.copy()
    np.fill_diagonal(squared, np.inf)
    a = np.zeros_like(squared)
    for i, row in enumerate(squared):
        near = np.argsort(row, kind="stable")[: min(k, len(row) - 1)]
        a[i, near] = np.exp(-sharpness * row[near] / max(row[near].max(), 1e-6))
    return np.maximum(a, a.T)


def squared_distances(X: np.ndarray, metric: str) -> np.ndarray:
    if metric == "cosine":
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        return np.maximum(2 - 2 * unit @ unit.T, 0)
    return ((X[:, None] - X[None, :]) ** 2).sum(axis=2)


def blobs(n: int, n_classes: int, seed: int, dim: int = 6, noise: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    """Overlapping clusters and labels on about a fifth of the rows, at least one a class."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n_classes, dim))[truth] + noise * rng.normal(size=(n, dim))
    y = np.where(rng.random(n) < 0.2, truth, -1)
    y[:n_classes] = np.arange(n_classes)
    return X, y


def shares_of(scores: np.ndarray) -> np.ndarray:
    """Rows divided by their sums; uniform where that is 0."""
    total = scores.sum(axis=1, keepdims=True)
    return np.where(total > 0, scores / np.where(total > 0, total, 1), 1 / scores.shape[1])


def certainty_of(shares: np.ndarray) -> np.ndarray:
    """1 - H / log C."""
    if shares.shape[1] == 1:
        return np.ones(len(shares))
    entropy = -np.sum(shares * np.log(np.where(shares > 0, shares, 1)), axis=1)
    return 1 - entropy / np.log(shares.shape[1])


def labels_of(shares: np.ndarray, reached: np.ndarray, problem: Any) -> np.ndarray:
    """Argmax; seeds keep theirs, -1 where unreached."""
    return np.where(problem.seeded, problem.y, np.where(reached, shares.argmax(axis=1), -1))


def clear(shares: np.ndarray, margin: float = 1e-7) -> np.ndarray:
    """Rows whose first class leads the second: elsewhere rounding decides."""
    if shares.shape[1] == 1:
        return np.ones(len(shares), dtype=bool)
    ranked = np.sort(shares, axis=1)
    return ranked[:, -1] - ranked[:, -2] > margin
