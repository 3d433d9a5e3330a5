"""Shares that are right, counted over the rows whose truth is known."""

from __future__ import annotations

import math

import numpy as np

UNKNOWN = -1  # the truth of this row was not given
OTHER = -2  # the truth is a class that no label names: no answer can be right
Z95 = 1.959963984540054  # the 97.5% quantile of the normal distribution


def accuracy(labels_N: np.ndarray, truth_N: np.ndarray) -> float | None:
    """Share of rows with a known truth whose label equals it; an unreached row (-1) counts as wrong.

    None where no truth is known.
    """
    known_N = truth_N != UNKNOWN
    if not known_N.any():
        return None
    return float((labels_N[known_N] == truth_N[known_N]).mean())


def weighted_accuracy(labels_N: np.ndarray, truth_N: np.ndarray, weights_N: np.ndarray) -> float | None:
    """As `accuracy`, each row counted by its weight; None where the weights of known rows sum to 0."""
    known_N = truth_N != UNKNOWN
    total = float(weights_N[known_N].sum())
    if total == 0:
        return None
    right_N = labels_N[known_N] == truth_N[known_N]
    return float((weights_N[known_N] * right_N).sum() / total)


def top_k_accuracy(distributions_NC: np.ndarray, truth_N: np.ndarray, k: int = 5) -> float | None:
    """Share of rows whose truth is among the k likeliest classes (ties: the lower index first).

    None where there are fewer than k + 1 classes, since then it says nothing, or where no truth is known.
    """
    known_N = truth_N != UNKNOWN
    if distributions_NC.shape[1] <= k or not known_N.any():
        return None
    best_Nk = np.argsort(-distributions_NC[known_N], axis=1, kind="stable")[:, :k]
    return float((best_Nk == truth_N[known_N, None]).any(1).mean())


def hidden_noise(n: int) -> float:
    """By how many of n hidden labels two equally good methods differ by chance: sqrt(n) / 2."""
    return 0.5 * math.sqrt(n)


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share (Wilson 1927); (0, 1) where nothing was counted."""
    if whole == 0:
        return 0.0, 1.0
    share, squared = part / whole, Z95 * Z95
    scale = 1 + squared / whole
    middle = share + squared / (2 * whole)
    reach = Z95 * math.sqrt(share * (1 - share) / whole + squared / (4 * whole * whole))
    low = 0.0 if part == 0 else max(0.0, (middle - reach) / scale)
    high = 1.0 if part == whole else min(1.0, (middle + reach) / scale)
    return low, high
