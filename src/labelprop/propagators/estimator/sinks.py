"""Results as they come in, a block of classes or some rows at a time: dense where that fits, else CSR.

Labels, certainties and what is reached are over all classes in either form.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.numbered import top
from labelprop.functional.solve import ColumnSolve, Verdict
from labelprop.functional.weigh import entropy_certainty, normalize_rows, smoothed_shares, volume_factors
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.outcome import DIRECT, conclude
from labelprop.propagators.estimator.top_classes import is_wide, n_kept, to_csr

ELEMENTS = {"cpu": 1 << 20, "cuda": 1 << 28}  # scores looked through at once

Blocks = Iterable[tuple[int, ColumnSolve]]  # the first class of a block, and the solution for its classes


def solve_blocks(system: Any, seeds: Seeds, **settings: Any) -> Iterator[tuple[int, ColumnSolve]]:
    """The classes of a system in ascending blocks: all at once where results are dense, else as it asks for."""
    whole = [(0, seeds.n_classes)]
    for start, stop in system.class_blocks(seeds.n_classes) if is_wide(seeds.n, seeds.n_classes) else whole:
        yield start, system.solve(seeds, range(start, stop), **settings)


class AllClasses:
    """Takes non-negative scores a block of classes at a time and keeps them all."""

    labels_N: torch.Tensor | None = None  # the argmax of `shares`

    def __init__(self) -> None:
        self._weighed: list[torch.Tensor] = []
        self._raw: list[torch.Tensor] = []

    def add(self, scores_NB: torch.Tensor, first: int, raw_NB: torch.Tensor | None = None) -> None:
        """Scores of the classes from `first` on, in ascending blocks.

        `raw_NB` is what to give back as scores where shares are of `scores_NB`; if given, then with every block.
        """
        self._weighed.append(scores_NB)
        self._raw.append(scores_NB if raw_NB is None else raw_NB)

    @cached_property
    def scores(self) -> torch.Tensor:
        """(N, C)."""
        return torch.cat(self._raw, dim=1) if len(self._raw) > 1 else self._raw[0]

    @cached_property
    def shares(self) -> torch.Tensor:
        """Distributions (N, C); uniform where all scores are 0."""
        return normalize_rows(torch.cat(self._weighed, dim=1) if len(self._weighed) > 1 else self._weighed[0])

    def nonzero(self) -> torch.Tensor:
        """Which rows have any positive score (N,), bool."""
        return torch.stack([(part > 0).any(dim=1) for part in self._weighed]).any(dim=0)

    def certainty(self) -> torch.Tensor:
        """1 - H / log C over all classes (N,); 1 where C = 1."""
        return entropy_certainty(self.shares)

    def share(self) -> torch.Tensor:
        """The largest share of each row (N,)."""
        return self.shares.amax(dim=1)

    def rescale(self, factors_C: torch.Tensor, reached_N: torch.Tensor) -> None:
        """Multiplies the shares of these rows by factors of the classes."""
        self.shares = torch.where(reached_N[:, None], normalize_rows(self.shares * factors_C), self.shares)

    def rebalance(self, reached_N: torch.Tensor, seeds: Seeds, volume: Any) -> None:
        """Rescales until the labels of unlabeled ones of these rows have the shares `volume`, where that is given.

        "seeds" stands for the shares of the seeds, each class plus one; others (C,) may have any sum.
        """
        if volume is not None:
            wanted = smoothed_shares(seeds.totals_C()) if isinstance(volume, str) else volume
            wanted_C = torch.as_tensor(wanted, dtype=torch.float64)
            factors_C = volume_factors(self.shares[reached_N & ~seeds.mask_N], wanted_C)
            self.rescale(factors_C, reached_N | seeds.mask_N)


class TopClasses:
    """As `AllClasses`, but keeps the `top` best classes of each row; `volume` was refused (`check_volume`)."""

    def __init__(self, seeds: Seeds, top: int | None, like: torch.Tensor) -> None:
        n = seeds.n
        self._n_classes, self._top = seeds.n_classes, n_kept(top, seeds.n_classes)
        self._values_NM = like.new_full((n, self._top), -1)  # below all scores
        self._classes_NM = like.new_zeros(n, self._top, dtype=torch.int32)
        self._raw_NM: torch.Tensor | None = None
        self._best_N = like.new_zeros(n)
        self.labels_N = like.new_zeros(n, dtype=torch.int64)  # ties: the lowest class
        self._sum_N, self._z_log_z_N = (like.new_zeros(n, dtype=torch.float64) for _ in range(2))

    def add(self, scores_NB: torch.Tensor, first: int, raw_NB: torch.Tensor | None = None) -> None:
        if raw_NB is not None and self._raw_NM is None:
            self._raw_NM = torch.zeros_like(self._values_NM)
        for start, stop in spans(len(scores_NB), self._top + scores_NB.shape[1], ELEMENTS[scores_NB.device.type]):
            rows = slice(start, stop)
            self._add(rows, scores_NB[rows], first, None if raw_NB is None else raw_NB[rows])

    def _add(self, rows: slice, scores_BB: torch.Tensor, first: int, raw_BB: torch.Tensor | None) -> None:
        self._sum_N[rows] += scores_BB.sum(dim=1, dtype=torch.float64)
        logs_BB = scores_BB.clamp_min(torch.finfo(scores_BB.dtype).tiny).log_()  # a third of the time of xlogy
        self._z_log_z_N[rows] += logs_BB.mul_(scores_BB).sum(dim=1, dtype=torch.float64)
        best = scores_BB.max(dim=1)
        higher_B = best.values > self._best_N[rows]
        self.labels_N[rows] = torch.where(higher_B, best.indices + first, self.labels_N[rows])
        self._best_N[rows] = torch.where(higher_B, best.values, self._best_N[rows])
        values_BM, places_BM = top(torch.cat([self._values_NM[rows], scores_BB], dim=1), self._top)
        known_BM = self._classes_NM[rows].gather(1, places_BM.clamp_max(self._top - 1))
        self._classes_NM[rows] = torch.where(places_BM < self._top, known_BM, places_BM.int() + (first - self._top))
        self._values_NM[rows] = values_BM
        if raw_BB is not None and self._raw_NM is not None:
            self._raw_NM[rows] = torch.cat([self._raw_NM[rows], raw_BB], dim=1).gather(1, places_BM)

    @property
    def scores(self) -> torch.Tensor:
        return self._sparse(self._values_NM if self._raw_NM is None else self._raw_NM)

    @property
    def shares(self) -> torch.Tensor:
        return self._sparse(normalize_rows(self._values_NM))

    def _sparse(self, values_NM: torch.Tensor) -> torch.Tensor:
        classes_NM, places_NM = self._classes_NM.sort(dim=1)
        return to_csr(classes_NM, values_NM.gather(1, places_NM), self._n_classes)

    def nonzero(self) -> torch.Tensor:
        return self._best_N > 0

    def certainty(self) -> torch.Tensor:
        if self._n_classes == 1:
            return torch.ones_like(self._best_N)
        sum_N = self._sum_N.masked_fill(self._sum_N == 0, 1)
        entropy_N = sum_N.log() - self._z_log_z_N / sum_N
        return (1 - entropy_N / math.log(self._n_classes)).clamp(0, 1).to(self._best_N.dtype)

    def share(self) -> torch.Tensor:
        sum_N = self._sum_N.masked_fill(self._sum_N == 0, 1)
        share_N = (self._best_N / sum_N).to(self._best_N.dtype)
        return share_N.masked_fill(self._best_N == 0, 1 / self._n_classes)

    def rebalance(self, reached_N: torch.Tensor, seeds: Seeds, volume: Any) -> None:
        assert volume is None


def class_sink(seeds: Seeds, top: int | None, like: torch.Tensor) -> AllClasses | TopClasses:
    """What takes results a block of classes at a time, on the device and in the type of `like`."""
    return TopClasses(seeds, top, like) if is_wide(seeds.n, seeds.n_classes) else AllClasses()


class RowSink:
    """Takes results some rows at a time, each once; rows that never come are unreached."""

    def __init__(self, seeds: Seeds, top: int | None, like: torch.Tensor) -> None:
        self._seeds, wide = seeds, is_wide(seeds.n, seeds.n_classes)
        width = n_kept(top, seeds.n_classes) if wide else seeds.n_classes
        self._classes_NM = torch.arange(width, device=like.device).repeat(seeds.n, 1) if wide else None
        self._scores_NM = like.new_zeros(seeds.n, width)
        self._shares_NM = torch.full_like(self._scores_NM, 1 / width)
        self._labels_N = like.new_zeros(seeds.n, dtype=torch.int64)
        self._certainty_N = like.new_zeros(seeds.n)
        self._reached_N = like.new_zeros(seeds.n, dtype=torch.bool)

    def put(
        self,
        rows: torch.Tensor | slice,
        scores_BW: torch.Tensor,
        shares_BW: torch.Tensor,
        certainty_B: torch.Tensor,
        labels_B: torch.Tensor | None = None,
        classes_BW: torch.Tensor | None = None,
    ) -> None:
        """What these rows have of all classes; their label is that of the largest share (ties: the lowest class).

        Where results are sparse, what they have of `classes_BW` (ascending, then -1) will do: 0 of all others.
        """
        best_B = shares_BW.argmax(dim=1) if labels_B is None else labels_B
        if self._classes_NM is not None:
            places_BM = shares_BW.topk(self._classes_NM.shape[1], dim=1).indices.sort(dim=1).values
            scores_BW, shares_BW = scores_BW.gather(1, places_BM), normalize_rows(shares_BW.gather(1, places_BM))
            if classes_BW is not None:
                best_B, places_BM = classes_BW.gather(1, best_B[:, None]).squeeze(1), classes_BW.gather(1, places_BM)
            self._classes_NM[rows] = places_BM
        self._labels_N[rows], self._certainty_N[rows], self._reached_N[rows] = best_B, certainty_B, True
        self._scores_NM[rows], self._shares_NM[rows] = scores_BW, shares_BW

    def concluded(self, verdict: Verdict = DIRECT) -> Propagation:
        """The result, with the verdict of what was solved for it."""
        scores, shares = self._scores_NM, self._shares_NM
        if self._classes_NM is not None:
            scores, shares = (to_csr(self._classes_NM, part, self._seeds.n_classes) for part in (scores, shares))
        found = (scores, shares, self._certainty_N, self._reached_N, self._seeds)
        return conclude(*found, verdict, labels_N=self._labels_N)
