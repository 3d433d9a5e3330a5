"""Analyses of an embedding and its labels against the truth, from the two papers.

Vectors have unit length. Codes are class numbers, negative where unknown. Shapes: N examples, C classes, D
dimensions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.sparse import csr_array

N_DENSITY, TEMPERATURE = 25, 0.07  # of Local Label Propagation
BINS = 20  # of certainty
QUERIES = 2_000  # rows whose nearest neighbor is looked up, at most: their share is that of all within about 2 points
LABELED = 10_000  # labeled rows whose density is measured, at most: monitoring must not slow the training
PRODUCTS = 1 << 24  # cosines held at once, 64 MB in float32


def aggregation(vectors_ND: np.ndarray, codes_N: np.ndarray, n_classes: int) -> np.ndarray:
    """A_j = ||mean of the vectors of class j||, (C,): 1 where all are equal, 1 / sqrt(n) for n random directions.

    NaN where no row has this class.
    """
    known_K = np.flatnonzero(codes_N >= 0)
    counts_C = np.bincount(codes_N[known_K], minlength=n_classes)
    of_class = csr_array((np.ones(len(known_K)), (codes_N[known_K], known_K)), shape=(n_classes, len(codes_N)))
    lengths_C = np.linalg.norm(of_class @ vectors_ND, axis=1)
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

    T and the temperature are the paper's, whatever a run was trained with, so that runs can be compared. Of more than
    10,000 labeled rows as many are looked at, evenly spaced within the classes.
    """
    labeled_L = _evenly(np.flatnonzero(given_N >= 0), given_N)
    open_UD = vectors_ND[given_N < 0]
    kept = min(n_density, len(open_UD))
    density_L = np.zeros(len(labeled_L))
    for part in _blocks(len(labeled_L), len(open_UD)):
        cosines_BU = vectors_ND[labeled_L[part]] @ open_UD.T
        nearest_BT = -np.partition(-cosines_BU, kept - 1, axis=1)[:, :kept] if kept else cosines_BU
        density_L[part] = np.exp(nearest_BT.astype(np.float64) / temperature).sum(axis=1)
    counts_C = np.bincount(given_N[labeled_L], minlength=n_classes)
    sums_C = np.bincount(given_N[labeled_L], density_L, minlength=n_classes)
    return np.where(counts_C > 0, sums_C / np.maximum(counts_C, 1), np.nan)


def _evenly(labeled_L: np.ndarray, given_N: np.ndarray) -> np.ndarray:
    """At most LABELED of these rows, sorted by class and then evenly spaced."""
    by_class_L = labeled_L[np.argsort(given_N[labeled_L], kind="stable")]
    return by_class_L[np.linspace(0, len(by_class_L) - 1, min(LABELED, len(by_class_L))).astype(np.int64)]


def _blocks(rows: int, columns: int) -> Iterator[slice]:
    """Parts of the rows so small that their products with the columns fit PRODUCTS."""
    step = max(1, PRODUCTS // max(1, columns))
    return (slice(start, start + step) for start in range(0, rows, step))


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
    known_KD, right = vectors_ND[known_K], 0
    for part in _blocks(len(asked_Q), len(known_K)):
        cosines_BK = known_KD[asked_Q[part]] @ known_KD.T
        cosines_BK[np.arange(len(cosines_BK)), asked_Q[part]] = -np.inf
        right += int((codes_N[known_K[cosines_BK.argmax(axis=1)]] == codes_N[known_K[asked_Q[part]]]).sum())
    return right / len(asked_Q)


def certainty_histogram(
    certainty_N: np.ndarray, labels_N: np.ndarray, codes_N: np.ndarray, bins: int = BINS
) -> tuple[np.ndarray, np.ndarray]:
    """How many pseudo-labels of a known truth are right and how many wrong, by certainty in equal bins of [0, 1]."""
    known_N = (codes_N != -1) & (labels_N >= 0)
    right_N = known_N & (labels_N == codes_N)
    edges = np.linspace(0, 1, bins + 1)
    return np.histogram(certainty_N[right_N], edges)[0], np.histogram(certainty_N[known_N & ~right_N], edges)[0]
