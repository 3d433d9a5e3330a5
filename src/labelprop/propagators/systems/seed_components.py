"""Connected components of a graph by the seeds they hold: none, of one class, or of several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from labelprop.core.types import UNLABELED
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds

MEAN_COLUMNS = 32  # converted to float64 at once


@dataclass(frozen=True, slots=True, eq=False)
class SeedComponents:
    """The classes of the seeds in each row's component. A *mixed* component holds seeds of several classes."""

    component_N: torch.Tensor  # int64
    single_N: torch.Tensor  # int64; the one class of all seeds of the component; -1 where none or several
    mixed_N: torch.Tensor  # int64; number of the mixed component, 0..G-1; -1 elsewhere
    shares_GC: torch.Tensor  # float64; mean of the seeds' rows of each mixed component, by weight (ybar)

    @classmethod
    def of(cls, component_N: torch.Tensor, seeds: Seeds) -> SeedComponents:
        """Sorts components, given by their number (N,). The label of a soft seed is its largest entry."""
        part_N, labels_N = component_N.cpu().numpy(), seeds.labels_N.cpu().numpy()
        rows_L = np.flatnonzero(labels_N >= 0)
        n_parts = int(part_N.max()) + 1
        lowest, highest = np.full(n_parts, seeds.n_classes), np.full(n_parts, UNLABELED)
        np.minimum.at(lowest, part_N[rows_L], labels_N[rows_L])
        np.maximum.at(highest, part_N[rows_L], labels_N[rows_L])
        single = np.where(lowest == highest, highest, UNLABELED)
        mixed = np.full(n_parts, UNLABELED)
        several = np.flatnonzero(lowest < highest)
        mixed[several] = np.arange(len(several))
        shares_GC = _shares(seeds, rows_L, mixed[part_N[rows_L]], len(several))
        found = (component_N, torch.from_numpy(single[part_N]), torch.from_numpy(mixed[part_N]), shares_GC)
        return cls(*(part.to(component_N.device) for part in found))

    def seedless(self, classes_B: Sequence[int]) -> torch.Tensor | None:
        """Which of these classes have no seed in the mixed component of a row, (N, B); None where all have."""
        empty_GB = self.shares_GC[:, list(classes_B)] <= 0
        return self.spread(empty_GB) if bool(empty_GB.any()) else None

    def spread(self, values_GB: torch.Tensor) -> torch.Tensor:
        """Values of the mixed components (G, B), repeated for their rows (N, B); 0 or False in other rows."""
        spread_NB = values_GB.new_zeros(len(self.mixed_N), values_GB.shape[1])
        rows = (self.mixed_N >= 0).nonzero().squeeze(1)
        spread_NB[rows] = values_GB[self.mixed_N[rows]]
        return spread_NB

    def means(self, values_NB: torch.Tensor, open_N: torch.Tensor) -> torch.Tensor:
        """Column means over the rows `open_N` (N,) bool of each mixed component (G, B), float64; 0 where none is."""
        rows = (open_N & (self.mixed_N >= 0)).nonzero().squeeze(1).cpu().numpy()
        place = self.mixed_N.cpu().numpy()[rows]
        counts_G = np.bincount(place, minlength=len(self.shares_GC))
        shape = (len(counts_G), len(values_NB))
        averaging = AffinityGraph.from_scipy(
            sparse.csr_array((1 / counts_G[place], (place, rows)), shape=shape), values_NB.device
        )
        starts = range(0, values_NB.shape[1], MEAN_COLUMNS)
        means = [averaging.matmul(values_NB[:, start : start + MEAN_COLUMNS].double()) for start in starts]
        return torch.cat(means, dim=1)

    def write_single(self, target_NB: torch.Tensor, classes_B: Sequence[int]) -> None:
        """Makes rows of components whose seeds share one class one-hot, in these ascending columns."""
        rows = (self.single_N >= 0).nonzero().squeeze(1)
        target_NB[rows] = 0
        chosen_B = torch.as_tensor(list(classes_B), device=rows.device)
        place = torch.searchsorted(chosen_B, self.single_N[rows]).clamp_max(len(chosen_B) - 1)
        here = chosen_B[place] == self.single_N[rows]
        target_NB[rows[here], place[here]] = 1


def _shares(seeds: Seeds, rows_L: np.ndarray, place_L: np.ndarray, n_mixed: int) -> torch.Tensor:
    """Mean row of Y of the seeds of each mixed component (G, C), by weight."""
    kept = place_L >= 0
    rows_L, place_L = rows_L[kept], place_L[kept]
    weights_L = seeds.weights_N.cpu().numpy()[rows_L]
    total_G = np.bincount(place_L, weights_L, minlength=n_mixed)
    sums_GL = sparse.csr_array((weights_L, (place_L, np.arange(len(rows_L)))), shape=(n_mixed, len(rows_L)))
    if seeds.soft_NC is not None:
        sums_GC = sums_GL @ seeds.soft_NC.cpu().numpy()[rows_L]
    else:
        cells = (weights_L, (place_L, seeds.labels_N.cpu().numpy()[rows_L]))
        sums_GC = sparse.coo_array(cells, shape=(n_mixed, seeds.n_classes)).toarray()
    return torch.from_numpy(sums_GC / total_G[:, None])
