"""Groups inside one class: k-means on unit vectors, with as many groups as separate best.

Shapes: S examples, D dimensions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

MOST = 6  # groups tried
ROWS_A_GROUP = 10  # at least, on average: smaller groups are single examples rather than kinds
STARTS = 5  # of k-means; the best of them counts


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

    Groups have ten rows on average or more. None for fewer than 20 rows, or fewer distinct ones than groups.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    vectors_SD = np.asarray(vectors_SD, dtype=np.float64)
    most = min(MOST, len(vectors_SD) // ROWS_A_GROUP)
    if most < 2 or len(np.unique(vectors_SD, axis=0)) < most:
        return None
    best: tuple[float, KMeans] | None = None
    with threadpool_limits(1):  # the last digits must not depend on the number of threads
        for k in range(2, most + 1):
            found = KMeans(k, n_init=STARTS, random_state=seed).fit(vectors_SD)
            silhouette = float(silhouette_score(vectors_SD, found.labels_))
            if best is None or silhouette > best[0]:
                best = silhouette, found
    if best is None:
        return None
    silhouette, found = best
    order_G = np.argsort(-np.bincount(found.labels_), kind="stable")
    distances_S = np.linalg.norm(vectors_SD - found.cluster_centers_[found.labels_], axis=1)
    return Subgroups(np.argsort(order_G)[found.labels_], silhouette, np.argsort(distances_S, kind="stable"))
