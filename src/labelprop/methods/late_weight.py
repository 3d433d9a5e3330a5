"""The weight of agreement in the two methods of Laine & Aila 2017."""

from __future__ import annotations

from labelprop.core.types import BatchSpec, Progress
from labelprop.functional.schedule import ramp_up

FIRST_EPOCH = 1  # in which agreement counts (released code)
RAMP_UP = 80 / 300  # of the training: the paper's 80 of 300 epochs


def late_weight(largest: float, share: float, needs: BatchSpec, progress: Progress) -> float:
    """0 in the first epoch, then up to `largest` times the labeled share of a batch.

    The paper's largest weight is 100 M/N, M/N the labeled share of all examples, which is that of its batches too.
    """
    if progress.epoch < FIRST_EPOCH:
        return 0.0
    labeled = needs.labeled.size / (needs.labeled.size + needs.unlabeled.size)
    return largest * labeled * ramp_up(progress.fraction / share if share > 0 else 1.0)
