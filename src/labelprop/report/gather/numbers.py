"""Shares, intervals, certainties and thresholds. Everything is rounded once, here, before it is counted.

A certainty is cut (not rounded) to thousandths, so that "0.929 or more" on the page holds exactly the rows
that `certainty >= 0.929` selects in labels.parquet, and 1 is only what is 1.

Legend: N examples of a run, P of them unlabeled and with a label now, K distinct certainties.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from labelprop.evaluation.metrics import wilson

TARGETS = (0.9, 0.95, 0.99)  # shares right that a threshold is offered for
USUAL, HIGHER = 0.95, 0.99  # the one offered first; and where all labels together reach that
FEWEST_KNOWN = 20  # rows with truth that a threshold rests on
MOST_BANDS, FEWEST_IN_BAND = 10, 10
CERTAIN = 1000  # thousandths


def thousandths(values_N: np.ndarray) -> np.ndarray:
    """float32 in [0, 1] to whole thousandths, cut; 1000 only where the value is 1 (int64)."""
    exact_N = np.asarray(values_N, dtype=np.float32)
    # 1e-4 of a thousandth brings back what float32 took from a decimal: 0.98 is stored as 0.97999998.
    cut_N = np.floor(exact_N.astype(np.float64) * 1000 + 1e-4).astype(np.int64)
    return np.clip(np.where(exact_N >= 1, CERTAIN, np.minimum(cut_N, CERTAIN - 1)), 0, CERTAIN)


def certainty_text(value: int) -> str:
    """Three decimals; "1" only for exactly 1."""
    return "1" if value >= CERTAIN else f"{value / 1000:.3f}"


def percent(part: int, whole: int) -> str:
    """One decimal, half up; 100% only for all, 0% only for none."""
    if part >= whole:
        return "100%"
    return _tenths((2000 * part + whole) // (2 * whole), part == 0)


def percent_of(share: float) -> str:
    """As `percent`, for a share that is not a count."""
    if share >= 1:
        return "100%"
    return _tenths(math.floor(1000 * share + 0.5), share <= 0)


def signed(value: float, digits: int = 2) -> str:
    """With a real minus sign; never minus zero."""
    text = f"{value:,.{digits}f}"
    return text.lstrip("-") if not text.strip("-0.,") else text.replace("-", "−")


def _tenths(value: int, nothing: bool) -> str:
    if nothing:
        return "0%"
    return "under 0.1%" if value == 0 else f"{min(value, 999) / 10:.1f}%"


@dataclass(frozen=True, slots=True)
class Share:
    """`right` of `n`, as text and with its interval."""

    right: int
    n: int

    @property
    def wrong(self) -> int:
        return self.n - self.right

    @property
    def value(self) -> float:
        return self.right / self.n if self.n else 0.0

    @property
    def percent(self) -> str:
        return percent(self.right, self.n) if self.n else "not known"

    @property
    def bounds(self) -> tuple[float, float]:
        return wilson(self.right, self.n)

    @property
    def interval(self) -> str:
        low, high = self.bounds
        return f"{percent_of(low)} to {percent_of(high)}"

    @property
    def most_wrong(self) -> str:
        """The share of errors that the interval still allows."""
        return percent_of(1 - self.bounds[0])


@dataclass(frozen=True, slots=True)
class Band:
    """Rows with `low` <= certainty <= `high` (thousandths)."""

    low: int
    high: int
    rows: int
    share: Share  # among those with truth

    @property
    def name(self) -> str:
        low, high = certainty_text(self.low), certainty_text(self.high)
        return low if low == high else f"{low} to {high}"


@dataclass(frozen=True, eq=False)
class Trust:
    """The P newly labeled rows by certainty: what is kept at each threshold, and how much of it is right."""

    certainty_P: np.ndarray  # thousandths
    exact_P: np.ndarray  # as stored; orders rows within a thousandth
    known_P: np.ndarray  # bool: the truth is known
    wrong_P: np.ndarray  # bool: it differs from the label

    @property
    def n(self) -> int:
        return len(self.certainty_P)

    @cached_property
    def order_P(self) -> np.ndarray:
        """Positions, most certain first, ties by input order."""
        return np.argsort(-self.exact_P, kind="stable")

    @cached_property
    def all(self) -> Share:
        return self._share(np.ones(self.n, dtype=bool))

    @cached_property
    def levels(self) -> tuple[tuple[int, int, int, int], ...]:
        """(certainty, rows, known, right) of each distinct certainty, best first."""
        values_K, where_P = np.unique(self.certainty_P, return_inverse=True)
        k = len(values_K)
        counts = [
            np.bincount(where_P, mask, k).astype(int) for mask in (None, self.known_P, self.known_P & ~self.wrong_P)
        ]
        return tuple(zip(*(column[::-1].tolist() for column in (values_K, *counts)), strict=True))

    @property
    def ranks(self) -> bool:
        """Whether the certainty tells rows apart: not where more than half of them share the lowest."""
        return len(self.levels) > 1 and 2 * self.levels[-1][1] <= self.n

    @property
    def is_measured(self) -> bool:
        """Whether enough truth is known to say how many are right above a threshold."""
        return self.all.n >= FEWEST_KNOWN

    def reach(self, target: float) -> int:
        """The most rows kept of which at least the share `target` is right, where truth is known; 0 for none."""
        kept_K, known_K, right_K = self._cumulative
        enough_K = (known_K >= FEWEST_KNOWN) & (right_K >= target * known_K)
        return int(kept_K[enough_K].max(initial=0))

    @cached_property
    def target(self) -> float:
        """The share right that a threshold is offered for: a higher one where all labels together reach the usual."""
        return HIGHER if self.reach(USUAL) == self.n and self.reach(HIGHER) else USUAL

    @cached_property
    def kept(self) -> int:
        """How many the page keeps to begin with, a whole number of levels.

        As many as reach the target; where none do, those with the highest share right. Without a truth all but the
        least certain band, or all where the certainty does not rank them.
        """
        if self.is_measured:
            kept_K, known_K, right_K = self._cumulative
            share_K = np.where(known_K >= FEWEST_KNOWN, right_K / np.maximum(known_K, 1), -1)
            return self.reach(self.target) or int(kept_K[::-1][np.argmax(share_K[::-1])])
        return self.n - self.bands[-1].rows if self.ranks and len(self.bands) > 1 else self.n

    @cached_property
    def _cumulative(self) -> np.ndarray:
        """(3, K) rows, rows with truth and right ones down to each level, best first."""
        counts = np.array([level[1:] for level in self.levels], dtype=np.int64).reshape(-1, 3)
        sums_3K: np.ndarray = counts.cumsum(0).T
        return sums_3K

    @property
    def rest(self) -> int:
        return self.n - self.kept

    @property
    def threshold(self) -> int:
        """The least certainty among those kept, in thousandths."""
        return int(self.certainty_P[self.order_P[self.kept - 1]]) if self.n else 0

    @property
    def kept_share(self) -> Share:
        return self._share(self.certainty_P >= self.threshold)

    @property
    def rest_share(self) -> Share:
        return self._share(self.certainty_P < self.threshold)

    @cached_property
    def bands(self) -> tuple[Band, ...]:
        """Quantiles of the certainty, best first, as even as whole levels allow: ten, but of ten rows at least."""
        ends_K = self._cumulative[0]
        parts = min(MOST_BANDS, max(1, self.n // FEWEST_IN_BAND)) if self.n else 0
        last = sorted({int(np.abs(ends_K - self.n * part / parts).argmin()) for part in range(1, parts + 1)})
        found = []
        for first, end in pairwise((0, *(place + 1 for place in last))):
            low, high = self.levels[end - 1][0], self.levels[first][0]
            rows, known, right = np.array(self.levels[first:end])[:, 1:].sum(0).tolist()
            found.append(Band(low, high, rows, Share(right, known)))
        return tuple(found)

    def _share(self, inside_P: np.ndarray) -> Share:
        known_P = inside_P & self.known_P
        return Share(int((known_P & ~self.wrong_P).sum()), int(known_P.sum()))
