"""The coarse space of linear systems on a graph: functions that are smooth inside each of its cells."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import torch
from scipy import sparse

from labelprop.functional.deflate import Deflation, coarse_inverse
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.cells import Cells

# Cells: CELLS n^0.4 c^0.3 for n rows and c columns balances the g^3 operations of the dense system with the steps of
# all columns, which fall as (n / g)^0.4; at least so many rows a cell.
CELLS, ROWS_POWER, COLUMNS_POWER, ROWS_A_CELL = 3.0, 0.4, 0.3, 10
MOST_CELLS = 4000  # the dense system has 128 MB then


@dataclass(frozen=True, slots=True, eq=False)
class CoarseSpace:
    """V (R, G) of the cells of a graph with S V and V^T S V, S its normalized weights in the rows R."""

    cell_R: torch.Tensor  # int64
    entry_R: torch.Tensor  # of V, float64; 0 in rows of no cell
    volume_G: torch.Tensor  # sum of D, float64
    small_GG: torch.Tensor  # V^T S V, float64
    merged: AffinityGraph  # S V (R, G)
    both_t: AffinityGraph  # the transposes of S V and V, row by row in turn (2 G, R): threads share them out evenly
    _inverses: dict[tuple[float, float, torch.dtype], torch.Tensor | None] = field(default_factory=dict)

    @classmethod
    def of(cls, normalized: AffinityGraph, degree_R: torch.Tensor, n_columns: int) -> CoarseSpace:
        """From S and the degrees, with as many cells as pay for so many right sides."""
        most = int(CELLS * normalized.n**ROWS_POWER * n_columns**COLUMNS_POWER)
        n_cells = max(1, min(normalized.n // ROWS_A_CELL, most, MOST_CELLS))
        cells = Cells.grown(normalized, degree_R.double().cpu().numpy(), n_cells)
        merged, small = _merged(normalized.to_scipy(), cells)
        parts = (cells.cell_N, cells.entry_N, cells.volume_G, small)
        cell_R, entry_R, volume_G, small_GG = (torch.from_numpy(part).to(normalized.device) for part in parts)
        graphs = _both_ways(merged, cells.matrix(merged.dtype), normalized.device)
        return cls(cell_R, entry_R, volume_G, small_GG, *graphs)

    def order(self) -> torch.Tensor:
        """The rows (R,), those of one cell after those of the other, and neighboring cells near each other."""
        cells = sparse.csr_matrix(self.small_GG.cpu().numpy())
        rank_G = torch.from_numpy(np.argsort(sparse.csgraph.reverse_cuthill_mckee(cells, symmetric_mode=True)))
        return rank_G.to(self.cell_R.device)[self.cell_R].argsort(stable=True)

    def take(self, order_R: torch.Tensor) -> CoarseSpace:
        """The same with the rows in another order."""
        merged, order = self.merged.to_scipy()[order_R.cpu().numpy()], order_R.to(self.cell_R.device)
        cell_R, entry_R = self.cell_R[order], self.entry_R[order]
        cells = Cells(cell_R.cpu().numpy(), entry_R.cpu().numpy(), self.volume_G.cpu().numpy())
        graphs = _both_ways(merged, cells.matrix(merged.dtype), self.cell_R.device)
        return replace(self, cell_R=cell_R, entry_R=entry_R, merged=graphs[0], both_t=graphs[1])

    def deflation(
        self, dtype: torch.dtype, factor: float, diagonal: float, component_R: torch.Tensor | None = None
    ) -> Deflation | None:
        """Of A = diagonal I - factor S in this type; None where its coarse system is singular to rounding.

        With `component_R` the null vectors are D^1/2 in each of these components.
        """
        key = (factor, diagonal, dtype)
        if key not in self._inverses:
            coarse_GG = self.small_GG * -factor
            coarse_GG.diagonal().add_(diagonal)
            if component_R is not None:
                coarse_GG += self._null_squares(component_R)
            self._inverses[key] = coarse_inverse(coarse_GG, dtype)
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


def _both_ways(
    merged: sparse.csr_array, cells_RG: sparse.csr_array, device: torch.device
) -> tuple[AffinityGraph, AffinityGraph]:
    """S V, and the transposes of S V and V, row by row in turn."""
    n_cells = merged.shape[1]
    both_t = sparse.vstack([merged.T.tocsr(), cells_RG.T.tocsr()], format="csr")
    in_turn = both_t[np.arange(2 * n_cells).reshape(2, n_cells).T.ravel()]
    return AffinityGraph.from_scipy(merged, device), AffinityGraph.from_scipy(in_turn, device)


def _merged(weights: sparse.csr_array, cells: Cells) -> tuple[sparse.csr_array, np.ndarray]:
    """S V (R, G) in the type of S; V^T S V (G, G) in float64: small eigenvalues are differences of its entries."""
    n_cells, start, parts = len(cells.volume_G), 0, []
    small = np.zeros(n_cells * n_cells)
    for block in cells.merged(weights, np.arange(weights.shape[0]), np.float64):
        row_E = np.repeat(np.arange(start, start + block.shape[0]), np.diff(block.indptr))
        place_E = cells.cell_N[row_E] * n_cells + block.indices
        small += np.bincount(place_E, block.data * cells.entry_N[row_E], len(small))
        parts.append(block.astype(weights.dtype))
        start += block.shape[0]
    small_GG = small.reshape(n_cells, n_cells)
    return sparse.vstack(parts, format="csr"), (small_GG + small_GG.T) / 2
