"""Two coordinates for every example of the map, and the name of how they were found."""

from __future__ import annotations

import math

import numpy as np

TSNE_ROWS = 3_000  # one thread needs about 5 s
TSNE_STEPS = 500  # half of scikit-learn's, in half the time
ANGLE = 0.8  # of Barnes-Hut: a quarter quicker than at 0.5, and as many neighbors stay neighbors
PERPLEXITY = 30.0  # scikit-learn's default
PREPARED_DIMENSIONS = 50  # as scikit-learn's guide to t-SNE advises
NEAREST = 5  # landmarks that place a row
FEW = 5  # fewer rows have no neighborhoods to keep


def project(vectors_ND: np.ndarray, seed: int = 0) -> tuple[np.ndarray, str]:
    """(N, 2) float32 and the projection's name, for the note under the map. Same input and seed, same answer.

    t-SNE (van der Maaten & Hinton 2008, started from PCA) for up to 3,000 rows. Of more rows, 3,000 drawn at
    random are laid out by it and each other row is put at the weighted mean of its 5 nearest among those.
    Fewer than 5 rows, or rows that are all alike, are laid out by PCA.
    """
    n = len(vectors_ND)
    vectors_ND = np.asarray(vectors_ND, dtype=np.float32).reshape(n, math.prod(vectors_ND.shape[1:]))
    largest = float(np.abs(vectors_ND).max(initial=0))
    reduced_ND = _principal(vectors_ND / np.float32(largest or 1), PREPARED_DIMENSIONS, seed)  # no square overflows
    if n < FEW or not np.ptp(reduced_ND, axis=0).any():
        return _two_columns(reduced_ND), "PCA"
    if n <= TSNE_ROWS:
        return _tsne(reduced_ND, seed), "t-SNE"
    landmarks_M = np.sort(np.random.default_rng(seed).choice(n, TSNE_ROWS, replace=False))
    places_M2 = _tsne(reduced_ND[landmarks_M], seed)
    places_N2 = _place(reduced_ND, reduced_ND[landmarks_M], places_M2)
    places_N2[landmarks_M] = places_M2
    return places_N2, f"t-SNE (of {TSNE_ROWS:,}; the others lie among their nearest)"


def principal_plane(vectors_ND: np.ndarray) -> np.ndarray:
    """(N, 2) the two leading principal components; zeros where there are fewer."""
    return _two_columns(_principal(vectors_ND, 2, 0))


def _principal(vectors_ND: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Up to `most` leading principal components: t-SNE is as good on them and much quicker."""
    from sklearn.decomposition import PCA

    n, d = vectors_ND.shape
    if n < 2:
        return np.zeros_like(vectors_ND)
    centered_ND: np.ndarray = vectors_ND - vectors_ND.mean(0)
    kept = min(most, n - 1, d)
    if d < 2 or not centered_ND.any():
        return centered_ND[:, :kept]
    # An exact decomposition is quick where one side is short; of large matrices the leading part is sought alone.
    solver = "full" if min(n, d) <= 2 * PREPARED_DIMENSIONS else "randomized"
    reduced_ND: np.ndarray = PCA(kept, svd_solver=solver, random_state=seed).fit_transform(centered_ND)
    return reduced_ND


def _two_columns(reduced_ND: np.ndarray) -> np.ndarray:
    places_N2 = np.zeros((len(reduced_ND), 2), dtype=reduced_ND.dtype)
    d = min(2, reduced_ND.shape[1])
    places_N2[:, :d] = reduced_ND[:, :d]
    return places_N2


def _tsne(vectors_ND: np.ndarray, seed: int) -> np.ndarray:
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n, d = vectors_ND.shape
    tsne = TSNE(
        2,
        perplexity=min(PERPLEXITY, (n - 1) / 3),
        init="pca" if d >= 2 else "random",
        max_iter=TSNE_STEPS,
        angle=ANGLE,
        random_state=seed,
    )
    # On a busy machine two threads wait for each other and take five times as long as one.
    with threadpool_limits(1):
        return np.asarray(tsne.fit_transform(vectors_ND), dtype=np.float32)


def _place(vectors_ND: np.ndarray, landmarks_MD: np.ndarray, places_M2: np.ndarray) -> np.ndarray:
    """Weighted mean of the nearest landmarks' places; weight 1 / squared distance."""
    from sklearn.neighbors import KNeighborsRegressor

    def weights(distances_NK: np.ndarray) -> np.ndarray:
        found_NK: np.ndarray = 1 / np.maximum(np.square(distances_NK), 1e-6)
        return found_NK

    nearest = KNeighborsRegressor(NEAREST, weights=weights, algorithm="brute").fit(landmarks_MD, places_M2)
    return np.asarray(nearest.predict(vectors_ND), dtype=np.float32)
