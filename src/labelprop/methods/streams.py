"""What a step is made of, for methods that take labeled and unlabeled examples in fixed numbers."""

from __future__ import annotations

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, StreamSpec

ONE_VIEW = ("weak",)
TWO_VIEWS = ("weak", "weak")


def two_streams(
    batch_size: int,
    labeled_batch_size: int,
    labeled: tuple[str, ...] = ONE_VIEW,
    unlabeled: tuple[str, ...] = ONE_VIEW,
) -> BatchSpec:
    """`batch_size` examples a step, `labeled_batch_size` of them labeled, with the views of each.

    Raises RequestError where one of the two would be left without examples.
    """
    if not 0 < labeled_batch_size < batch_size:
        raise RequestError(
            f"labeled_batch_size={labeled_batch_size} must be at least 1 and below batch_size={batch_size}; set both."
        )
    return BatchSpec(StreamSpec(labeled_batch_size, labeled), StreamSpec(batch_size - labeled_batch_size, unlabeled))


def n_labeled(batch: Batch) -> int:
    """How many of the joint examples, from the first one on, are of the labeled stream."""
    return len(batch.labeled.indices_B)
