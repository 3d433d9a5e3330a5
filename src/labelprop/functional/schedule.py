"""Learning-rate schedules: how far a phase is in, the factor on the peak rate out; and ramps of weights.

A schedule is a function of the fraction of the phase that is done and of the mean loss of each of its epochs so
far, so that a resumed run goes on as an unbroken one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

Schedule = Callable[[float, Sequence[float]], float]


def cosine(fraction: float, losses: Sequence[float] = (), *, stretch: float = 210 / 180) -> float:
    """Cosine ramp-down, 0.5 (1 + cos(pi t / R)), R = `stretch` times the length of the phase.

    The DLP code trains 180 epochs on a ramp of 210, so the rate ends at 5% of its peak, not at 0.
    """
    return 0.5 * (1 + math.cos(math.pi * min(fraction / stretch, 1.0)))


def slow_cosine(fraction: float, losses: Sequence[float] = ()) -> float:
    """cos(7 pi t / 16), down to a fifth of the peak (UDA and FixMatch)."""
    return math.cos(7 * math.pi / 16 * fraction)


def constant(fraction: float, losses: Sequence[float] = ()) -> float:
    """The peak rate throughout."""
    return 1.0


def step(*drops: float, factor: float = 0.1) -> Schedule:
    """Times `factor` at each of these fractions of the phase."""
    return lambda fraction, losses: factor ** sum(fraction >= drop for drop in drops)


two_drops = step(0.5, 0.8)  # of a network that goes on from another training


def warm_up(schedule: Schedule, length: float, start: float = 0.0) -> Schedule:
    """`schedule`, times a factor that rises linearly from `start` to 1 over the first `length` of the phase."""
    return lambda fraction, losses: (start + (1 - start) * min(fraction / length, 1.0)) * schedule(fraction, losses)


def plateau(*, patience: int = 10, gain: float = 0.001, factor: float = 0.1, drops: int = 3) -> Schedule:
    """Times `factor`, at most `drops` times, where `patience` epochs brought no loss lower by the share `gain`.

    The papers drop the rate "when validation saturates"; here the training loss decides, since held-back labels stay
    unseen.
    """

    def factor_after(fraction: float, losses: Sequence[float]) -> float:
        best, waited, dropped = math.inf, 0, 0
        for loss in losses:
            improved = loss < best - gain * abs(best) if math.isfinite(best) else True
            best, waited = (loss, 0) if improved else (best, waited + 1)
            if waited >= patience and dropped < drops:
                dropped, waited = dropped + 1, 0
        return factor**dropped

    return factor_after


def ramp_up(done: float) -> float:
    """exp(-5 (1 - done)^2) until `done` is 1: how a weight of doubtful targets grows (Laine & Aila 2017)."""
    return math.exp(-5 * (1 - min(done, 1.0)) ** 2)
