"""Rows to search: vectors scaled to length 1, read in blocks, wherever and however they are stored.

All backends see rows through `Rows`. Similarity is the inner product of unit vectors (the cosine); a zero
vector stays zero and is similar to nothing. A *block* is whatever `read` returns: a tensor (B, D), or a CSR
array for sparse rows.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from labelprop.errors import DataError

if TYPE_CHECKING:
    from scipy import sparse

BLOCK_ELEMENTS = 1 << 22  # numbers converted at once


class Rows(Protocol):
    """N unit vectors that can be read in part."""

    n: int
    dim: int
    dtype: torch.dtype  # float32 or float64
    device: torch.device

    def read(self, start: int, stop: int) -> Any:
        """Rows start..stop as a block."""

    def take(self, indices_B: torch.Tensor) -> Any:
        """The rows at these places as a block."""

    def similarities(self, block: Any, start: int, stop: int) -> torch.Tensor:
        """Inner products (B, stop - start) of a block with rows start..stop, by matrix product."""

    def pairs(self, block: Any, indices_BK: torch.Tensor) -> torch.Tensor:
        """Inner products (B, K) of row b of the block with the rows indices_BK[b].

        Equal pairs give equal results, whatever their places: products are summed in float64.
        """

    def keys(self, block: Any) -> list[bytes]:
        """A string of bytes for each row of the block, equal for equal vectors."""


class _DenseRows(ABC):
    """What rows read as tensors have in common."""

    n: int
    dim: int
    dtype: torch.dtype
    device: torch.device

    @abstractmethod
    def read(self, start: int, stop: int) -> torch.Tensor:
        """Rows start..stop, (stop - start, D)."""

    @abstractmethod
    def take(self, indices_B: torch.Tensor) -> torch.Tensor:
        """Rows by number, (B, D)."""

    def similarities(self, block: Any, start: int, stop: int) -> torch.Tensor:
        return self._dense(block) @ self.read(start, stop).T

    def pairs(self, block: Any, indices_BK: torch.Tensor) -> torch.Tensor:
        block = self._dense(block)
        found_BK = torch.empty(indices_BK.shape, dtype=self.dtype, device=self.device)
        for start, stop in spans(block.shape[0], self.dim * max(1, indices_BK.shape[1])):
            here_BK = indices_BK[start:stop]
            rows_BKD = self.take(here_BK.reshape(-1)).view(*here_BK.shape, self.dim)
            found_BK[start:stop] = (rows_BKD * block[start:stop, None]).sum(-1, dtype=torch.float64)
        return found_BK

    def keys(self, block: Any) -> list[bytes]:
        return [row.tobytes() for row in self._dense(block).cpu().numpy()]

    def _dense(self, block: Any) -> torch.Tensor:
        """A block of queries as this kind of rows has it: they may be sparse, or of another precision."""
        block = block if isinstance(block, torch.Tensor) else torch.from_numpy(block.toarray())
        dense_BD: torch.Tensor = block.to(self.device, self.dtype)
        return dense_BD


class ResidentRows(_DenseRows):
    """Rows held as one tensor on the device."""

    def __init__(self, unit_ND: torch.Tensor) -> None:
        self._unit_ND = unit_ND
        self.n, self.dim = int(unit_ND.shape[0]), int(unit_ND.shape[1])
        self.dtype, self.device = unit_ND.dtype, unit_ND.device

    def read(self, start: int, stop: int) -> torch.Tensor:
        return self._unit_ND[start:stop]

    def take(self, indices_B: torch.Tensor) -> torch.Tensor:
        rows_BD: torch.Tensor = self._unit_ND[indices_B]
        return rows_BD


class MappedRows(_DenseRows):
    """Rows of a memory-mapped array: converted and scaled block by block at each reading, never copied whole."""

    def __init__(self, mapped_ND: np.ndarray, device: torch.device) -> None:
        self._mapped_ND = mapped_ND
        self.n, self.dim = mapped_ND.shape
        self.dtype, self.device = work_dtype(mapped_ND.dtype), device
        for start, stop in spans(self.n, self.dim):
            self.read(start, stop)  # a bad row is named now rather than in the middle of a search

    def read(self, start: int, stop: int) -> torch.Tensor:
        return unit_rows(_converted(self._mapped_ND[start:stop], self.dtype), start).to(self.device)

    def take(self, indices_B: torch.Tensor) -> torch.Tensor:
        rows_BD = _converted(self._mapped_ND[indices_B.cpu().numpy()], self.dtype)
        return unit_rows(rows_BD, 0).to(self.device)


class SparseRows:
    """Rows of a SciPy CSR array (text features, one-hot columns); only blocks of products become dense."""

    def __init__(self, features_ND: Any, device: torch.device) -> None:
        from scipy import sparse as sp

        self.dtype, self.device = work_dtype(features_ND.dtype), device
        unit: Any = sp.csr_array(
            features_ND, dtype=np.float64 if self.dtype == torch.float64 else np.float32, copy=True
        )
        unit.sum_duplicates()
        unit.eliminate_zeros()
        row_E = np.repeat(np.arange(unit.shape[0]), np.diff(unit.indptr))
        bad_E = ~np.isfinite(unit.data)
        if bad_E.any():
            raise not_finite(int(row_E[bad_E][0]), float(unit.data[bad_E][0]))
        peak_N = abs(unit).max(axis=1).toarray().ravel()
        unit.data /= peak_N[row_E]  # before squaring: neither overflow nor underflow
        norm_N = np.sqrt(np.bincount(row_E, unit.data.astype(np.float64) ** 2, unit.shape[0]))
        unit.data = (unit.data / norm_N[row_E]).astype(unit.dtype)
        self._unit_ND, self._unit_DN = unit, unit.T.tocsc()
        self.n, self.dim = int(unit.shape[0]), int(unit.shape[1])

    def read(self, start: int, stop: int) -> sparse.csr_array:
        block: sparse.csr_array = self._unit_ND[start:stop]
        return block

    def take(self, indices_B: torch.Tensor) -> sparse.csr_array:
        block: sparse.csr_array = self._unit_ND[indices_B.cpu().numpy()]
        return block

    def similarities(self, block: sparse.csr_array, start: int, stop: int) -> torch.Tensor:
        products = (block @ self._unit_DN[:, start:stop]).toarray()
        return torch.from_numpy(products).to(self.device, self.dtype)

    def pairs(self, block: sparse.csr_array, indices_BK: torch.Tensor) -> torch.Tensor:
        left = block[np.repeat(np.arange(block.shape[0]), indices_BK.shape[1])].astype(np.float64)
        right = self.take(indices_BK.reshape(-1)).astype(np.float64)
        found_BK = torch.from_numpy(np.asarray(left.multiply(right).sum(axis=1)).reshape(indices_BK.shape))
        return found_BK.to(self.device, self.dtype)

    def keys(self, block: sparse.csr_array) -> list[bytes]:
        bounds = zip(block.indptr[:-1], block.indptr[1:], strict=True)
        return [block.indices[a:b].tobytes() + b"/" + block.data[a:b].tobytes() for a, b in bounds]


def as_rows(vectors: Any, device: torch.device | str = "cpu") -> Rows:
    """Rows of a tensor, an array, a memory-mapped array or a SciPy sparse array, (N, D).

    float32 and float64 keep theirs; float16, bfloat16 and integers become float32.
    Raises DataError naming the first row with NaN or infinity.
    """
    device = torch.device(device)
    if isinstance(vectors, ResidentRows | MappedRows | SparseRows):
        return vectors
    if hasattr(vectors, "tocsr"):
        return SparseRows(vectors.tocsr(), device)
    if isinstance(vectors, np.memmap):
        return MappedRows(vectors, device)
    source_ND = vectors.detach() if isinstance(vectors, torch.Tensor) else np.asarray(vectors)
    n, dim = source_ND.shape
    unit_ND = torch.empty(n, dim, dtype=work_dtype(source_ND.dtype), device=device)
    for start, stop in spans(n, dim):
        unit_ND[start:stop] = unit_rows(_converted(source_ND[start:stop], unit_ND.dtype), start)
    return ResidentRows(unit_ND)


def unit_rows(rows_BD: torch.Tensor, first: int) -> torch.Tensor:
    """Rows divided by their length; a zero row stays zero. `first` is the number of the first row, for messages."""
    if rows_BD.shape[1] == 0:
        return rows_BD
    peak_B1 = rows_BD.abs().amax(dim=1, keepdim=True)  # NaN and infinity pass through amax
    bad_B = ~peak_B1.isfinite().squeeze(1)
    if bad_B.any():
        place = int(bad_B.nonzero()[0, 0])
        values_D = rows_BD[place]
        raise not_finite(first + place, float(values_D[~values_D.isfinite()][0]))
    rows_BD = rows_BD / peak_B1.masked_fill(peak_B1 == 0, 1)  # before squaring: neither overflow nor underflow
    norm_B1: torch.Tensor = torch.linalg.vector_norm(rows_BD, dim=1, keepdim=True)
    return rows_BD / norm_B1.masked_fill(norm_B1 == 0, 1)


def _converted(block: Any, dtype: torch.dtype) -> torch.Tensor:
    """A block of an array or tensor as a tensor of this type; arrays are copied, since they may be read-only."""
    if isinstance(block, torch.Tensor):
        return block.to(dtype)
    return torch.from_numpy(np.array(block, dtype=np.float64 if dtype == torch.float64 else np.float32))


def not_finite(row: int, value: float) -> DataError:
    kind = "NaN" if math.isnan(value) else "infinity"
    return DataError(
        f"row {row} of the features holds {kind} (rows are counted from 0; the first such row is named). "
        f"Remove the row or replace the value: neither NaN nor infinity can be compared."
    )


def work_dtype(dtype: torch.dtype | np.dtype[Any]) -> torch.dtype:
    """The type computed in: float64 stays, everything else is float32."""
    return torch.float64 if dtype in (torch.float64, np.dtype(np.float64)) else torch.float32


def spans(n: int, elements_a_row: int, budget: int = BLOCK_ELEMENTS) -> Iterator[tuple[int, int]]:
    """(start, stop) of consecutive rows that hold at most `budget` numbers together, at least one row each."""
    step = max(1, budget // max(1, elements_a_row))
    for start in range(0, n, step):
        yield start, min(start + step, n)
