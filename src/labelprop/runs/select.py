"""The best examples of a pool for each class, kept while the pool goes by.

Yalniz et al. 2019 (and Zhuang et al. 2019, appendix B): every example stands for its P likeliest classes only, and
every class takes the K examples that score highest among those that stand for it. A pool may be any size: what is
held is at most two lists of K candidates a class and those of one batch. Zhuang et al. go on with the examples alone,
unlabeled; Yalniz et al. with these labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from labelprop.core.errors import RequestError
from labelprop.core.text import counted
from labelprop.runs.tables import id_array, names_of

MOST_NAMED = 5  # classes that are named in a sentence


@dataclass(frozen=True, slots=True, eq=False)
class ScoredPairs:
    """M pairs of an example and a class, and the probability that the example is of it."""

    classes_M: np.ndarray
    rows_M: np.ndarray
    scores_M: np.ndarray  # float32

    def __len__(self) -> int:
        return len(self.rows_M)

    def take(self, places: np.ndarray) -> ScoredPairs:
        return ScoredPairs(self.classes_M[places], self.rows_M[places], self.scores_M[places])


class BestOfClasses:
    """The `per_class` best rows of each class; ties go to the lower row, whatever order rows come in.

    Candidates gather until there are as many as there are places. Then one sort keeps the best, and the lowest score
    that a full class keeps is the threshold for what comes after; so sorting costs little, however long the pool is.
    """

    def __init__(self, n_classes: int, *, per_example: int, per_class: int) -> None:
        for name, value in (("--per-image", per_example), ("--per-class", per_class)):
            if value < 1:
                raise RequestError(f"{name} {value} must be at least 1.")
        self.per_example, self.per_class = min(per_example, n_classes), per_class
        self._bar_C = np.full(n_classes, -np.inf, np.float32)
        self._gathered: list[ScoredPairs] = []

    @property
    def held(self) -> int:
        """How many candidates are in memory."""
        return sum(map(len, self._gathered))

    def offer(self, rows_B: np.ndarray, scores_BC: np.ndarray) -> None:
        """Rows of the pool, each of which comes once, and how well each fits every class."""
        classes_BP = np.argsort(-scores_BC, axis=1, kind="stable")[:, : self.per_example]
        scores_BP = np.take_along_axis(scores_BC, classes_BP, axis=1)
        rows_BP = np.broadcast_to(rows_B[:, None], classes_BP.shape)
        enters_BP = scores_BP >= self._bar_C[classes_BP]
        self._gathered.append(ScoredPairs(classes_BP[enters_BP], rows_BP[enters_BP], scores_BP[enters_BP]))
        if self.held >= 2 * self.per_class * len(self._bar_C):
            self.best()

    def best(self) -> tuple[ScoredPairs, np.ndarray]:
        """The rows kept so far, by class and rank, and the ranks from 1."""
        parts = self._gathered
        candidates = ScoredPairs(
            np.concatenate([np.zeros(0, np.int64), *(part.classes_M for part in parts)]),
            np.concatenate([np.zeros(0, np.int64), *(part.rows_M for part in parts)]),
            np.concatenate([np.zeros(0, np.float32), *(part.scores_M for part in parts)]),
        )
        candidates = candidates.take(np.lexsort((candidates.rows_M, -candidates.scores_M, candidates.classes_M)))
        counts_C = np.bincount(candidates.classes_M, minlength=len(self._bar_C))
        ranks_M = 1 + np.arange(len(candidates)) - np.repeat(np.cumsum(counts_C) - counts_C, counts_C)
        last_M = ranks_M == self.per_class
        self._bar_C[candidates.classes_M[last_M]] = candidates.scores_M[last_M]
        kept_M = ranks_M <= self.per_class
        self._gathered = [candidates.take(kept_M)]
        return self._gathered[0], ranks_M[kept_M]


def selection_table(ids: Sequence[str], classes: Sequence[str], selection: BestOfClasses) -> pa.Table:
    """selected.parquet: `id, label, score, rank`, by class and then rank; an id may stand under several classes."""
    kept, ranks_M = selection.best()
    return pa.table(
        {
            "id": id_array([ids[row] for row in kept.rows_M.tolist()]),
            "label": names_of(kept.classes_M, classes),
            "score": pa.array(kept.scores_M, pa.float32()),
            "rank": pa.array(ranks_M, pa.int32()),
        }
    )


def what_was_selected(n: int, classes: Sequence[str], selection: BestOfClasses) -> list[str]:
    """How much of a pool of `n` was taken, and which classes got fewer than they have places for."""
    kept, _ = selection.best()
    distinct = len(np.unique(kept.rows_M))
    lines = [
        f"{counted(len(kept), 'place')} in {counted(len(classes), 'class')} taken by {distinct:,} of "
        + counted(n, "example")
    ]
    counts_C = np.bincount(kept.classes_M, minlength=len(classes))
    short = np.flatnonzero(counts_C < selection.per_class)
    if len(short):
        named = ", ".join(f"'{classes[code]}' {counts_C[code]:,}" for code in short[:MOST_NAMED])
        more = f", and {len(short) - MOST_NAMED:,} more" if len(short) > MOST_NAMED else ""
        likeliest = f"its {selection.per_example} likeliest" if selection.per_example > 1 else "its likeliest"
        lines.append(
            f"warning: fewer than {selection.per_class:,} examples have the class among {likeliest} in "
            f"{counted(len(short), 'class')}: {named}{more}"
        )
    return lines
