"""What candidates say of hidden seeds: distributions of each from seeds that it was not shown, fold by fold.

Nothing here knows how a candidate is fitted; `ask` gives what it says of the seeds that a fold hides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

MOST_CANDIDATES = 6  # that go on to the other folds
SURE = 1.0  # weight of a z-scored log-distribution in the loss that candidates are ranked by after the first fold

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Answer:
    """What a candidate says of H hidden seeds."""

    z_HC: np.ndarray  # z-scored log-distributions, 0 where unreached
    reached_H: np.ndarray  # bool
    label_H: np.ndarray  # the hidden labels

    @property
    def right_H(self) -> np.ndarray:
        """Which it labels right, bool; unreached is wrong."""
        return np.asarray((self.z_HC.argmax(axis=1) == self.label_H) & self.reached_H)

    @property
    def right(self) -> int:
        return int(self.right_H.sum())

    @property
    def loss(self) -> float:
        """Mean log-loss."""
        scores_HC = SURE * self.z_HC
        largest_H = scores_HC.max(axis=1)
        total_H = np.exp(scores_HC - largest_H[:, None]).sum(axis=1)
        return float((np.log(total_H) + largest_H - scores_HC[np.arange(len(self.label_H)), self.label_H]).mean())

    def with_more(self, other: Answer) -> Answer:
        """The answers to both sets of hidden seeds."""
        pairs = [(getattr(self, name), getattr(other, name)) for name in ("z_HC", "reached_H", "label_H")]
        return Answer(*(np.concatenate(pair) for pair in pairs))


def gather(
    candidates: Sequence[T],
    preferred: Collection[T],
    n_folds: int,
    ask: Callable[[T, int], Answer],
    forget: Callable[[T], None] = lambda _: None,
) -> dict[T, Answer]:
    """The answers of the candidates that were asked in all folds, in their order.

    All are asked in the first fold. To the others go `preferred`, and the best of the rest while there are fewer than
    `MOST_CANDIDATES`: one fold says too little to give up what was good elsewhere. `forget` is called with the rest.
    """
    answers = {candidate: ask(candidate, 0) for candidate in candidates}
    ranked = sorted(candidates, key=lambda one: (one not in preferred, answers[one].loss))  # stable
    going_on = ranked[:MOST_CANDIDATES]
    for out in ranked[MOST_CANDIDATES:]:
        del answers[out]
        forget(out)
    for fold in range(1, n_folds):
        for candidate in candidates:
            if candidate in going_on:
                answers[candidate] = answers[candidate].with_more(ask(candidate, fold))
    return answers
