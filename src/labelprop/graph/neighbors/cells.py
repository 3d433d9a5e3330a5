"""Cells: rows sorted by the nearest of about sqrt(N) centers, so that rows near each other lie together in memory.

Lists of this kind are known as an inverted file (Jegou, Douze, Schmid, "Product quantization for nearest neighbor
search", TPAMI 2011, section IV). The rows are kept as one float32 copy, in tiles of `TILE` rows of one cell.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from labelprop.functional.kmeans import cosines, lloyd, minus_squares
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.neighbors.rows import Rows

CELLS_A_ROOT = 0.8  # cells for each sqrt(N)
SAMPLE_A_CELL = 40  # rows that each center is found from
ROUNDS = 6  # of k-means
TILE = 32  # rows: a peak a tile is 3% of the products, and one tile fits the cache
CLOSENESS = {"cosine": cosines, "euclidean": minus_squares, "inner": minus_squares}  # which cell a row is put in
REACHED_BY = CLOSENESS | {"inner": cosines}  # which cells a query looks into


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Rows that can be neighbors, by cell; G cells, P places in tiles."""

    metric: str
    centers_GD: torch.Tensor  # float32
    means_GD: torch.Tensor  # what queries are compared with: the means of cells, shorter where rows lie apart
    counts_G: torch.Tensor  # rows of each cell
    tiles_G: torch.Tensor  # tiles of each cell
    first_G: torch.Tensor  # its first tile
    stored_PD: torch.Tensor  # float32; under "euclidean" less the cell's center
    squares_P: torch.Tensor | None  # their squared lengths, under "euclidean"
    number_P: torch.Tensor  # number of each row, -1 where a tile is not full

    @classmethod
    def of(cls, rows: Rows, seed: int) -> Cells:
        """Cells of all rows that are not zero vectors; there must be one."""
        usable = (~rows.zero_N).nonzero().squeeze(1)
        generator = np.random.default_rng(seed)
        n_cells = max(1, int(CELLS_A_ROOT * len(usable) ** 0.5))
        chosen = generator.permutation(len(usable))[: n_cells * SAMPLE_A_CELL]
        closeness = CLOSENESS[rows.metric]
        sample_SD = rows.take(usable[torch.from_numpy(chosen)]).float()
        centers_GD = lloyd(sample_SD, sample_SD[:n_cells].clone(), ROUNDS, closeness)
        cell_N = torch.empty(len(usable), dtype=torch.int64, device=rows.device)
        means_GD = torch.zeros_like(centers_GD)
        for start, stop in spans(len(usable), rows.dim + n_cells):
            block = rows.take(usable[start:stop]).float()
            cell_N[start:stop] = closeness(block, centers_GD).argmax(1)
            means_GD.index_add_(0, cell_N[start:stop], block)
        counts_G = torch.bincount(cell_N, minlength=n_cells)
        means_GD /= counts_G.clamp_min(1)[:, None]
        tiles_G = (counts_G + TILE - 1) // TILE
        first_G = tiles_G.cumsum(0) - tiles_G
        order_N = cell_N.argsort(stable=True)
        gaps_G = first_G * TILE - (counts_G.cumsum(0) - counts_G)
        place_N = torch.arange(len(usable), device=rows.device) + gaps_G[cell_N[order_N]]
        stored_PD = torch.zeros(int(tiles_G.sum()) * TILE, rows.dim, device=rows.device)
        number_P = torch.full((len(stored_PD),), -1, device=rows.device)
        number_P[place_N] = usable[order_N]
        for start, stop in spans(len(usable), rows.dim):
            block = rows.take(usable[order_N[start:stop]]).float()
            if rows.metric == "euclidean":
                block = block - centers_GD[cell_N[order_N[start:stop]]]
            stored_PD[place_N[start:stop]] = block
        squares_P = stored_PD.square().sum(dim=1) if rows.metric == "euclidean" else None
        return cls(rows.metric, centers_GD, means_GD, counts_G, tiles_G, first_G, stored_PD, squares_P, number_P)

    def closeness(self, block: torch.Tensor) -> torch.Tensor:
        """How similar rows are to the means of cells (B, G), by the metric of the rows; -inf to empty cells."""
        found_BG: torch.Tensor = REACHED_BY[self.metric](block.float(), self.means_GD)
        return found_BG.masked_fill_(self.counts_G == 0, -torch.inf)

    def cell_of(self, n: int) -> torch.Tensor:
        """The cell of each of n rows (N,); 0 for zero vectors, which have none."""
        cell_N = torch.zeros(n, dtype=torch.int64, device=self.number_P.device)
        cell_P = torch.repeat_interleave(torch.arange(len(self.tiles_G), device=cell_N.device), self.tiles_G * TILE)
        filled_P = self.number_P >= 0
        cell_N[self.number_P[filled_P]] = cell_P[filled_P]
        return cell_N

    def compare(self, queries_BD: torch.Tensor, cell: int, first: int, count: int, out: torch.Tensor) -> None:
        """Similarities (B, tiles * TILE) to the rows of a cell, whose first tile and number of rows are given.

        -inf where a tile is not full. Squared distances are taken around the center, where little cancels.
        """
        start = first * TILE
        stored_RD = self.stored_PD[start : start + out.shape[1]]
        if self.squares_P is None:
            torch.mm(queries_BD, stored_RD.T, out=out)
        else:
            shifted_BD = queries_BD - self.centers_GD[cell]
            squares_R = self.squares_P[start : start + out.shape[1]]
            torch.addmm(squares_R, shifted_BD, stored_RD.T, beta=-1, alpha=2, out=out)
            out -= shifted_BD.square().sum(dim=1, keepdim=True)
        out[:, count:] = -torch.inf
