"""The rbf kernel over all pairs of rows, exp(-gamma |x - x'|^2), by blocks: scikit-learn's `kernel="rbf"`."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from scipy import sparse

from labelprop.core.errors import RequestError
from labelprop.core.text import byte_size
from labelprop.graph.neighbors.rounding import numpy_type, spans
from labelprop.graph.neighbors.rows import Rows

MAX_ROWS = 20_000  # beyond, the graph alone takes over 3 GiB in float32
BLOCK_ELEMENTS = 1 << 23  # distances held at once


def check_room(n: int, itemsize: int) -> None:
    """Raises RequestError where n rows are too many to compare all pairs, naming the memory that would take."""
    if n > MAX_ROWS:
        raise RequestError(
            f"kernel='rbf' keeps a weight for every pair of rows: {n} rows would take "
            f"{byte_size(n * n * (itemsize + 4))} for the graph alone, and {MAX_ROWS} rows are the limit. "
            f"Use kernel='knn' (same parameters otherwise), or fewer rows."
        )


def all_pairs(rows: Rows, gamma: float) -> sparse.csr_array:
    """Weights (n, n) between all rows, zero diagonal. Weights that underflow are no edges.

    `rows` are under the Euclidean metric. Raises RequestError for more than `MAX_ROWS` of them.
    """
    data, columns = (np.empty(rows.n * (rows.n - 1), kind) for kind in (numpy_type(rows.dtype), np.int32))
    crow = np.zeros(rows.n + 1, dtype=np.int64)
    end = 0
    for start, stop in spans(rows.n, rows.n, BLOCK_ELEMENTS):
        block_BN = _weights(rows, rows.read(start, stop), gamma)
        block_BN[torch.arange(stop - start), torch.arange(start, stop)] = 0
        row_E, column_E = block_BN.nonzero(as_tuple=True)
        begin, end = end, end + len(row_E)
        data[begin:end], columns[begin:end] = block_BN[row_E, column_E].cpu().numpy(), column_E.cpu().numpy()
        crow[start + 1 : stop + 1] = begin + torch.bincount(row_E, minlength=stop - start).cumsum(0).cpu().numpy()
    return sparse.csr_array((data[:end], columns[:end], crow.astype(np.int32)), shape=(rows.n, rows.n))


def to_rows(queries: Rows, rows: Rows, gamma: float) -> Iterator[sparse.csr_array]:
    """Weights (m, n) of queries to all rows, in blocks of queries."""
    for start, stop in spans(queries.n, rows.n, BLOCK_ELEMENTS):
        yield sparse.csr_array(_weights(rows, queries.read(start, stop), gamma).cpu().numpy())


def _weights(rows: Rows, block: object, gamma: float) -> torch.Tensor:
    """Weights (B, n) of a block to all rows, in the type of the rows; distances are in float64."""
    return (rows.similarities(block, 0, rows.n).double() * gamma).exp_().to(rows.dtype)
