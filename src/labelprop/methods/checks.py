"""Checks that many methods make of their parameters, and of what a propagation gave them."""

from __future__ import annotations

import warnings

from labelprop.errors import RequestError
from labelprop.propagators.diffusion import WARN_ABOVE
from labelprop.seeds import Seeds
from labelprop.types import Propagation


def at_least_one(**values: int) -> None:
    """For counts. Raises RequestError naming the parameter."""
    for name, value in values.items():
        if not value >= 1:
            raise RequestError(f"{name}={value} must be at least 1.")


def at_least_zero(**values: float) -> None:
    """For weights, lengths and thresholds. Raises RequestError naming the parameter; NaN is none of them."""
    for name, value in values.items():
        if not value >= 0:
            raise RequestError(f"{name}={value} must be at least 0.")


def share(**values: float) -> None:
    """For shares of a training. Raises RequestError naming the parameter."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise RequestError(f"{name}={value} must be a share of the training, 0 to 1.")


def say_if_poor(found: Propagation, seeds: Seeds) -> None:
    """Warns where a diffusion stopped far from its solution, or reached nothing; training goes on."""
    if found.residual > WARN_ABOVE:
        warnings.warn(
            f"the diffusion stopped far from its solution (relative residual above {WARN_ABOVE}): raise max_iter or "
            "lower alpha.",
            stacklevel=2,
        )
    open_N = seeds.labels_N.to(found.reached_N.device) < 0
    if open_N.any() and not found.reached_N[open_N].any():
        warnings.warn(
            "nothing connects an unlabeled example to a labeled one: an epoch learns from the given labels alone. "
            "Raise n_neighbors.",
            stacklevel=2,
        )
