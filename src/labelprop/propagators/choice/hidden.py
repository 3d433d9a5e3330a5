"""Hidden labels: given labels are hidden, fold by fold, and whoever is shown the others is asked for them.

By what is found again `auto` chooses, a race of recipes is won, and a propagation is compared with the labels alone:
nothing of this looks at a truth.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelprop.core.types import UNLABELED
from labelprop.graph.seeds import SeedKFold

# Labels (N,) with the hidden ones -1, and the hidden rows (H,) -> classes of these (H,), -1 where none is found.
Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """What was found of H given labels that were hidden."""

    row_H: np.ndarray
    label_H: np.ndarray
    guess_H: np.ndarray

    @property
    def right_H(self) -> np.ndarray:
        """Which of them were found again, bool."""
        return np.asarray(self.guess_H == self.label_H)

    @property
    def right(self) -> int:
        """How many."""
        return int(self.right_H.sum())


@dataclass(frozen=True, slots=True, eq=False)
class HiddenLabels:
    """Given labels (N,), -1 where there is none, and the rows that each fold hides."""

    labels_N: np.ndarray
    folds: tuple[np.ndarray, ...]

    @classmethod
    def dealt(cls, labels_N: np.ndarray, most_folds: int, seed: int | None = None) -> HiddenLabels:
        """Every label is hidden once, those of each class spread over the folds, which all leave it some.

        So there are no more folds than a class has labels, and the only label of a class is never hidden; there is no
        fold where every class has just one. The order is that of the rows, or with a `seed` a random one.
        """
        counts_C = np.bincount(labels_N[labels_N >= 0], minlength=1)
        hideable_N = np.where((labels_N >= 0) & (counts_C > 1)[labels_N], labels_N, UNLABELED)
        if (hideable_N == UNLABELED).all():
            return cls(labels_N, ())
        split = SeedKFold(min(most_folds, int(counts_C[counts_C > 1].min())), random_state=seed)
        return cls(labels_N, tuple(row_H for _, row_H in split.split(None, hideable_N)))

    @property
    def n(self) -> int:
        """How many labels are hidden in all."""
        return sum(map(len, self.folds))

    def ask(self, fold: int, fit: Fit) -> Guesses:
        """What `fit` finds of the labels that one fold hides."""
        row_H = self.folds[fold]
        shown_N = self.labels_N.copy()
        shown_N[row_H] = UNLABELED
        return Guesses(row_H, self.labels_N[row_H], fit(shown_N, row_H))

    def right(self, fit: Fit) -> int:
        """How many of all hidden labels `fit` finds."""
        return sum(self.ask(fold, fit).right for fold in range(len(self.folds)))

    def right_within(self, seconds: float, fit: Fit) -> int | None:
        """The same; None as soon as a fold shows that all would take longer."""
        found = 0
        for fold in range(len(self.folds)):
            started = time.perf_counter()
            found += self.ask(fold, fit).right
            if len(self.folds) * (time.perf_counter() - started) > seconds:
                return None
        return found
