"""Counts per class and per confusion, over the rows that got their label from the run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelprop.report.gather.finished_run import FinishedRun
from labelprop.report.gather.numbers import Share
from labelprop.report.words import by_class

NAMED_ERRORS = 2  # one error does not make a label weak
COMMON_ERRORS = 3  # fewer errors of a kind are no reason to label more of a class
COMMON_SHARE = 0.1  # of all errors: rarer ones would change little
NEIGHBORS_ON_MAP = 10  # whose majority says in which group a dot lies


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One label: how often it was given, how often the run handed it out, how much of that is right."""

    code: int
    given: int
    got: int
    share: Share  # among those with truth
    doubt: float  # 1 - mean certainty; 0 where nothing got the label


@dataclass(frozen=True, slots=True)
class Confusion:
    """`count` rows of the class `truth` carry the label `label`; `of` rows have that truth."""

    truth: int
    label: int
    count: int
    of: int


@dataclass(frozen=True, eq=False)
class Classes:
    """Per-class numbers of a run."""

    run: FinishedRun

    @cached_property
    def counts(self) -> tuple[ClassCount, ...]:
        """In the order of `run.classes`."""
        rows, c = self.run.rows, len(self.run.classes)

        def tally(inside_N: np.ndarray) -> np.ndarray:
            return np.bincount(rows.label_N[inside_N], minlength=c)[:c]

        given, got, known = tally(rows.given_N & (rows.label_N >= 0)), tally(rows.pool_N), tally(rows.known_N)
        right = known - tally(rows.wrong_N)
        certainty = np.bincount(rows.label_N[rows.pool_N], rows.certainty_N[rows.pool_N] / 1000, c)[:c]
        doubt = np.where(got > 0, 1 - certainty / np.maximum(got, 1), 0)
        return tuple(
            ClassCount(k, int(given[k]), int(got[k]), Share(int(right[k]), int(known[k])), float(doubt[k]))
            for k in range(c)
        )

    @property
    def given(self) -> str:
        return by_class([entry.given for entry in self.counts])

    @cached_property
    def weakest_first(self) -> tuple[ClassCount, ...]:
        """By share right where truth is known, else by doubt; unused labels last."""

        def weakness(entry: ClassCount) -> tuple[bool, float, float, int]:
            share = entry.share.value if entry.share.n else 1.0
            return (entry.got == 0, share if self.run.has_truth else 0.0, -entry.doubt, entry.code)

        return tuple(sorted(self.counts, key=weakness))

    @cached_property
    def weakest(self) -> ClassCount | None:
        """The label with the smallest share right, where it is one alone and chance does not explain it."""
        measured = sorted((entry for entry in self.counts if entry.share.n), key=lambda entry: entry.share.value)
        if not measured or (len(measured) > 1 and measured[0].share.value == measured[1].share.value):
            return None
        share = measured[0].share
        clearly = share.wrong >= NAMED_ERRORS and share.bounds[1] < self.run.trust.all.value
        return measured[0] if clearly else None

    @cached_property
    def doubtful_first(self) -> tuple[ClassCount, ...]:
        return tuple(sorted(self.counts, key=lambda entry: (entry.got == 0, -entry.doubt, entry.code)))

    @cached_property
    def matrix(self) -> np.ndarray:
        """(names, names) counts: truth by label."""
        rows, c = self.run.rows, len(self.run.names)
        matrix = np.zeros((c, c), dtype=np.int64)
        np.add.at(matrix, (rows.truth_N[rows.known_N], rows.label_N[rows.known_N]), 1)
        return matrix

    @cached_property
    def pairs(self) -> tuple[Confusion, ...]:
        """The confusions that occur, commonest first, ties in the order of the classes."""
        matrix, of = self.matrix, self.matrix.sum(1)
        truths, labels = np.nonzero(matrix)
        found = [
            Confusion(int(t), int(k), int(matrix[t, k]), int(of[t]))
            for t, k in zip(truths, labels, strict=True)
            if t != k
        ]
        return tuple(sorted(found, key=lambda pair: (-pair.count, pair.truth, pair.label)))

    @property
    def to_label(self) -> Confusion | None:
        """The commonest confusion, where it is one alone and more labels could reduce it."""
        if not self.pairs or self.pairs[0].count < max(COMMON_ERRORS, COMMON_SHARE * self.run.trust.all.wrong):
            return None
        tied = len(self.pairs) > 1 and self.pairs[1].count == self.pairs[0].count
        return None if tied else self.pairs[0]

    def examples(self, code: int, n: int) -> tuple[list[int], list[int]]:
        """Up to `n` shown rows of a label each: the most certain, and of the others the least certain."""
        rows = self.run.rows
        inside_M = np.flatnonzero(rows.pool_N & rows.shown_N & (rows.label_N == code))
        order_M = inside_M[np.argsort(-rows.exact_N[inside_M], kind="stable")].tolist()
        return order_M[:n], order_M[::-1][: min(n, max(0, len(order_M) - n))]

    def mistakes(self, pair: Confusion, n: int) -> list[int]:
        """Up to `n` shown rows of a confusion, the most certain first."""
        rows = self.run.rows
        inside_N = rows.wrong_N & rows.shown_N & (rows.truth_N == pair.truth) & (rows.label_N == pair.label)
        inside_M = np.flatnonzero(inside_N)
        return inside_M[np.argsort(-rows.exact_N[inside_M], kind="stable")][:n].tolist()  # type: ignore[no-any-return]


def firm_errors(run: FinishedRun) -> int:
    """Errors among those kept whose ten nearest on the map mostly carry the same label: no certainty shows them."""
    from scipy.spatial import cKDTree

    rows = run.rows
    on_map_M = np.flatnonzero(np.isfinite(rows.place_N2).all(1) & (rows.label_N >= 0))
    k = min(NEIGHBORS_ON_MAP, len(on_map_M) - 1)
    if k < 1:
        return 0
    place_M2, label_M = rows.place_N2[on_map_M], rows.label_N[on_map_M]
    nearest_MK = np.asarray(cKDTree(place_M2).query(place_M2, k + 1)[1])[:, 1:]
    alike_M = 2 * (label_M[nearest_MK] == label_M[:, None]).sum(1) > k
    kept_M = rows.certainty_N[on_map_M] >= run.trust.threshold
    return int((alike_M & kept_M & rows.wrong_N[on_map_M]).sum())
