"""Cross-validation on the given labels: each fold hides some, and a `Fit` that sees the others predicts them.

`AutoPropagation` chooses by these predictions, so does `--recipe auto`, and a propagation is compared with the labels
alone by them. No truth is read.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from labelprop.core.types import UNLABELED
from labelprop.data.labels.folds import SeedKFold

FEWEST = 3  # labels of a class, for hiding some to leave what can be compared
MOST_HIDDEN = 300  # labels after which no further fold is asked: what they say of a few weights is said by then

# Labels (N,) with the hidden ones -1, and the hidden rows (H,) -> predicted classes (H,), -1 where there is none.
Fit = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True, slots=True, eq=False)
class Guesses:
    """Given and predicted classes of the H labels that one fold hid."""

    row_H: np.ndarray
    label_H: np.ndarray
    guess_H: np.ndarray

    @property
    def right_H(self) -> np.ndarray:
        """Which predictions are right, bool."""
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
    def dealt(cls, labels_N: np.ndarray, most_folds: int, seed: int | None = None, fewest: int = 2) -> HiddenLabels:
        """Folds that hide every label once; each fold hides an even share of a class and leaves it some.

        Labels of a class with less than `fewest` (2 at least) are never hidden; where every class has so few, there
        are no folds. There are at most as many as any other class has labels. Labels are dealt in row order, or with
        `seed` in a random one.
        """
        counts_C = np.bincount(labels_N[labels_N >= 0], minlength=1)
        hideable_N = np.where((labels_N >= 0) & (counts_C >= fewest)[labels_N], labels_N, UNLABELED)
        if (hideable_N == UNLABELED).all():
            return cls(labels_N, ())
        split = SeedKFold(min(most_folds, int(counts_C[counts_C >= fewest].min())), random_state=seed)
        return cls(labels_N, tuple(row_H for _, row_H in split.split(None, hideable_N)))

    @classmethod
    def by_content(cls, labels_N: np.ndarray, most_folds: int, keys_N: np.ndarray) -> HiddenLabels:
        """Folds that do not depend on the order of the rows: labels are dealt in the order of `keys_N`.

        A class starts in the fold after the one where the class before stopped, so that one with two labels or more
        keeps some in every fold. Labels of a class with less than `FEWEST` are never hidden: with one of two gone
        half of what is known of a class is missing, and what serves best then is not what serves best with both. Of
        very many labels the first folds are enough: those that hide `MOST_HIDDEN`.
        """
        counts_C = np.bincount(labels_N[labels_N >= 0], minlength=1)
        row_H = np.flatnonzero((labels_N >= 0) & (counts_C >= FEWEST)[labels_N])
        row_H = row_H[np.lexsort((keys_N[row_H], labels_N[row_H]))]
        n_folds = min(most_folds, len(row_H))
        folds = [np.sort(row_H[fold::n_folds]) for fold in range(n_folds)]
        enough = int(np.searchsorted(np.cumsum([len(fold) for fold in folds]), MOST_HIDDEN)) + 1
        return cls(labels_N, tuple(folds[:enough]))

    @property
    def n(self) -> int:
        """How many labels are hidden in all."""
        return sum(map(len, self.folds))

    def ask(self, fold: int, fit: Fit) -> Guesses:
        """What `fit` predicts for the labels that one fold hides."""
        row_H = self.folds[fold]
        shown_N = self.labels_N.copy()
        shown_N[row_H] = UNLABELED
        return Guesses(row_H, self.labels_N[row_H], fit(shown_N, row_H))

    def right(self, fit: Fit) -> int:
        """How many of all hidden labels `fit` predicts right."""
        return sum(self.ask(fold, fit).right for fold in range(len(self.folds)))

    def right_within(self, seconds: float, fit: Fit) -> int | None:
        """The same; None as soon as one fold took so long that all folds would exceed `seconds`."""
        found = 0
        for fold in range(len(self.folds)):
            started = time.perf_counter()
            found += self.ask(fold, fit).right
            if len(self.folds) * (time.perf_counter() - started) > seconds:
                return None
        return found
