"""What an embedding and its labels look like from outside, with the truth: the analyses of the two papers.

Vectors have unit length. Codes are class numbers, negative where unknown. Shapes: N examples, C classes, D
dimensions.
"""

from __future__ import annotations

import numpy as np

N_DENSITY, TEMPERATURE = 25, 0.07  # of Local Label Propagation
QUERIES = 2000  # rows whose nearest neighbor is looked up, at most


def aggregation(vectors_ND: np.ndarray, codes_N: np.ndarray, n_classes: int) -> np.ndarray:
    """A_j = ||mean of the vectors of class j||, (C,): 1 where all are equal, 1 / sqrt(n) for n random directions.

    NaN where the truth knows no row of the class.
    """
    known_N = codes_N >= 0
    counts_C = np.bincount(codes_N[known_N], minlength=n_classes)[:n_classes]
    sums_CD = np.zeros((n_classes, vectors_ND.shape[1]))
    np.add.at(sums_CD, codes_N[known_N], vectors_ND[known_N])
    lengths_C = np.linalg.norm(sums_CD, axis=1)
    return np.where(counts_C > 0, lengths_C / np.maximum(counts_C, 1), np.nan)


def class_density(
    vectors_ND: np.ndarray,
    given_N: np.ndarray,
    n_classes: int,
    n_density: int = N_DENSITY,
    temperature: float = TEMPERATURE,
) -> np.ndarray:
    """D_j, the mean over labeled rows i of class j of the sum of exp(v_i . v / temperature) over its T nearest
    unlabeled v, (C,); NaN for a class without labels.
    """
    labeled_L, open_U = np.flatnonzero(given_N >= 0), np.flatnonzero(given_N < 0)
    cosines_LU = vectors_ND[labeled_L] @ vectors_ND[open_U].T
    kept = min(n_density, cosines_LU.shape[1])
    nearest_LT = -np.partition(-cosines_LU, kept - 1, axis=1)[:, :kept] if kept else cosines_LU
    density_L = np.exp(nearest_LT.astype(np.float64) / temperature).sum(axis=1)
    counts_C = np.bincount(given_N[labeled_L], minlength=n_classes)
    sums_C = np.bincount(given_N[labeled_L], density_L, minlength=n_classes)
    return np.where(counts_C > 0, sums_C / np.maximum(counts_C, 1), np.nan)


def assigned(labels_N: np.ndarray, given_N: np.ndarray, n_classes: int) -> np.ndarray:
    """Q_j, how many unlabeled rows have pseudo-label j, (C,)."""
    open_N = (given_N < 0) & (labels_N >= 0)
    return np.bincount(labels_N[open_N], minlength=n_classes)


def pearson(a: np.ndarray, b: np.ndarray) -> float | None:
    """Pearson's r over the places where both are finite; None for fewer than three or without variance."""
    both = np.isfinite(a) & np.isfinite(b)
    a, b = a[both].astype(np.float64), b[both].astype(np.float64)
    if len(a) < 3 or a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def nearest_neighbor_accuracy(vectors_ND: np.ndarray, codes_N: np.ndarray, seed: int = 0) -> float | None:
    """Share of rows (a sample of at most 2,000) whose nearest other row with a known truth has the same truth."""
    known_K = np.flatnonzero(codes_N >= 0)
    if len(known_K) < 2:
        return None
    asked_Q = np.random.default_rng(seed).permutation(len(known_K))[:QUERIES]
    cosines_QK = vectors_ND[known_K[asked_Q]] @ vectors_ND[known_K].T
    cosines_QK[np.arange(len(asked_Q)), asked_Q] = -np.inf
    return float((codes_N[known_K[cosines_QK.argmax(axis=1)]] == codes_N[known_K[asked_Q]]).mean())


def certainty_histogram(
    certainty_N: np.ndarray, labels_N: np.ndarray, codes_N: np.ndarray, bins: int = 20
) -> tuple[np.ndarray, np.ndarray]:
    """How many pseudo-labels of a known truth are right and how many wrong, by certainty in equal bins of [0, 1]."""
    known_N = (codes_N != -1) & (labels_N >= 0)
    right_N = known_N & (labels_N == codes_N)
    edges = np.linspace(0, 1, bins + 1)
    return np.histogram(certainty_N[right_N], edges)[0], np.histogram(certainty_N[known_N & ~right_N], edges)[0]
