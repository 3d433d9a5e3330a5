"""The streams of a step, for methods that take labeled and unlabeled examples in fixed numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from labelprop.core.errors import RequestError
from labelprop.core.types import Batch, BatchSpec, StreamSpec
from labelprop.methods.base import Method

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
    if batch_size < 2:
        raise RequestError(f"batch_size={batch_size} must be at least 2: a labeled and an unlabeled example.")
    if not 0 < labeled_batch_size < batch_size:
        raise RequestError(
            f"labeled_batch_size={labeled_batch_size} must be at least 1 and below batch_size={batch_size}; set both."
        )
    return BatchSpec(StreamSpec(labeled_batch_size, labeled), StreamSpec(batch_size - labeled_batch_size, unlabeled))


@dataclass(eq=False, repr=False, kw_only=True)
class TwoStreams(Method):
    """A method that sees labeled and unlabeled examples in fixed numbers.

    Parameters
    ----------
    batch_size, labeled_batch_size : examples a step, and how many of them are labeled ones.
    """

    batch_size: int = 100
    labeled_batch_size: int = 50

    views: ClassVar[tuple[tuple[str, ...], tuple[str, ...]]] = (ONE_VIEW, ONE_VIEW)  # of labeled and unlabeled ones

    def __post_init__(self) -> None:
        super().__post_init__()
        self.needs = two_streams(self.batch_size, self.labeled_batch_size, *self.views)


def n_labeled(batch: Batch) -> int:
    """How many of the joint examples, from the first one on, are of the labeled stream."""
    return len(batch.labeled.indices_B)
