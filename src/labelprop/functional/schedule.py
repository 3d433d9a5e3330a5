"""Learning-rate schedules: the fraction of a phase that is done in, the factor on the peak rate out."""

from __future__ import annotations

import math


def cosine(fraction: float, *, stretch: float = 210 / 180) -> float:
    """Cosine ramp-down, 0.5 (1 + cos(pi t / R)), R = `stretch` times the length of the phase.

    The DLP code trains 180 epochs on a ramp of 210, so the rate ends at 5% of its peak, not at 0.
    """
    return 0.5 * (1 + math.cos(math.pi * min(fraction / stretch, 1.0)))


def constant(fraction: float) -> float:
    """The peak rate throughout."""
    return 1.0
