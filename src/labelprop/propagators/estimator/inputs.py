"""Checks of the X of fit and predict: feature rows, or a graph of similarities or distances."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy import sparse

from labelprop.core.errors import DataError, RequestError
from labelprop.graph.neighbors.rounding import numpy_type, work_dtype
from labelprop.propagators.estimator.edges import Edges


def read_features(estimator: Any, X: Any, *, reset: bool) -> Any:
    """X as something `as_rows` takes: a tensor, a memory-mapped or plain array, or a SciPy CSR array.

    Nothing is converted or copied that scikit-learn does not have to (lists, frames). Sets or checks
    `n_features_in_` and `feature_names_in_`. Whether values are finite is checked where rows are read.
    """
    from sklearn.utils import check_array
    from sklearn.utils.validation import validate_data

    if isinstance(X, torch.Tensor | np.memmap):
        if X.ndim != 2 or 0 in X.shape:
            raise DataError(f"X must be 2-D with at least one row and one column; got shape {tuple(X.shape)}.")
        checked = X
    else:
        checked = check_array(X, accept_sparse="csr", ensure_all_finite=False, estimator=estimator)
    validate_data(estimator, X, reset=reset, skip_check_array=True)
    return checked


def read_graph(X: Any, *, distances: bool, fitted_n: int | None) -> Edges:
    """Edges (n, n), or (m, fitted_n) for prediction, from the two precomputed forms.

    X is a SciPy sparse array or `(indices (n, k), values (n, k))`, index -1 where there is no neighbor. Distances are
    squared, similarities taken as weights. A row is never its own neighbor: on fitting the diagonal is dropped.
    Raises DataError or RequestError naming the row; distances taken for similarities are refused.
    """
    given = _from_pairs(X, fitted_n) if isinstance(X, tuple | list) and len(X) == 2 else _from_sparse(X)
    rows, columns = given.shape
    if fitted_n is None and rows != columns:
        raise RequestError(f"a precomputed graph must be square to fit on; got {rows} x {columns}.")
    if fitted_n is not None and columns != fitted_n:
        raise RequestError(f"a graph to predict from has one column a fitted row: {fitted_n}, got {columns}.")
    row_E = np.repeat(np.arange(rows), np.diff(given.indptr))
    bad_E = ~np.isfinite(given.data)
    if bad_E.any():
        raise DataError(f"row {int(row_E[bad_E][0])} of the precomputed graph holds NaN or infinity.")
    diagonal_E = (row_E == given.indices) & (fitted_n is None)
    if distances:
        if (given.data < 0).any():
            raise DataError(f"row {int(row_E[given.data < 0][0])} of the precomputed distances is negative.")
        given.data = given.data**2
    elif (given.data[diagonal_E] == 0).any():
        raise RequestError(
            "metric='precomputed' takes similarities, but this graph stores zeros on its diagonal, as distances do. "
            "For distances (KNeighborsTransformer) use metric='precomputed_distances'; if these are similarities, "
            "call eliminate_zeros() first."
        )
    kept_E = ~diagonal_E
    counts = np.bincount(row_E[kept_E], minlength=rows)
    given.data, given.indices = given.data[kept_E], given.indices[kept_E]
    given.indptr = np.concatenate([[0], np.cumsum(counts)]).astype(given.indptr.dtype)
    return Edges(given, "squared_distance" if distances else "weight")


def read_weights(sample_weight: Any, n: int) -> np.ndarray | None:
    """Weights of the rows as float64 (n,). Raises DataError for a wrong length or a negative or missing value."""
    if sample_weight is None:
        return None
    weights_N = np.asarray(sample_weight, dtype=np.float64)
    if weights_N.ndim == 0:
        weights_N = np.full(n, float(weights_N))
    if weights_N.shape != (n,):
        raise DataError(f"sample_weight has shape {weights_N.shape}; expected ({n},), one weight a row of X.")
    wrong_N = ~(np.isfinite(weights_N) & (weights_N >= 0))
    if wrong_N.any():
        row = int(wrong_N.argmax())
        raise DataError(f"sample_weight of row {row} is {weights_N[row]}; weights are finite and not negative.")
    return weights_N


def _from_sparse(X: Any) -> sparse.csr_array:
    if not hasattr(X, "tocsr"):
        raise RequestError(
            f"a precomputed graph is a SciPy CSR array (n, n) or a pair (indices (n, k), values (n, k)); got "
            f"{type(X).__name__}. For a dense matrix of similarities pass scipy.sparse.csr_array(matrix); for one of "
            "distances use metric='precomputed_distances' and KNeighborsTransformer(metric='precomputed', "
            "mode='distance').fit_transform(matrix)."
        )
    if X.dtype.kind not in "fiub":
        raise DataError(f"a precomputed graph holds numbers; got {X.dtype}.")
    graph: sparse.csr_array = sparse.csr_array(X, dtype=numpy_type(work_dtype(X.dtype)), copy=True)
    graph.sum_duplicates()
    return graph


def _from_pairs(X: Any, fitted_n: int | None) -> sparse.csr_array:
    indices_NK, values_NK = (np.asarray(part.cpu() if isinstance(part, torch.Tensor) else part) for part in X)
    if indices_NK.ndim != 2 or indices_NK.shape != values_NK.shape or indices_NK.dtype.kind not in "iu":
        raise DataError(
            f"a precomputed pair is (whole indices (n, k), values (n, k)); got {indices_NK.dtype} "
            f"{indices_NK.shape} and {values_NK.dtype} {values_NK.shape}."
        )
    n_columns = len(indices_NK) if fitted_n is None else fitted_n
    outside_N = (indices_NK >= n_columns).any(axis=1)
    if outside_N.any():
        row = int(outside_N.argmax())
        raise DataError(f"row {row} of the precomputed indices names a row beyond the last, {n_columns - 1}.")
    found_NK = indices_NK >= 0
    crow = np.concatenate([[0], np.cumsum(found_NK.sum(axis=1))])
    data = values_NK[found_NK].astype(numpy_type(work_dtype(values_NK.dtype)))
    graph = sparse.csr_array((data, indices_NK[found_NK], crow), shape=(len(indices_NK), n_columns))
    graph.sum_duplicates()
    return graph
