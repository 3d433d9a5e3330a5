"""The propagation of the released DLP code, moved from a GPU to the CPU and otherwise left as it is.

Exact inner-product search (faiss), column 0 dropped as the row itself, similarity cubed, SciPy's graph, and one
conjugate gradient a class of at most 20 steps.
"""

from __future__ import annotations

import time

import faiss
import numpy as np
from scipy import sparse
from scipy.sparse.linalg import cg

NEIGHBORS, POWER, ALPHA, STEPS = 50, 3, 0.99, 20


def reference_diffusion(vectors: np.ndarray, y: np.ndarray, n_classes: int) -> tuple[np.ndarray, dict[str, float]]:
    """Labels (n,) and the seconds of search, graph and solve."""
    started = time.perf_counter()
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    n = len(unit)
    index = faiss.IndexFlatIP(unit.shape[1])
    index.add(unit)
    similarities, indices = index.search(unit, NEIGHBORS + 1)
    searched = time.perf_counter()
    weights, columns = similarities[:, 1:] ** POWER, indices[:, 1:]
    rows = np.tile(np.arange(n), (NEIGHBORS, 1)).T
    graph = sparse.csr_matrix((weights.ravel(), (rows.ravel(), columns.ravel())), shape=(n, n))
    graph = graph + graph.T
    graph = graph - sparse.diags(graph.diagonal())
    degree = np.asarray(graph.sum(axis=1)).ravel()
    degree[degree == 0] = 1
    scale = sparse.diags(1 / np.sqrt(degree))
    system = sparse.eye(n) - ALPHA * (scale @ graph @ scale)
    built = time.perf_counter()
    solution = np.zeros((n, n_classes))
    for label in range(n_classes):
        members = np.flatnonzero(y == label)
        right = np.zeros(n)
        right[members] = 1 / len(members)
        solution[:, label], _ = cg(system, right, rtol=1e-6, maxiter=STEPS)
    labels = solution.clip(0).argmax(axis=1)
    labels[y >= 0] = y[y >= 0]
    done = time.perf_counter()
    return labels, {"search": searched - started, "graph": built - searched, "solve": done - built}
