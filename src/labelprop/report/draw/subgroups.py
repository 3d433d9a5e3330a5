"""Groups inside one class: k-means on unit vectors, with as many groups as separate best.

Shapes: S examples, D dimensions, G groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from labelprop.functional.kmeans import cosines, lloyd, nearest_center

MOST = 6  # groups tried
ROWS_A_GROUP = 10  # at least, on average
ROUNDS, STARTS = 30, 5


@dataclass(frozen=True, slots=True, eq=False)
class Subgroups:
    """Largest group first."""

    group_S: np.ndarray
    silhouette: float  # Rousseeuw 1987: 1 where groups lie far apart, 0 where they touch
    nearest_first_S: np.ndarray  # all rows, those nearest to the center of their group first

    def exemplar(self, group: int, allowed_S: np.ndarray) -> int:
        """The row nearest to the group's center, of those allowed (bool) as far as there is one."""
        inside_M = self.nearest_first_S[self.group_S[self.nearest_first_S] == group]
        allowed_M = inside_M[allowed_S[inside_M]]
        return int((allowed_M if len(allowed_M) else inside_M)[0])

    @property
    def sizes(self) -> list[int]:
        return np.bincount(self.group_S).tolist()  # type: ignore[no-any-return]


def find_subgroups(vectors_SD: np.ndarray, seed: int = 0) -> Subgroups | None:
    """The partition into two to six groups with the largest mean silhouette (ties: fewer groups).

    Groups have ten rows on average or more. None for fewer than 20 rows, or where all are alike.
    """
    from scipy.spatial.distance import pdist, squareform
    from sklearn.metrics import silhouette_score

    rows_SD = torch.from_numpy(np.ascontiguousarray(vectors_SD, dtype=np.float32))
    distances_SS = squareform(pdist(vectors_SD.astype(np.float64)))
    generator = torch.Generator().manual_seed(seed)
    best: tuple[float, torch.Tensor, torch.Tensor] | None = None
    for k in range(2, min(MOST, len(vectors_SD) // ROWS_A_GROUP) + 1):
        centers_GD, group_S = _tightest(rows_SD, k, generator)
        if not torch.bincount(group_S, minlength=k).all():
            continue
        silhouette = float(silhouette_score(distances_SS, group_S.numpy(), metric="precomputed"))
        if best is None or silhouette > best[0]:
            best = silhouette, centers_GD, group_S
    return None if best is None else _largest_first(rows_SD, *best)


def _tightest(rows_SD: torch.Tensor, k: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Of a few random starts the one whose rows lie nearest to their centers."""
    best = None
    for _ in range(STARTS):
        start_G = torch.randperm(len(rows_SD), generator=generator)[:k]
        centers_GD = lloyd(rows_SD, rows_SD[start_G], ROUNDS, cosines)
        closeness = float((rows_SD @ centers_GD.T).amax(1).sum())
        if best is None or closeness > best[0]:
            best = closeness, centers_GD
    assert best is not None, "there is at least one start"
    return best[1], nearest_center(rows_SD, best[1], cosines)


def _largest_first(
    rows_SD: torch.Tensor, silhouette: float, centers_GD: torch.Tensor, group_S: torch.Tensor
) -> Subgroups:
    order_G = torch.argsort(-torch.bincount(group_S), stable=True)
    place_G = torch.empty_like(order_G)
    place_G[order_G] = torch.arange(len(order_G))
    group_S, centers_GD = place_G[group_S], centers_GD[order_G]
    own_S = (rows_SD * centers_GD[group_S]).sum(1)
    return Subgroups(group_S.numpy(), silhouette, torch.argsort(-own_S, stable=True).numpy())
