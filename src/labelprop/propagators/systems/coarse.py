"""The coarse space of linear systems on a graph: functions that are smooth inside each of its cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import sparse

from labelprop.functional.deflate import Deflation, coarse_inverse
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.cells import Cells

CELLS_A_ROOT, ROWS_A_CELL = 4.0, 10  # cells for each sqrt(N), and how many rows they have at least, on average


@dataclass(frozen=True, slots=True, eq=False)
class CoarseSpace:
    """V (R, G) of the cells with S V and V^T S V, S the normalized weights in the rows R."""

    cell_R: torch.Tensor  # int64
    entry_R: torch.Tensor  # of V, float64; 0 in rows of no cell
    volume_G: torch.Tensor  # sum of D, float64
    merged: AffinityGraph  # S V (R, G)
    both_t: AffinityGraph  # the transposes of S V and V, row by row in turn (2 G, R): threads share them out evenly
    small_GG: torch.Tensor  # V^T S V, float64
    _inverses: dict[tuple[float, float], torch.Tensor | None] = field(default_factory=dict)

    @classmethod
    def of(cls, normalized: AffinityGraph, cells: Cells) -> CoarseSpace:
        """From S and its cells."""
        device, n_cells = normalized.device, len(cells.volume_G)
        merged = sparse.vstack(list(cells.merged(normalized.to_scipy())), format="csr")
        both_t = sparse.vstack([merged.T.tocsr(), cells.matrix(merged.dtype).T.tocsr()], format="csr")
        return cls(
            torch.from_numpy(cells.cell_N).to(device),
            torch.from_numpy(cells.entry_N).to(device),
            torch.from_numpy(cells.volume_G).to(device),
            AffinityGraph.from_scipy(merged, device),
            AffinityGraph.from_scipy(both_t[np.arange(2 * n_cells).reshape(2, n_cells).T.ravel()], device),
            torch.from_numpy(_small(merged, cells)).to(device),
        )

    def deflation(
        self, dtype: torch.dtype, factor: float, diagonal: float, component_R: torch.Tensor | None = None
    ) -> Deflation | None:
        """Of A = diagonal I - factor S in this type; None where its coarse system is singular to rounding.

        With `component_R` the null vectors are D^1/2 in each of these components.
        """
        key = (factor, diagonal)
        if key not in self._inverses:
            coarse_GG = self.small_GG * -factor
            coarse_GG.diagonal().add_(diagonal)
            if component_R is not None:
                coarse_GG += self._null_squares(component_R)
            self._inverses[key] = coarse_inverse(coarse_GG, torch.float32)
        inverse_GG = self._inverses[key]
        if inverse_GG is None:
            return None
        merged, both_t = self.merged.astype(dtype).matmul, self.both_t.astype(dtype).matmul
        return Deflation(self.cell_R, self.entry_R.to(dtype), factor, diagonal, merged, both_t, inverse_GG)

    def _null_squares(self, component_R: torch.Tensor) -> torch.Tensor:
        """Y Y^T (G, G) for Y = V^T N, N the null vectors of length 1."""
        component_G = torch.zeros_like(self.volume_G, dtype=torch.int64)
        covered = (self.entry_R > 0).nonzero().squeeze(1)
        component_G[self.cell_R[covered]] = component_R[covered]
        total_K = torch.bincount(component_G, self.volume_G)
        share_G = (self.volume_G / total_K[component_G]).sqrt().nan_to_num_(0)
        return torch.outer(share_G, share_G).mul_(component_G[:, None] == component_G)


def coarse_cells(normalized: AffinityGraph, degree_R: torch.Tensor) -> Cells:
    """As many cells as pay: enough to leave few steps, few enough for the dense system to cost little."""
    n_cells = max(1, min(normalized.n // ROWS_A_CELL, int(CELLS_A_ROOT * normalized.n**0.5)))
    return Cells.grown(normalized, degree_R.double().cpu().numpy(), n_cells)


def _small(merged: sparse.csr_array, cells: Cells) -> np.ndarray:
    """V^T S V (G, G) from S V, summed up in float64."""
    n_cells = len(cells.volume_G)
    small, row_E = np.zeros(n_cells * n_cells), np.repeat(np.arange(merged.shape[0]), np.diff(merged.indptr))
    for start in range(0, len(row_E), len(small)):
        here = slice(start, start + len(small))
        place_B = cells.cell_N[row_E[here]] * n_cells + merged.indices[here]
        small += np.bincount(place_B, merged.data[here] * cells.entry_N[row_E[here]], len(small))
    small_GG = small.reshape(n_cells, n_cells)
    return np.asarray((small_GG + small_GG.T) / 2)
