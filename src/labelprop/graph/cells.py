"""Cells: the rows of a graph in groups of near ones, joined by their weights alone.

Vanek, Mandel, Brezina, "Algebraic multigrid by smoothed aggregation", Computing 56, 1996, form such groups from the
entries of a matrix. They need no vectors and never cross the border of a component.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from scipy import sparse

from labelprop.core.threads import in_threads
from labelprop.graph.affinity import AffinityGraph

Found = TypeVar("Found")

EDGES_AT_ONCE = 1 << 21
HOPS, MOST = 2, 2  # steps from a cell; cells for each of those at first
ROUNDS = 2  # in which all rows choose: the second saves one step of six, more save hardly any


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """A group of each row; V (N, G) is D^1/2 in the rows of each cell, scaled to length 1."""

    cell_N: np.ndarray  # int64; 0 in rows of no cell
    entry_N: np.ndarray  # float64, of V; 0 in rows of no cell
    volume_G: np.ndarray  # sum of D, float64

    @classmethod
    def of(cls, cell_N: np.ndarray, degree_N: np.ndarray, n_cells: int) -> Cells:
        """From the cell of each row, -1 for none, and its degree."""
        degree_N, cell_N = np.where(cell_N < 0, 0.0, degree_N), np.maximum(cell_N, 0)
        volume_G = np.bincount(cell_N, degree_N, n_cells)
        inverse_G = 1 / np.where(volume_G > 0, volume_G, 1)
        return cls(cell_N, np.sqrt(degree_N * inverse_G[cell_N]), volume_G)

    @classmethod
    def grown(cls, normalized: AffinityGraph, degree_N: np.ndarray, n_cells: int, *, seed: int = 0) -> Cells:
        """Cells of the graph whose weights, divided by the roots of both degrees, are given.

        Random rows, `n_cells` of them, are cells at first. Round by round every row joins the cell with the largest
        entry of its row of S V, heavy for its size (ties: the lowest number). Rows further than `HOPS` from all cells
        begin others, `MOST` times `n_cells` in all: a group that is hardly linked to the rest does not become a part
        of another's cell. In the end all rows choose again, `ROUNDS` times. Rows without edges stay out.
        """
        weights, rng = normalized.to_scipy(), np.random.default_rng(seed)
        cell_N, open_M, found = np.full(normalized.n, -1), np.flatnonzero(degree_N > 0), 0
        share, most = min(1, n_cells / max(1, len(open_M))), MOST * n_cells
        while len(open_M) and found < most:
            roots_R = rng.permutation(open_M)[: min(math.ceil(share * len(open_M)), most - found)]
            cell_N[roots_R] = np.arange(found, found + len(roots_R))
            found += len(roots_R)
            open_M = np.setdiff1d(open_M, roots_R, assume_unique=True)
            hops = HOPS if found < most else normalized.n
            while len(open_M) and hops:
                cell_N[open_M] = joined_M = cls.of(cell_N, degree_N, found)._best(weights, open_M)
                hops = hops - 1 if (joined_M >= 0).any() else 0
                open_M = open_M[joined_M < 0]
        for _ in range(ROUNDS):
            chosen_N = cls.of(cell_N, degree_N, found)._best(weights, np.arange(len(cell_N)))
            cell_N = np.where(chosen_N < 0, cell_N, chosen_N)
        return cls.of(cell_N, degree_N, found)

    def matrix(self, dtype: Any) -> sparse.csr_array:
        """V (N, G)."""
        parts = (self.entry_N.astype(dtype), self.cell_N.astype(np.int32), np.arange(len(self.cell_N) + 1))
        return sparse.csr_array(parts, shape=(len(self.cell_N), len(self.volume_G)))

    def merged(
        self, weights: sparse.csr_array, rows_M: np.ndarray, dtype: Any, found: Callable[[sparse.csr_array], Found]
    ) -> Iterator[Found]:
        """What is found in blocks of these rows of weights (N, N) times V, computed in this type, in their order."""
        cells_NG = self.matrix(dtype)
        step = max(1, EDGES_AT_ONCE * weights.shape[0] // max(1, weights.nnz))
        blocks = [rows_M[start : start + step] for start in range(0, len(rows_M), step)]
        yield from in_threads(lambda rows_B: found(weights[rows_B] @ cells_NG), blocks, torch.get_num_threads())

    def _best(self, weights: sparse.csr_array, rows_M: np.ndarray) -> np.ndarray:
        """The column of the largest entry of each of these rows of weights times V (M,); -1 where none is above 0."""
        return np.concatenate(list(self.merged(weights, rows_M, weights.dtype, _largest)))


def _largest(block: sparse.csr_array) -> np.ndarray:
    counts_B = np.diff(block.indptr)
    best_B = np.full(len(counts_B), -1)
    some = np.flatnonzero(counts_B)
    if len(some):
        peak_S = np.maximum.reduceat(block.data, block.indptr[some])
        at_peak = np.flatnonzero((block.data == np.repeat(peak_S, counts_B[some])) & (block.data > 0))
        place = np.repeat(some, counts_B[some])[at_peak]
        lowest_B = np.full(len(counts_B), np.iinfo(np.int64).max)
        np.minimum.at(lowest_B, place, block.indices[at_peak])
        best_B = np.where(lowest_B == np.iinfo(np.int64).max, -1, lowest_B)
    return best_B
