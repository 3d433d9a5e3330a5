"""Metric multidimensional scaling to the plane: places whose distances are as near as can be to those given.

Shapes: N examples, D dimensions.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from labelprop.report.draw.projection import principal_plane

STEPS = 300
TOLERANCE = 1e-5  # of the normalized stress; a tenth of it moves no dot by a pixel and takes twice as long


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Centered places in the units of the distances, and Kruskal's stress: 0 where they keep every distance."""

    places_N2: np.ndarray
    stress: float


def lay_out(vectors_ND: np.ndarray) -> Layout:
    """SMACOF (de Leeuw 1977) on Euclidean distances, started from the leading principal components.

    Those are the classical scaling (Torgerson 1952) of Euclidean distances. Same input, same answer. Fewer than two
    rows, or rows that are all alike, lie in the middle.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.manifold import smacof
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectors_ND = np.asarray(vectors_ND, dtype=np.float64)
    if len(vectors_ND) < 2 or not np.ptp(vectors_ND, axis=0).any():
        return Layout(np.zeros((len(vectors_ND), 2)), 0.0)
    with threadpool_limits(1), warnings.catch_warnings():  # the last digits must not depend on the number of threads
        warnings.simplefilter("ignore", FutureWarning)  # defaults that change between versions are all given here
        places_N2, stress = smacof(
            squareform(pdist(vectors_ND)),
            n_components=2,
            init=principal_plane(vectors_ND),
            n_init=1,
            max_iter=STEPS,
            eps=TOLERANCE,
            normalized_stress=True,
        )
    return Layout(places_N2 - places_N2.mean(0), float(stress))


def aligned(places_N2: np.ndarray, onto_N2: np.ndarray) -> np.ndarray:
    """Centered places turned and mirrored, not scaled, to lie nearest to `onto_N2`."""
    from scipy.linalg import orthogonal_procrustes

    centered_N2 = places_N2 - places_N2.mean(0)
    turned_N2: np.ndarray = centered_N2 @ orthogonal_procrustes(centered_N2, onto_N2 - onto_N2.mean(0))[0]
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
