"""Rows of a SciPy CSR array (text features, one-hot columns); only blocks of products become dense."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from labelprop.graph.neighbors.rounding import distance_rounding, finite, not_finite, product_rounding, work_dtype


class SparseRows:
    """See `Rows`. Holds one CSR copy, at length 1 under "cosine", and its transpose."""

    def __init__(self, features_ND: Any, device: torch.device, metric: str) -> None:
        self.dtype, self.device, self.metric = work_dtype(features_ND.dtype), device, metric
        rows: Any = sparse.csr_array(
            features_ND, dtype=np.float64 if self.dtype == torch.float64 else np.float32, copy=True
        )
        rows.sum_duplicates()
        rows.eliminate_zeros()
        row_E = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        bad_E = ~np.isfinite(rows.data)
        if bad_E.any():
            raise not_finite(int(row_E[bad_E][0]), float(rows.data[bad_E][0]))
        if metric == "cosine":
            peak_N = abs(rows).max(axis=1).toarray().ravel()
            rows.data /= peak_N[row_E]  # before squaring: neither overflow nor underflow
            norm_N = np.sqrt(np.bincount(row_E, rows.data.astype(np.float64) ** 2, rows.shape[0]))
            rows.data = (rows.data / norm_N[row_E]).astype(rows.dtype)
        self._hold(rows)

    def _hold(self, rows: Any) -> None:
        row_E = np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))
        self._rows_ND, self._rows_DN = rows, rows.T.tocsc()
        self.n, self.dim = int(rows.shape[0]), int(rows.shape[1])
        self.stored = max(1, rows.nnz // max(1, self.n))
        squares_N = np.bincount(row_E, rows.data.astype(np.float64) ** 2, self.n)
        self._squares_N = torch.from_numpy(squares_N)
        self.zero_N = torch.from_numpy((np.diff(rows.indptr) == 0) & (self.metric == "cosine")).to(self.device)

    def read(self, start: int, stop: int) -> sparse.csr_array:
        block: sparse.csr_array = self._rows_ND[start:stop]
        return block

    def take(self, indices_B: torch.Tensor) -> sparse.csr_array:
        block: sparse.csr_array = self._rows_ND[indices_B.cpu().numpy()]
        return block

    def subset(self, indices_M: torch.Tensor) -> SparseRows:
        some = object.__new__(SparseRows)
        some.dtype, some.device, some.metric = self.dtype, self.device, self.metric
        some._hold(self.take(indices_M))
        return some

    def similarities(self, block: sparse.csr_array, start: int, stop: int) -> torch.Tensor:
        if self.metric != "euclidean":
            products = (block @ self._rows_DN[:, start:stop]).toarray()
            return torch.from_numpy(products).to(self.device, self.dtype)
        left = block.astype(np.float64)
        products_BR = torch.from_numpy((left @ self._rows_DN[:, start:stop]).toarray())
        squares_B1 = torch.from_numpy(np.asarray(left.multiply(left).sum(axis=1)).reshape(-1, 1))
        squared_BR = squares_B1 + self._squares_N[start:stop] - 2 * products_BR
        return squared_BR.clamp_min_(0).neg_().to(self.device)

    def rounding(self, block: sparse.csr_array, values_B: torch.Tensor) -> torch.Tensor:
        squares = np.asarray(block.astype(np.float64).power(2).sum(axis=1)).ravel()
        lengths_B = torch.from_numpy(np.sqrt(squares)).to(values_B.device)
        if self.metric == "euclidean":
            return distance_rounding(lengths_B, values_B, self.dim, self.dtype)
        longest = float(self._squares_N.max().sqrt()) if self.n else 0.0
        return (lengths_B * longest * product_rounding(self.dim, self.dtype)).to(values_B.dtype)

    def pairs(self, block: sparse.csr_array, indices_BK: torch.Tensor) -> torch.Tensor:
        left = block[np.repeat(np.arange(block.shape[0]), indices_BK.shape[1])].astype(np.float64)
        right = self.take(indices_BK.reshape(-1)).astype(np.float64)
        if self.metric == "euclidean":
            found = -(left - right).power(2).sum(axis=1)
        else:
            found = left.multiply(right).sum(axis=1)
        found_BK = torch.from_numpy(np.asarray(found).reshape(indices_BK.shape))
        return finite(found_BK, self.dtype).to(self.device, self.dtype)

    def keys(self, block: sparse.csr_array) -> list[bytes]:
        bounds = zip(block.indptr[:-1], block.indptr[1:], strict=True)
        return [block.indices[a:b].tobytes() + b"/" + block.data[a:b].tobytes() for a, b in bounds]
