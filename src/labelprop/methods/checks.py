"""Checks that many methods make of their parameters."""

from __future__ import annotations

from labelprop.core.errors import RequestError


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
