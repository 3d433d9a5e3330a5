"""Labels for new rows from the fitted ones, without solving again."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse


def weighted_mean(
    weights: sparse.csr_array, distributions_NC: Any, seed_codes_N: np.ndarray, reached_N: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Distributions of new rows (m, C) and which of them are reached (m,).

    A row's distribution is the mean of its fitted neighbors', weighted by the kernel; seeds count as one-hot. A row
    without a neighbor of positive weight, or with unreached ones only, is unreached and uniform.

    Parameters
    ----------
    weights : kernel weights (m, n) from new rows to fitted ones.
    distributions_NC : fitted distributions, an array or a SciPy CSR array.
    seed_codes_N : class of each seed, -1 elsewhere.
    """
    weights = weights.copy()
    weights.data[weights.data < 0] = 0
    total_M = np.asarray(weights.sum(axis=1))
    found_M = weights @ reached_N.astype(weights.dtype) > 0
    seeds_L = np.flatnonzero(seed_codes_N >= 0)
    cells = (np.ones(len(seeds_L), weights.dtype), (seeds_L, seed_codes_N[seeds_L]))
    one_hot_NC = sparse.csr_array(cells, shape=distributions_NC.shape)
    mean_MC = (weights @ one_hot_NC).toarray()
    weights.data[seed_codes_N[weights.indices] >= 0] = 0
    solved_MC: Any = weights @ distributions_NC
    mean_MC += solved_MC.toarray() if hasattr(solved_MC, "toarray") else solved_MC
    mean_MC /= np.where(found_M, total_M, 1)[:, None]
    mean_MC[~found_M] = 1 / mean_MC.shape[1]
    return mean_MC, found_M
