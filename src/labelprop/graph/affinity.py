"""AffinityGraph: weighted edges between rows in compressed sparse form, and what solvers ask of it."""

from __future__ import annotations

import os
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch.nn.functional import embedding_bag

from labelprop.core.errors import DataError
from labelprop.core.files import write_atomically
from labelprop.core.types import Neighbors

FORMAT = 1  # of the .npz file
BAG_COLUMNS = 8  # from which on sums of embeddings are quicker


@dataclass(frozen=True, eq=False)
class AffinityGraph:
    """Edge weights (N rows, M columns) in CSR: row i holds `weights_E[crow[i]:crow[i + 1]]` at `col` likewise.

    Weights are float32 (float64 where the input was), indices int32 while they fit.
    """

    crow: torch.Tensor  # (N + 1,) int32 or int64
    col: torch.Tensor  # (E,)
    weights_E: torch.Tensor  # (E,) float32 or float64
    shape: tuple[int, int]
    order_N: torch.Tensor | None = None  # the rows in an order that has neighbors together, where known

    @classmethod
    def from_scipy(cls, weights: sparse.csr_array, device: torch.device | str = "cpu") -> AffinityGraph:
        """The graph of a SciPy CSR array, which may share its memory: duplicates summed, zeros dropped, in order."""
        if not (weights.has_canonical_format and weights.data.all()):
            weights = weights.copy()
            weights.sum_duplicates()
            weights.eliminate_zeros()
        fits = max(weights.nnz, *weights.shape) <= np.iinfo(np.int32).max
        index = np.int32 if fits else np.int64
        crow, col = (torch.from_numpy(part.astype(index, copy=False)) for part in (weights.indptr, weights.indices))
        graph = cls(crow, col, torch.from_numpy(weights.data), (int(weights.shape[0]), int(weights.shape[1])))
        return graph.to(device)

    @classmethod
    def from_rows(
        cls, columns_NK: torch.Tensor, weights_NK: torch.Tensor, kept_NK: torch.Tensor, n_columns: int
    ) -> AffinityGraph:
        """The graph of those of K edges a row that are kept, in their order; on their device."""
        n, crow = len(columns_NK), torch.zeros(len(columns_NK) + 1, dtype=torch.int64, device=columns_NK.device)
        crow[1:] = kept_NK.sum(dim=1).cumsum(0)
        fits = max(int(crow[-1]), n, n_columns) <= np.iinfo(np.int32).max
        crow, columns_NK = (part.to(torch.int32 if fits else torch.int64) for part in (crow, columns_NK))
        full = int(crow[-1]) == kept_NK.numel()  # then nothing has to be picked
        col, weights_E = (part.flatten() if full else part[kept_NK] for part in (columns_NK, weights_NK))
        return cls(crow, col, weights_E, (n, n_columns))

    @property
    def n(self) -> int:
        """Number of rows."""
        return self.shape[0]

    @property
    def n_edges(self) -> int:
        """Number of stored weights; an undirected edge is stored twice."""
        return int(self.weights_E.shape[0])

    @property
    def device(self) -> torch.device:
        return self.weights_E.device

    @cached_property
    def tensor(self) -> torch.Tensor:
        """The weights as a torch sparse CSR tensor (N, M) that shares their memory."""
        with warnings.catch_warnings():  # torch calls its CSR layout beta once a process
            warnings.simplefilter("ignore", UserWarning)
            return torch.sparse_csr_tensor(self.crow, self.col, self.weights_E, self.shape, check_invariants=False)

    def matmul(self, x_MC: torch.Tensor) -> torch.Tensor:
        """Weights times x, (N, C)."""
        float32 = x_MC.dtype == self.weights_E.dtype == torch.float32
        with torch.autocast(self.device.type, enabled=False):  # callers may train in bfloat16
            if not float32 or self.device.type != "cpu" or x_MC.shape[1] < BAG_COLUMNS:
                return self.tensor @ x_MC
            # Torch's sums of embeddings are 2 to 4 times as quick here as its sparse product (FBGEMM).
            return embedding_bag(
                self.col,
                x_MC.contiguous(),
                self.crow,
                mode="sum",
                per_sample_weights=self.weights_E,
                include_last_offset=True,
            )

    def rows(self, rows: slice) -> AffinityGraph:
        """Some consecutive rows (B, M); shares their memory."""
        start, stop, _ = rows.indices(self.n)
        if (start, stop) == (0, self.n):
            return self
        first, last = int(self.crow[start]), int(self.crow[stop])
        crow = self.crow[start : stop + 1] - first
        return AffinityGraph(crow, self.col[first:last], self.weights_E[first:last], (stop - start, self.shape[1]))

    def degree(self) -> torch.Tensor:
        """Row sums (N,), in float64 until the end: in float32 those of a hub with 1,000 edges are off by 1e-5."""
        ones_M1 = self.weights_E.new_ones(self.shape[1], 1, dtype=torch.float64)
        return self.astype(torch.float64).matmul(ones_M1).squeeze(1).to(self.weights_E.dtype)

    def normalized(self) -> AffinityGraph:
        """D^-1/2 W D^-1/2 of a symmetric graph; a row without edges stays empty."""
        scale_N = inverse_root(self.degree())
        weights_E = torch.repeat_interleave(scale_N, self.crow.diff())
        weights_E.mul_(self.weights_E).mul_(scale_N.index_select(0, self.col))
        return AffinityGraph(self.crow, self.col, weights_E, self.shape, self.order_N)

    def renumbered(self, order_N: torch.Tensor | None = None) -> tuple[AffinityGraph, torch.Tensor]:
        """The same symmetric graph with neighboring rows near each other in memory, and the old number of each row.

        In the order `order_N`, else in that which came with the graph, else in reverse Cuthill-McKee order. Products
        with many columns then find their operands in the cache: 1.4 to 7 times faster at n = 50,000 on a CPU.
        """
        order_N = self.order_N if order_N is None else order_N
        weights = self.to_scipy()
        if order_N is None:
            order = sparse.csgraph.reverse_cuthill_mckee(sparse.csr_matrix(weights), symmetric_mode=True)
            order_N = torch.from_numpy(order.astype(np.int64))
        order = order_N.cpu().numpy()
        new_N = np.empty(self.n, weights.indices.dtype)
        new_N[order] = np.arange(self.n)
        moved = weights[order]
        np.take(new_N, moved.indices, out=moved.indices, mode="clip")  # "raise" would make a copy first
        crow, col, weights_E = (torch.from_numpy(part) for part in (moved.indptr, moved.indices, moved.data))
        return AffinityGraph(crow, col, weights_E, self.shape).to(self.device), order_N.to(self.device)

    def components(self) -> torch.Tensor:
        """Number of the connected component of each row (N,), int64, direction of edges ignored."""
        _, labels_N = sparse.csgraph.connected_components(self.to_scipy(), directed=False)
        return torch.from_numpy(labels_N.astype(np.int64)).to(self.device)

    def to(self, device: torch.device | str) -> AffinityGraph:
        """The same graph on a device."""
        if self.device == torch.device(device):
            return self
        order_N = None if self.order_N is None else self.order_N.to(device)
        crow, col, weights_E = (part.to(device) for part in (self.crow, self.col, self.weights_E))
        return AffinityGraph(crow, col, weights_E, self.shape, order_N)

    def astype(self, dtype: torch.dtype) -> AffinityGraph:
        """The same graph with weights of this type."""
        if self.weights_E.dtype == dtype:
            return self
        return replace(self, weights_E=self.weights_E.to(dtype))

    def scaled(self, factor: float) -> AffinityGraph:
        """The same graph with all weights times a factor."""
        return replace(self, weights_E=self.weights_E * factor)

    def to_scipy(self) -> sparse.csr_array:
        """The weights as a SciPy CSR array; shares memory where the graph is on the CPU."""
        parts = (self.weights_E.cpu().numpy(), self.col.cpu().numpy(), self.crow.cpu().numpy())
        return sparse.csr_array(parts, shape=self.shape)

    def to_dense(self) -> torch.Tensor:
        """All weights as a new tensor (N, M)."""
        return torch.from_numpy(self.to_scipy().toarray()).to(self.device)  # torch's own takes 20 times as long

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the graph as one .npz file, whole or not at all. Raises StorageError where that fails."""
        parts = {"crow": self.crow, "col": self.col, "weights": self.weights_E}
        arrays = {name: part.cpu().numpy() for name, part in parts.items()}

        def write(partial: Path) -> None:
            with partial.open("wb") as file:
                np.savez(file, format=np.asarray(FORMAT), shape=np.asarray(self.shape), **arrays)  # type: ignore[arg-type]

        write_atomically(Path(path), write, remedy="choose another path or free some space")
        return Path(path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: torch.device | str = "cpu") -> AffinityGraph:
        """Reads what `save` wrote. Raises DataError for anything else."""
        try:
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as stored:
                if int(stored["format"]) != FORMAT:
                    raise ValueError(f"format {int(stored['format'])}, this version reads {FORMAT}")
                crow, col, weights_E = (torch.from_numpy(stored[name]) for name in ("crow", "col", "weights"))
                rows, columns = (int(size) for size in stored["shape"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise DataError(f"{os.fspath(path)} is not a graph written by AffinityGraph.save: {error}.") from error
        return cls(crow, col, weights_E, (rows, columns)).to(device)

    def __getstate__(self) -> Mapping[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "tensor"}

    def __repr__(self) -> str:
        return f"AffinityGraph({self.shape[0]} x {self.shape[1]}, {self.n_edges} weights, {self.weights_E.dtype})"


def inverse_root(degree_N: torch.Tensor) -> torch.Tensor:
    """D^-1/2; 1 where D is 0."""
    return degree_N.masked_fill(degree_N <= 0, 1).rsqrt()


def neighbor_matrix(neighbors: Neighbors, n_columns: int) -> sparse.csr_array:
    """Similarities of the neighbors found as a SciPy CSR array (N, n_columns); places left empty are left out."""
    indices_NK = neighbors.indices_NK.cpu()
    found = AffinityGraph.from_rows(indices_NK, neighbors.similarities_NK.cpu(), indices_NK >= 0, n_columns)
    return found.to_scipy()


def symmetric_sum(directed: sparse.csr_array) -> AffinityGraph:
    """W = A + A^T without its diagonal: an edge that both ends chose counts twice (Iscen et al. 2019)."""
    both = (directed + directed.T).tocsr()
    row_E = np.repeat(np.arange(both.shape[0], dtype=both.indices.dtype), np.diff(both.indptr))
    both.data[row_E == both.indices] = 0
    both.eliminate_zeros()
    return AffinityGraph.from_scipy(both)
