"""Rows to search: vectors of any storage under a metric, read in blocks, converted and scaled as they are read.

All backends see rows through `Rows`. Under "cosine" rows are read at length 1; under "euclidean" and "inner" as
they are. A *block* is whatever `read` returns: a tensor (B, D), or a CSR array for sparse rows. Nothing is copied
whole: arrays, tensors and memory-mapped files stay where they are, so they must not change while rows are in use.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch

from labelprop.core.errors import RequestError
from labelprop.graph.neighbors.rounding import distance_rounding, finite, peaks, product_rounding, spans, work_dtype
from labelprop.graph.neighbors.sparse_rows import SparseRows

METRICS = ("cosine", "euclidean", "inner")


class Rows(Protocol):
    """N vectors that can be read in part, and how similar they are to others.

    Similarity is the inner product of unit vectors ("cosine"), minus the squared distance ("euclidean"), or the
    inner product of the vectors as they are ("inner").
    """

    n: int
    dim: int
    stored: int  # numbers that a row takes, on average
    dtype: torch.dtype  # float32 or float64
    device: torch.device
    metric: str
    zero_N: torch.Tensor  # bool; zero vectors under "cosine", which are similar to nothing; else all False

    def read(self, start: int, stop: int) -> Any:
        """Rows start..stop as a block."""

    def take(self, indices_B: torch.Tensor) -> Any:
        """The rows at these places as a block."""

    def subset(self, indices_M: torch.Tensor) -> Rows:
        """Some of the rows, in this order; dense ones are a view, also of a memory-mapped file."""

    def similarities(self, block: Any, start: int, stop: int) -> torch.Tensor:
        """Similarities (B, stop - start) of a block to rows start..stop, by matrix product, up to `rounding`.

        In float64 for "euclidean": small distances are small differences of large numbers.
        """

    def rounding(self, block: Any, values_B: torch.Tensor) -> torch.Tensor:
        """How far `similarities` may be off (B,), for rows that are at least as similar as values_B."""

    def pairs(self, block: Any, indices_BK: torch.Tensor) -> torch.Tensor:
        """Similarities (B, K) of row b of the block to the rows indices_BK[b]; distances from differences.

        Equal pairs give equal results, whatever their places: terms are summed in float64.
        """

    def keys(self, block: Any) -> list[bytes]:
        """A string of bytes for each row of the block, equal for equal vectors."""


class DenseRows:
    """Rows of a tensor on the device, an array, a memory-mapped or a CSR array; `places_M` picks some of them."""

    def __init__(self, source_ND: Any, device: torch.device, metric: str) -> None:
        self._source_ND = source_ND
        self._places_M: torch.Tensor | None = None
        self.n, self.dim = int(source_ND.shape[0]), int(source_ND.shape[1])
        self.stored = self.dim
        self.dtype, self.device, self.metric = work_dtype(source_ND.dtype), device, metric
        # A row is divided by its largest entry before its length: neither overflow nor underflow in the squares.
        self._peak_N1 = torch.empty(self.n, 1, dtype=self.dtype, device=device)
        self._length_N1 = torch.empty_like(self._peak_N1)
        total_D = torch.zeros(self.dim, dtype=torch.float64, device=device)
        for start, stop in spans(self.n, self.dim):
            block = self._convert(source_ND[start:stop])
            peak_B1 = peaks(block, start)
            self._peak_N1[start:stop] = peak_B1
            self._length_N1[start:stop] = torch.linalg.vector_norm(block / peak_B1, dim=1, keepdim=True)
            total_D += block.sum(dim=0, dtype=torch.float64)
        self.zero_N = (self._length_N1.squeeze(1) == 0) & (metric == "cosine")
        self._center_D = total_D / max(self.n, 1)
        longest = (self._peak_N1 * self._length_N1).max() if self.n else torch.zeros(())
        self._longest = 1.0 if metric == "cosine" else float(longest)
        self._length_N1.masked_fill_(self._length_N1 == 0, 1)

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self._at(slice(start, stop)) if self._places_M is None else self._at(self._places_M[start:stop])

    def take(self, indices_B: torch.Tensor) -> torch.Tensor:
        return self._at(indices_B if self._places_M is None else self._places_M[indices_B])

    def subset(self, indices_M: torch.Tensor) -> DenseRows:
        some = object.__new__(DenseRows)
        some.__dict__.update(self.__dict__)
        indices_M = indices_M.to(self.device)
        some._places_M = indices_M if self._places_M is None else self._places_M[indices_M]
        some.n, some.zero_N = len(indices_M), self.zero_N[indices_M]
        return some

    def similarities(self, block: Any, start: int, stop: int) -> torch.Tensor:
        left_BD, right_RD = self._dense(block), self.read(start, stop)
        if self.metric != "euclidean":
            return left_BD @ right_RD.T
        left_BD, right_RD = left_BD - self._center_D, right_RD - self._center_D  # float64
        length_B1, length_R = left_BD.square().sum(dim=1, keepdim=True), right_RD.square().sum(dim=1)
        return torch.addmm(length_R, left_BD, right_RD.T, beta=-1, alpha=2).sub_(length_B1).clamp_(max=0)

    def rounding(self, block: Any, values_B: torch.Tensor) -> torch.Tensor:
        block = self._dense(block)
        if self.metric != "euclidean":
            lengths_B = values_B.new_ones(()) if self.metric == "cosine" else torch.linalg.vector_norm(block, dim=1)
            return (lengths_B * self._longest * product_rounding(self.dim, self.dtype)).expand_as(values_B)
        lengths_B = torch.linalg.vector_norm(block - self._center_D, dim=1)
        return distance_rounding(lengths_B, values_B, self.dim, self.dtype)

    def pairs(self, block: Any, indices_BK: torch.Tensor) -> torch.Tensor:
        block = self._dense(block)
        found_BK = torch.empty(indices_BK.shape, dtype=self.dtype, device=self.device)
        for start, stop in spans(block.shape[0], self.dim * max(1, indices_BK.shape[1])):
            here_BK = indices_BK[start:stop]
            rows_BKD = self.take(here_BK.reshape(-1)).view(*here_BK.shape, self.dim)
            left_B1D = block[start:stop, None]
            if self.metric == "euclidean":
                squared_BK = (rows_BKD.double() - left_B1D.double()).square_().sum(-1)
                found_BK[start:stop] = finite(-squared_BK, self.dtype)
            else:
                found_BK[start:stop] = (rows_BKD * left_B1D).sum(-1, dtype=torch.float64)
        return found_BK

    def keys(self, block: Any) -> list[bytes]:
        return [row.tobytes() for row in self._dense(block).cpu().numpy()]

    def _at(self, places: Any) -> torch.Tensor:
        """Rows by number or slice, converted and scaled, (B, D)."""
        if isinstance(self._source_ND, torch.Tensor) or isinstance(places, slice):
            block = self._convert(self._source_ND[places])
        else:
            block = self._convert(self._source_ND[places.cpu().numpy()])
        return block / self._peak_N1[places] / self._length_N1[places] if self.metric == "cosine" else block

    def _convert(self, block: Any) -> torch.Tensor:
        """Part of the source in the type computed in; arrays are copied, since they may be read-only."""
        if hasattr(block, "toarray"):
            block = block.toarray()
        if not isinstance(block, torch.Tensor):
            block = torch.from_numpy(np.array(block, dtype=np.float64 if self.dtype == torch.float64 else np.float32))
        converted: torch.Tensor = block.to(self.device, self.dtype)
        return converted

    def _dense(self, block: Any) -> torch.Tensor:
        """A block of queries as this kind of rows has it: they may be sparse, or of another precision."""
        block = block if isinstance(block, torch.Tensor) else torch.from_numpy(block.toarray())
        dense_BD: torch.Tensor = block.to(self.device, self.dtype)
        return dense_BD


def as_rows(vectors: Any, device: torch.device | str = "cpu", metric: str = "cosine") -> Rows:
    """Rows of a tensor, an array, a memory-mapped array or a SciPy sparse array, (N, D), for a metric.

    float32 and float64 keep theirs; float16, bfloat16 and integers are computed with in float32.
    Raises DataError naming the first row with NaN or infinity, RequestError for an unknown metric.
    """
    device = torch.device(device)
    if metric not in METRICS:
        raise RequestError(f"metric={metric!r}: vectors are compared by one of {', '.join(METRICS)}.")
    if isinstance(vectors, DenseRows | SparseRows):
        if vectors.metric != metric:
            raise RequestError(f"these rows were read for metric={vectors.metric!r}, not {metric!r}; read them anew.")
        return vectors
    if hasattr(vectors, "tocsr"):
        return SparseRows(vectors.tocsr(), device, metric)
    if isinstance(vectors, np.memmap):
        return DenseRows(vectors, device, metric)
    if isinstance(vectors, torch.Tensor):
        return DenseRows(vectors.detach().to(device), device, metric)
    source_ND = np.asarray(vectors)
    if source_ND.flags.writeable and source_ND.dtype.kind in "fiu" and min(source_ND.strides, default=0) >= 0:
        return DenseRows(torch.from_numpy(source_ND).to(device), device, metric)
    return DenseRows(source_ND, device, metric)
