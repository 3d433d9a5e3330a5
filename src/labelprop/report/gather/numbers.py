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

Z95 = 1.959963984540054  # the 97.5% quantile of the normal distribution
USUALLY_KEPT = 0.95  # to begin with: one in twenty is left to check
BAND_EDGES = (980, 950, 900, 800, 600)  # thousandths, closer together where most certainties of networks lie
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


def edge_text(value: int) -> str:
    """A band's end: two decimals, "1" for 1."""
    return "1" if value >= CERTAIN else f"{value / 1000:.2f}"


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


def wilson(part: int, whole: int) -> tuple[float, float]:
    """Wilson's 95% interval for a share (Wilson 1927); (0, 1) where nothing was counted."""
    if whole == 0:
        return 0.0, 1.0
    share, squared = part / whole, Z95 * Z95
    scale = 1 + squared / whole
    middle = share + squared / (2 * whole)
    reach = Z95 * math.sqrt(share * (1 - share) / whole + squared / (4 * whole * whole))
    low = 0.0 if part == 0 else max(0.0, (middle - reach) / scale)
    high = 1.0 if part == whole else min(1.0, (middle + reach) / scale)
    return low, high


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
    """Rows with `low` <= certainty < `high` (thousandths; the top band includes 1)."""

    low: int
    high: int
    rows: int
    share: Share  # among those with truth

    @property
    def name(self) -> str:
        if self.low == 0 and self.high < CERTAIN:
            return f"below {edge_text(self.high)}"
        return f"{edge_text(self.low) if self.low else '0'} to {edge_text(self.high)}"


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

    @cached_property
    def kept(self) -> int:
        """How many the page keeps to begin with: a whole number of levels, nearest to 95%.

        All of them where certainties do not rank rows: one level, or a lowest level with more than half of the rows.
        """
        ends = np.cumsum([rows for _, rows, _, _ in self.levels])[:-1]
        ends = ends[2 * ends >= self.n] if self.n else ends
        if not len(ends):
            return self.n
        return int(ends[::-1][np.argmin(np.abs(ends[::-1] - USUALLY_KEPT * self.n))])

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
        """Best first; empty ones at either end are merged into their neighbor."""
        edges = (CERTAIN, *BAND_EDGES, 0)
        found = []
        for high, low in pairwise(edges):
            inside_P = (self.certainty_P >= low) & ((self.certainty_P < high) | (high == CERTAIN))
            found.append(Band(low, high, int(inside_P.sum()), self._share(inside_P)))
        while len(found) > 1 and found[0].rows == 0:
            found[:2] = [Band(found[1].low, found[0].high, found[1].rows, found[1].share)]
        while len(found) > 1 and found[-1].rows == 0:
            found[-2:] = [Band(found[-1].low, found[-2].high, found[-2].rows, found[-2].share)]
        return tuple(found)

    def below(self, edge: int) -> tuple[int, Share]:
        """Rows under a certainty, and the share right among those with truth."""
        under_P = self.certainty_P < edge
        return int(under_P.sum()), self._share(under_P)

    def _share(self, inside_P: np.ndarray) -> Share:
        known_P = inside_P & self.known_P
        return Share(int((known_P & ~self.wrong_P).sum()), int(known_P.sum()))
