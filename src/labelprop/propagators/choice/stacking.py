"""Weights of members from hidden seeds: stacking (Wolpert 1992; Breiman 1996), shrunk toward weights that are given.

The weights b >= 0 minimize

    - sum_h log softmax(sum_m b_m z_hm)[label_h] + shrink / 2 * sum_m (b_m - prior_m)^2

over hidden seeds h, with z_hm (C,) the z-scored log-distribution that member m gave seed h without having seen it,
0 where it did not reach it. Their sum is free: it says how sure of itself the join may be. The problem is convex.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def stacking_loss(
    weights_M: np.ndarray, z_MHC: np.ndarray, label_H: np.ndarray, prior_M: np.ndarray, shrink: float
) -> tuple[float, np.ndarray]:
    """The value above, and its gradient (M,)."""
    scores_HC = np.tensordot(weights_M, z_MHC, 1)
    scores_HC -= scores_HC.max(axis=1, keepdims=True)
    shares_HC = np.exp(scores_HC)
    total_H = shares_HC.sum(axis=1)
    row_H = np.arange(len(label_H))
    away_M = weights_M - prior_M
    loss = (np.log(total_H) - scores_HC[row_H, label_H]).sum() + shrink / 2 * (away_M**2).sum()
    pull_HC = shares_HC / total_H[:, None]
    pull_HC[row_H, label_H] -= 1
    return float(loss), np.tensordot(z_MHC, pull_HC, 2) + shrink * away_M


def stack(z_MHC: np.ndarray, label_H: np.ndarray, prior_M: np.ndarray, shrink: float) -> np.ndarray:
    """The weights (M,), float64."""
    from scipy.optimize import minimize  # imports much that a fit of one member does not need

    z_MHC, prior_M = z_MHC.astype(np.float64), np.asarray(prior_M, dtype=np.float64)
    arguments = (z_MHC, label_H, prior_M, shrink)
    limits: Any = {"maxiter": 200, "gtol": 1e-6, "ftol": 1e-12}
    bounds: Any = [(0, None)] * len(prior_M)
    found = minimize(stacking_loss, prior_M, arguments, jac=True, method="L-BFGS-B", bounds=bounds, options=limits)
    return np.asarray(found.x)
