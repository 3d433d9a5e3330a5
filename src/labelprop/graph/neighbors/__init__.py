"""Nearest neighbors by cosine, distance or inner product: one search backend a file, recall measured."""

from __future__ import annotations

from typing import Any

import torch
from scipy import sparse

from labelprop.core.errors import RequestError
from labelprop.core.registry import lookup
from labelprop.core.types import Neighbors
from labelprop.graph.neighbors.rows import DenseRows, Rows, as_rows
from labelprop.graph.neighbors.sparse_rows import SparseRows

EXACT_UP_TO = 20_000  # rows; beyond, an index is quicker than all products (two CPU cores, 128 dimensions)
EXACT_UP_TO_CUDA = 1_000_000


def nearest(
    vectors_ND: Any,
    k: int,
    *,
    queries: Any = None,
    exclude_self: bool = True,
    metric: str = "cosine",
    search: str = "auto",
    device: str = "cpu",
    seed: int = 0,
) -> Neighbors:
    """The k nearest rows of every row (or of every query), best first, ties by the lower index.

    Parameters
    ----------
    vectors_ND : tensor, array, memory-mapped array, CSR array, or Rows; left as they are and not copied.
    k : neighbors wanted; cut to the number of rows there are (less one where a row excludes itself).
    queries : rows to look up, of the same kinds; None takes `vectors_ND` itself.
    exclude_self : leave out the row itself, by its index; only without `queries`.
    metric : "cosine"; "euclidean", where similarity is minus the squared distance (0 between duplicates); "inner",
        the inner product of the rows as they are. Zero vectors have no cosine: they have no neighbors and are
    no row's neighbor; their places hold index -1 and similarity -inf.
    search : "auto", or a backend of `labelprop.core.registry` ("exact", "approximate").

    Raises DataError naming the row for NaN or infinity, RequestError for an unknown metric or queries of another
    width, UnknownNameError for an unknown backend.
    """
    rows, k = as_rows(vectors_ND, device, metric), int(k)  # NumPy's numbers are no Python ones to torch
    looked_up = None if queries is None else as_queries(queries, rows)
    backend = _choose(rows, rows if looked_up is None else looked_up) if search == "auto" else search
    find = lookup("neighbors", backend).load()
    with torch.no_grad(), torch.autocast(rows.device.type, enabled=False):  # callers may train in bfloat16
        found: Neighbors = find(rows, k, queries=looked_up, exclude_self=exclude_self and queries is None, seed=seed)
    return found


def as_queries(queries: Any, rows: Rows) -> Rows:
    """Queries on the device of the rows, sparse or dense as the rows are, whatever they come as.

    Raises RequestError for another number of columns.
    """
    if isinstance(rows, SparseRows) and not (hasattr(queries, "tocsr") or isinstance(queries, SparseRows)):
        read = as_rows(queries, rows.device, queries.metric if isinstance(queries, DenseRows) else rows.metric)
        queries = sparse.csr_array(read.read(0, read.n).cpu())
    if isinstance(rows, DenseRows) and hasattr(queries, "tocsr"):
        looked_up: Rows = DenseRows(queries.tocsr(), rows.device, rows.metric)  # filled up block by block
    else:
        looked_up = as_rows(queries, rows.device, rows.metric)
    if looked_up.dim != rows.dim:
        raise RequestError(f"queries have {looked_up.dim} columns, the rows to search have {rows.dim}.")
    return looked_up


def _choose(rows: Rows, queries: Rows) -> str:
    """Exact where all products cost little, or where no index can hold the rows; else approximate."""
    limit = EXACT_UP_TO_CUDA if rows.device.type == "cuda" else EXACT_UP_TO
    few = rows.n * queries.n <= limit * limit
    return "exact" if few or isinstance(rows, SparseRows) else "approximate"
