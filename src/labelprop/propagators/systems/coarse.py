"""The coarse space of linear systems on a graph: functions that are smooth inside each of its cells."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from scipy import sparse

from labelprop.core.memory import give_back
from labelprop.functional.deflate import Deflation, coarse_inverse
from labelprop.functional.steps import Matmul, RowsOf
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
    small: sparse.csr_array  # V^T S V (G, G), float64
    along: AffinityGraph  # V^T (G, R)
    spread: AffinityGraph  # V and S V side by side (R, 2 G)
    _inverses: dict[tuple[float, float, torch.dtype], torch.Tensor | None] = field(default_factory=dict)

    @classmethod
    def of(cls, normalized: AffinityGraph, degree_R: torch.Tensor, n_columns: int) -> CoarseSpace:
        """From S and the degrees, with as many cells as pay for so many right sides."""
        most = int(CELLS * normalized.n**ROWS_POWER * n_columns**COLUMNS_POWER)
        n_cells = max(1, min(normalized.n // ROWS_A_CELL, most, MOST_CELLS))
        cells = Cells.grown(normalized, degree_R.double().cpu().numpy(), n_cells)
        spread, small = _merged(normalized.to_scipy(), cells)
        parts = (cells.cell_N, cells.entry_N, cells.volume_G)
        cell_R, entry_R, volume_G = (torch.from_numpy(part).to(normalized.device) for part in parts)
        along = AffinityGraph.from_scipy(cells.matrix(spread.dtype).T.tocsr(), normalized.device)
        spread_graph = AffinityGraph.from_scipy(spread, normalized.device)
        give_back()  # what the threads had
        return cls(cell_R, entry_R, volume_G, small, along, spread_graph)

    def order(self) -> torch.Tensor:
        """The rows (R,), those of one cell after those of the other, and neighboring cells near each other."""
        cells = sparse.csr_matrix(self.small)
        rank_G = torch.from_numpy(np.argsort(sparse.csgraph.reverse_cuthill_mckee(cells, symmetric_mode=True)))
        return rank_G.to(self.cell_R.device)[self.cell_R].argsort(stable=True)

    def take(self, order_R: torch.Tensor) -> CoarseSpace:
        """The same with the rows in another order."""
        order = order_R.cpu().numpy()
        cell_R, entry_R = self.cell_R[order_R], self.entry_R[order_R]
        along, spread = self.along.to_scipy()[:, order], self.spread.to_scipy()[order]
        along_graph, spread_graph = (AffinityGraph.from_scipy(part, self.spread.device) for part in (along, spread))
        return CoarseSpace(cell_R, entry_R, self.volume_G, self.small, along_graph, spread_graph)

    def deflation(
        self, dtype: torch.dtype, factor: float, diagonal: float, component_R: torch.Tensor | None = None
    ) -> Deflation | None:
        """Of A = diagonal I - factor S in this type; None where its coarse system is singular to rounding.

        With `component_R` the null vectors are D^1/2 in each of these components.
        """
        key = (factor, diagonal, dtype)
        if key not in self._inverses:
            coarse_GG = torch.from_numpy(self.small.toarray()).to(self.volume_G.device).mul_(-factor)
            coarse_GG.diagonal().add_(diagonal)
            if component_R is not None:
                coarse_GG += self._null_squares(component_R)(torch.eye(len(coarse_GG)).to(coarse_GG))
            self._inverses[key] = coarse_inverse(coarse_GG, dtype)
        inverse_GG = self._inverses[key]
        if inverse_GG is None:
            return None
        along, spread = self.along.astype(dtype), self.spread.astype(dtype)

        def in_rows(coarse_2GC: torch.Tensor) -> RowsOf:
            return lambda rows: spread.rows(rows).matmul(coarse_2GC)

        squares = None if component_R is None else self._null_squares(component_R)
        return Deflation(along.matmul, in_rows, factor, diagonal, inverse_GG, squares)

    def _null_squares(self, component_R: torch.Tensor) -> Matmul:
        """x -> Y Y^T x (G, C) for Y = V^T N, N the null vectors of length 1."""
        component_G = torch.zeros_like(self.volume_G, dtype=torch.int64)
        covered = (self.entry_R > 0).nonzero().squeeze(1)
        component_G[self.cell_R[covered]] = component_R[covered]
        _, component_G = torch.unique(component_G, return_inverse=True)
        total_K = torch.zeros_like(self.volume_G).index_add_(0, component_G, self.volume_G)
        share_G1 = (self.volume_G / total_K[component_G]).sqrt().nan_to_num_(0)[:, None]

        def product(x_GC: torch.Tensor) -> torch.Tensor:
            share = share_G1.to(x_GC.dtype)
            return share * torch.zeros_like(x_GC).index_add_(0, component_G, share * x_GC)[component_G]

        return product


def _merged(weights: sparse.csr_array, cells: Cells) -> tuple[sparse.csr_array, sparse.csr_array]:
    """V and S V side by side (R, 2 G) in the type of S; V^T S V (G, G) in float64: its entries are subtracted."""
    blocks = cells.merged(weights, np.arange(weights.shape[0]), np.float64, lambda block: block)
    merged, cells_RG = sparse.vstack(list(blocks), format="csr"), cells.matrix(np.float64)
    small = cells_RG.T.tocsr() @ merged
    both = [part.astype(weights.dtype) for part in (cells_RG, merged)]
    return sparse.hstack(both, format="csr"), ((small + small.T) / 2).tocsr()
