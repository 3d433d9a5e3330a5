"""A kernel that the user hands over as a function, called as scikit-learn calls it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse

from labelprop.core.errors import DataError
from labelprop.graph.neighbors.rounding import numpy_type, work_dtype
from labelprop.propagators.estimator.edges import first_row

Kernel = Callable[[Any, Any], Any]


def to_fitted(kernel: Kernel, fitted: Any, others: Any) -> sparse.csr_array:
    """Weights (m, n) of m other rows to the n fitted ones: the transpose of `kernel(fitted, others)`.

    The kernel may give an array or a SciPy sparse one. Raises DataError for another shape and for missing values.
    """
    found: Any = kernel(fitted, others)
    found = found if sparse.issparse(found) else np.asarray(found)
    shape = (int(fitted.shape[0]), int(others.shape[0]))
    if found.shape != shape or found.dtype.kind not in "fiub":
        raise DataError(
            f"the kernel gave {found.dtype} of shape {found.shape} for rows {tuple(fitted.shape)} and "
            f"{tuple(others.shape)}; it must give numbers of shape {shape}, a weight for every pair."
        )
    weights: sparse.csr_array = sparse.csr_array(found.T, dtype=numpy_type(work_dtype(found.dtype)))
    weights.sum_duplicates()
    strange = first_row(weights, ~np.isfinite(weights.data))
    if strange is not None:
        raise DataError(
            f"the kernel gave NaN or infinity for row {strange[0]}; weights are finite numbers of at least 0."
        )
    return weights


def without_diagonal(weights: sparse.csr_array) -> sparse.csr_array:
    """The same weights without those of a row to itself, which move no label."""
    row_E = np.repeat(np.arange(weights.shape[0]), np.diff(weights.indptr))
    weights.data[row_E == weights.indices] = 0
    weights.eliminate_zeros()
    return weights
