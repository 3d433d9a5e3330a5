"""Metric multidimensional scaling to the plane: places whose distances are as near as can be to those given.

Shapes: N examples, D dimensions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

STEPS = 300
TOLERANCE = 1e-5  # of the normalized stress; a tenth of it moves no dot by a pixel and takes twice as long


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Centered places in the units of the distances, and Kruskal's stress: 0 where they keep every distance."""

    places_N2: np.ndarray
    stress: float


def lay_out(vectors_ND: np.ndarray) -> Layout:
    """SMACOF (de Leeuw 1977) on Euclidean distances, started from classical scaling (Torgerson 1952).

    Same input, same answer. Fewer than two rows, or rows that are all alike, lie in the middle.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import smacof
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    n = len(vectors_ND)
    if n < 2:
        return Layout(np.zeros((n, 2)), 0.0)
    distances_NN = squareform(pdist(np.asarray(vectors_ND, dtype=np.float64)))
    if not distances_NN.any():
        return Layout(np.zeros((n, 2)), 0.0)
    with threadpool_limits(1), warnings.catch_warnings():  # the last digits must not depend on the number of threads
        warnings.simplefilter("ignore", FutureWarning)  # defaults that change between versions are all given here
        places_N2, stress = smacof(
            distances_NN,
            n_components=2,
            init=classical(distances_NN),
            n_init=1,
            max_iter=STEPS,
            eps=TOLERANCE,
            normalized_stress=True,
        )
    return Layout(places_N2 - places_N2.mean(0), float(stress))


def classical(distances_NN: np.ndarray) -> np.ndarray:
    """The two leading axes of the doubly centered squares; each axis points to where it reaches farthest."""
    from scipy.linalg import eigh

    squares_NN = -0.5 * np.square(distances_NN)
    centered_NN = squares_NN - squares_NN.mean(0) - squares_NN.mean(1)[:, None] + squares_NN.mean()
    n = len(distances_NN)
    values_2, axes_N2 = eigh(centered_NN, subset_by_index=[n - 2, n - 1])
    axes_N2 = axes_N2[:, ::-1] * np.sqrt(np.maximum(values_2[::-1], 0))
    farthest_2 = axes_N2[np.abs(axes_N2).argmax(0), [0, 1]]
    found_N2: np.ndarray = axes_N2 * np.where(farthest_2 < 0, -1, 1)
    return found_N2


def aligned(places_N2: np.ndarray, onto_N2: np.ndarray) -> np.ndarray:
    """Centered places turned and mirrored, not scaled, to lie nearest to `onto_N2` (orthogonal Procrustes)."""
    centered_N2 = places_N2 - places_N2.mean(0)
    left_22, _, right_22 = np.linalg.svd(centered_N2.T @ (onto_N2 - onto_N2.mean(0)))
    turned_N2: np.ndarray = centered_N2 @ (left_22 @ right_22)
    return turned_N2


def lay_out_in_turn(vectors: Sequence[np.ndarray]) -> list[Layout]:
    """One layout a moment of the same rows, each turned onto the one before, so that they can be compared."""
    found: list[Layout] = []
    for vectors_ND in vectors:
        layout = lay_out(vectors_ND)
        if found:
            layout = Layout(aligned(layout.places_N2, found[-1].places_N2), layout.stress)
        found.append(layout)
    return found
