"""Shared by the checks of propagators: an easy data set, and assertions on results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Clusters:
    """Separable clusters on a sphere, four seeds each."""

    X: np.ndarray  # (n, d) float64
    y: np.ndarray  # (n,) class numbers, -1 where unlabeled
    truth: np.ndarray


def separable(n_classes: int = 3, members: int = 40, dim: int = 16, seed: int = 0) -> Clusters:
    """Clusters around orthogonal directions, in shuffled order."""
    rng = np.random.default_rng(seed)
    truth = rng.permutation(np.repeat(np.arange(n_classes), members))
    X = 4 * np.eye(n_classes, dim)[truth] + rng.normal(size=(len(truth), dim))
    y = np.full(len(truth), -1)
    for label in range(n_classes):
        y[np.flatnonzero(truth == label)[:4]] = label
    return Clusters(X, y, truth)


def demand(holds: bool, message: str) -> None:
    """Raises AssertionError with the message unless `holds`."""
    if not holds:
        raise AssertionError(message)


def close(found: np.ndarray, wanted: np.ndarray, message: str) -> None:
    """Raises AssertionError where two answers differ by more than 1e-5 of the largest."""
    scale = max(float(np.abs(wanted).max()), 1e-12)
    gap = float(np.abs(found - wanted).max()) / scale
    demand(gap <= 1e-5, f"{message} (by {gap:.1g} of the largest)")


def dense(values: Any) -> np.ndarray:
    """An array of an array or a SciPy CSR array."""
    return np.asarray(values.toarray() if hasattr(values, "toarray") else values)


def refused(act: Callable[[], Any], part: str) -> None:
    """Raises AssertionError where no ValueError with this part in its text is raised."""
    try:
        act()
    except ValueError as error:
        demand(part in str(error), f"the refusal does not name {part!r}: {error}")
        return
    raise AssertionError(f"wrong data are accepted (expected a ValueError naming {part!r})")
