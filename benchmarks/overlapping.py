"""Clustered vectors for timing propagation: classes that overlap, and classes of many fine clusters set apart."""

from __future__ import annotations

import itertools

import numpy as np

BLOCK = 1 << 16
RANK, AMBIENT = 16, 0.1
FINE_SIZE, FINE_SPREAD, FINE_AMBIENT = 200, 0.4, 0.03


def noise(n_classes: int) -> float:
    """Spread that keeps 1-NN accuracy between 0.80 and 0.95 from 10 to 1,000 classes: more centers are nearer."""
    return 0.8 - 0.2 * max(0.0, np.log10(n_classes) - 2)


def overlapping_clusters(n: int, n_classes: int, dim: int = 128, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Float32 vectors (n, dim) near a 16-dimensional subspace, Gaussian around class centers, and classes (n,)."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    centers = rng.normal(size=(n_classes, RANK)).astype(np.float32)
    frame = (rng.normal(size=(RANK, dim)) / RANK**0.5).astype(np.float32)
    vectors, spread = np.empty((n, dim), np.float32), np.float32(noise(n_classes))
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        inner = centers[truth[start:stop]] + spread * rng.standard_normal((stop - start, RANK), dtype=np.float32)
        vectors[start:stop] = inner @ frame + AMBIENT * rng.standard_normal((stop - start, dim), dtype=np.float32)
    return vectors, truth


def fine_clusters(n: int, n_classes: int, dim: int = 128, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """As `overlapping_clusters`, but each class is several clusters of about 200 vectors that hardly touch others."""
    rng = np.random.default_rng(seed)
    n_clusters = n_classes * max(1, n // (FINE_SIZE * n_classes))
    cluster = rng.integers(n_clusters, size=n)
    centers = rng.normal(size=(n_clusters, RANK)).astype(np.float32)
    frame = (rng.normal(size=(RANK, dim)) / RANK**0.5).astype(np.float32)
    vectors = np.empty((n, dim), np.float32)
    for start in range(0, n, BLOCK):
        stop = min(start + BLOCK, n)
        noise_BR = np.float32(FINE_SPREAD) * rng.standard_normal((stop - start, RANK), dtype=np.float32)
        vectors[start:stop] = (centers[cluster[start:stop]] + noise_BR) @ frame
        vectors[start:stop] += FINE_AMBIENT * rng.standard_normal((stop - start, dim), dtype=np.float32)
    return vectors, cluster % n_classes


def draw_seeds(truth: np.ndarray, per_class: int, seed: int = 0) -> np.ndarray:
    """y (n,): the class of `per_class` rows of every class drawn at random, -1 elsewhere."""
    rng = np.random.default_rng(seed)
    y = np.full(len(truth), -1)
    order = np.argsort(truth, kind="stable")
    bounds = np.searchsorted(truth[order], np.arange(truth.max() + 2))
    for start, stop in itertools.pairwise(bounds):
        chosen = rng.choice(order[start:stop], min(per_class, stop - start), replace=False)
        y[chosen] = truth[chosen]
    return y


def nearest_neighbor_accuracy(vectors: np.ndarray, truth: np.ndarray, sample: int = 1000) -> float:
    """Share of a sample whose nearest neighbor is of their class."""
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = np.random.default_rng(1).choice(len(truth), sample, replace=False)
    best, found = np.full(sample, -np.inf, np.float32), np.zeros(sample, np.int64)
    for start in range(0, len(truth), BLOCK):
        products = unit[rows] @ unit[start : start + BLOCK].T
        inside = (rows >= start) & (rows < start + BLOCK)
        products[np.flatnonzero(inside), rows[inside] - start] = -np.inf
        here = products.argmax(axis=1)
        better = products[np.arange(sample), here] > best
        best[better], found[better] = products[np.arange(sample), here][better], here[better] + start
    return float((truth[found] == truth[rows]).mean())
