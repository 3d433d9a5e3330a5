"""Choosing one of several candidates by hiding seeds: each predicts the labels of seeds it was not shown.

Nothing here knows what a candidate is; `is_right` says which of a fold's hidden seeds it got right.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np

MOST_BEHIND = 1.5  # standard errors behind the best after the first fold that still go on
MOST_CANDIDATES = 6  # candidates that go on to the other folds

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Tally(Generic[T]):
    """A candidate, and which of the seeds hidden so far it labeled right."""

    candidate: T
    right_H: np.ndarray  # bool

    @property
    def right(self) -> int:
        """How many."""
        return int(self.right_H.sum())


def select_candidate(
    candidates: Sequence[T],
    n_folds: int,
    is_right: Callable[[T, int], np.ndarray],
    forget: Callable[[T], None] = lambda _: None,
) -> list[Tally[T]]:
    """The candidates that were tried on all folds, the chosen one first, then by how many they got right.

    `candidates` stand in order of preference. After the first fold only the best go on; `forget` is called with the
    others. The chosen one is the most preferred of those that are not a standard error worse than the best: with few
    seeds a lead is mostly luck.
    """
    tallies = [Tally(candidate, is_right(candidate, 0)) for candidate in candidates]
    if n_folds > 1:
        every, tallies = tallies, _going_on(tallies)
        for out in every:
            if out not in tallies:
                forget(out.candidate)
        for fold in range(1, n_folds):
            tallies = [Tally(t.candidate, np.append(t.right_H, is_right(t.candidate, fold))) for t in tallies]
    return with_chosen_first(tallies)


def with_chosen_first(tallies: Sequence[Tally[T]]) -> list[Tally[T]]:
    """Of tallies in order of preference: the most preferred that is not a standard error worse than the best; then
    the others by how many they got right."""
    ranked = sorted(tallies, key=lambda tally: -tally.right)  # stable: ties by preference
    chosen = next(tally for tally in tallies if _behind(tally, ranked[0]) <= 1)
    return [chosen, *(tally for tally in ranked if tally is not chosen)]


def standard_error(tally: Tally[T], other: Tally[T]) -> float:
    """Of the difference of two tallies of the same seeds, as a number of seeds: those that only one got right."""
    return float(max(int((tally.right_H != other.right_H).sum()), 1) ** 0.5)


def _going_on(tallies: list[Tally[T]]) -> list[Tally[T]]:
    """Those for the other folds, in order of preference: few, and not far behind the best."""
    ranked = sorted(tallies, key=lambda tally: -tally.right)
    kept = [tally for tally in ranked[:MOST_CANDIDATES] if _behind(tally, ranked[0]) <= MOST_BEHIND]
    return [tally for tally in tallies if tally in kept]


def _behind(tally: Tally[T], best: Tally[T]) -> float:
    """How far a candidate is behind the best, in standard errors of the difference."""
    return (best.right - tally.right) / standard_error(tally, best)
