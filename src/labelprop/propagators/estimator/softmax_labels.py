"""Labels from scores of any sign whose differences count: Poisson learning and the mean-shifted harmonic solution."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.outcome import conclude
from labelprop.propagators.estimator.sinks import AllClasses, Blocks, class_sink
from labelprop.propagators.estimator.top_classes import is_wide
from labelprop.propagators.systems.seed_components import SeedComponents

ROUNDING = 8  # units in the last place
SMALLEST = 1e-6  # of the largest score: smaller differences count where the solver was stopped early


@dataclass(frozen=True, slots=True, eq=False)
class SoftmaxReading:
    """Distributions softmax(score / s), s = RMS over reached unlabeled rows of (row maximum - row mean), and labels.

    A component whose seeds share one class gets that class; a class without seeds in a component has share 0 there.
    """

    parts: SeedComponents
    seeds: Seeds
    tol: float
    top: int | None
    class_prior: torch.Tensor | None = None  # pi (C,): shares times pi / ybar, labels by scores times it
    masses: Callable[[torch.Tensor], torch.Tensor] | None = None  # factors (C,) from shares of unlabeled rows
    volume: Any = None

    def read(self, blocks: Callable[[], Blocks], like: torch.Tensor, *before: Verdict) -> Propagation:
        """Labels from scores, 0 outside mixed components, that `blocks` gives a block of classes at a time.

        It is called twice where all classes are too many to hold: once for s and the largest scores, once for the
        shares. `before` are verdicts of what was solved to get there.
        """
        parts, seeds = self.parts, self.seeds
        if not is_wide(seeds.n, seeds.n_classes):
            kept = list(blocks())
            blocks = lambda: kept  # noqa: E731
        ratio_GC = None if self.class_prior is None else _prior_ratios(self.class_prior, parts)
        peaks, verdicts = _Peaks(seeds.n, like), [*before]
        for first, solved in blocks():
            verdicts.append(solved.verdict(self.tol))
            peaks.add(solved.solution_NC, first, parts, ratio_GC)
        verdict = Verdict.worst(*verdicts)
        reached_N = peaks.nonzero_N & (parts.mixed_N >= 0)
        spread_N = (peaks.high_N - peaks.sum_N / seeds.n_classes).to(like.dtype)
        scale = _scale(spread_N[reached_N & ~seeds.mask_N], peaks.largest, verdict.residual)
        sink = class_sink(seeds, self.top, like)
        for first, solved in blocks():
            scores_NB = solved.solution_NC
            classes = range(first, first + scores_NB.shape[1])
            shares_NB = ((scores_NB - peaks.peak_N[:, None]) / scale).exp()
            seedless_NB = parts.seedless(classes)
            if seedless_NB is not None:
                shares_NB.masked_fill_(seedless_NB, 0)
            if ratio_GC is not None:
                shares_NB *= parts.spread(ratio_GC[:, classes.start : classes.stop]).to(like.dtype)
            shares_NB[~reached_N] = 0
            parts.write_single(scores_NB, classes)
            parts.write_single(shares_NB, classes)
            sink.add(shares_NB, first, scores_NB)
        reached_N |= parts.single_N >= 0
        if self.masses is not None:
            assert isinstance(sink, AllClasses)
            sink.rescale(self.masses(sink.shares[reached_N & ~seeds.mask_N]), reached_N)
        sink.rebalance(reached_N, seeds, self.volume)
        labels_N = sink.labels_N
        if ratio_GC is not None:
            labels_N = peaks.labels_N.where(parts.single_N < 0, parts.single_N)
        return conclude(sink.scores, sink.shares, sink.certainty(), reached_N, seeds, verdict, labels_N=labels_N)


class _Peaks:
    """What the softmax needs of a row's scores in all classes before any share can be computed."""

    def __init__(self, n: int, like: torch.Tensor) -> None:
        self.high_N, self.peak_N, self._best_N = (like.new_full((n,), -torch.inf) for _ in range(3))
        self.largest = like.new_zeros(())
        self.sum_N = like.new_zeros(n, dtype=torch.float64)
        self.labels_N = like.new_zeros(n, dtype=torch.int64)  # ties: the lowest class
        self.nonzero_N = like.new_zeros(n, dtype=torch.bool)

    def add(self, scores_NB: torch.Tensor, first: int, parts: SeedComponents, ratio_GC: torch.Tensor | None) -> None:
        """Scores of the classes from `first` on, in ascending blocks."""
        classes = range(first, first + scores_NB.shape[1])
        self.largest = torch.maximum(self.largest, scores_NB.abs().max())
        self.high_N = torch.maximum(self.high_N, scores_NB.amax(dim=1))
        self.sum_N += scores_NB.sum(dim=1, dtype=torch.float64)
        self.nonzero_N |= (scores_NB != 0).any(dim=1)
        seedless_NB = parts.seedless(classes)
        if seedless_NB is not None:
            scores_NB = scores_NB.masked_fill(seedless_NB, -torch.inf)
        self.peak_N = torch.maximum(self.peak_N, scores_NB.amax(dim=1))
        if ratio_GC is None:
            return
        weighed_NB = parts.spread(ratio_GC[:, list(classes)]).to(scores_NB.dtype) * scores_NB
        if seedless_NB is not None:
            weighed_NB.masked_fill_(seedless_NB, -torch.inf)  # 0 times infinity
        best = weighed_NB.max(dim=1)
        higher_N = best.values > self._best_N
        self.labels_N = torch.where(higher_N, best.indices + first, self.labels_N)
        self._best_N = torch.where(higher_N, best.values, self._best_N)


def _scale(spread_M: torch.Tensor, largest: torch.Tensor, residual: float) -> torch.Tensor:
    """s, the root mean square; 1 where it would be 0 or has no rows.

    Differences within rounding and the solver's residual count as 0: they carry no information about classes.
    """
    if not len(spread_M):
        return spread_M.new_ones(())
    mean = spread_M.double().square().mean().sqrt()
    unknown = max(ROUNDING * torch.finfo(spread_M.dtype).eps, min(residual, SMALLEST))
    return mean.masked_fill(mean <= unknown * largest.double(), 1).to(spread_M.dtype)


def _prior_ratios(class_prior: torch.Tensor, parts: SeedComponents) -> torch.Tensor:
    """pi / ybar of the mixed components (G, C), scaled to the largest; 0 where a class has no seeds."""
    shares_GC = parts.shares_GC
    ratio_GC = torch.where(shares_GC > 0, class_prior.to(shares_GC.device) / shares_GC, 0)
    return ratio_GC / ratio_GC.amax(dim=1, keepdim=True) if len(ratio_GC) else ratio_GC
