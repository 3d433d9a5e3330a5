"""Counts per class and per confusion, over the rows that got their label from the run."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from labelprop.report.gather.numbers import Share
from labelprop.report.gather.page import Run


@dataclass(frozen=True, slots=True)
class ClassCount:
    """One label: how often it was given, how often the run handed it out, how much of that is right."""

    code: int
    given: int
    got: int
    share: Share  # among those with truth
    doubt: float  # 1 - mean certainty; 0 where nothing got the label


@dataclass(frozen=True, slots=True)
class Pair:
    """`count` rows of the class `truth` carry the label `label`; `of` rows have that truth."""

    truth: int
    label: int
    count: int
    of: int


@dataclass(frozen=True, eq=False)
class Classes:
    """Per-class numbers of a run."""

    run: Run

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

    @cached_property
    def weakest_first(self) -> tuple[ClassCount, ...]:
        """By share right where truth is known, else by doubt; unused labels last."""

        def weakness(entry: ClassCount) -> tuple[bool, float, float, int]:
            share = entry.share.value if entry.share.n else 1.0
            return (entry.got == 0, share if self.run.has_truth else 0.0, -entry.doubt, entry.code)

        return tuple(sorted(self.counts, key=weakness))

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
    def pairs(self) -> tuple[Pair, ...]:
        """The confusions that occur, commonest first, ties in the order of the classes."""
        matrix, of = self.matrix, self.matrix.sum(1)
        truths, labels = np.nonzero(matrix)
        found = [
            Pair(int(t), int(k), int(matrix[t, k]), int(of[t])) for t, k in zip(truths, labels, strict=True) if t != k
        ]
        return tuple(sorted(found, key=lambda pair: (-pair.count, pair.truth, pair.label)))

    def examples(self, code: int, n: int) -> tuple[list[int], list[int]]:
        """Up to `n` shown rows of a label each: the most certain, and of the others the least certain."""
        rows = self.run.rows
        inside_M = np.flatnonzero(rows.pool_N & rows.shown_N & (rows.label_N == code))
        order_M = inside_M[np.argsort(-rows.exact_N[inside_M], kind="stable")].tolist()
        return order_M[:n], order_M[::-1][: min(n, max(0, len(order_M) - n))]

    def mistakes(self, pair: Pair, n: int) -> list[int]:
        """Up to `n` shown rows of a confusion, the most certain first."""
        rows = self.run.rows
        inside_N = rows.wrong_N & rows.shown_N & (rows.truth_N == pair.truth) & (rows.label_N == pair.label)
        inside_M = np.flatnonzero(inside_N)
        return inside_M[np.argsort(-rows.exact_N[inside_M], kind="stable")][:n].tolist()  # type: ignore[no-any-return]
