"""Labels from scores of any sign whose differences count: Poisson learning and the mean-shifted harmonic solution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve
from labelprop.functional.verdict import Verdict
from labelprop.functional.weigh import entropy_certainty, normalize_rows
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.outcome import conclude, rebalanced
from labelprop.propagators.systems.seed_components import SeedComponents

ROUNDING = 8  # units in the last place
SMALLEST = 1e-6  # of the largest score: smaller differences count where the solver was stopped early

Columns = Callable[[Sequence[int]], ColumnSolve]  # scores of some classes (N, B), 0 outside mixed components


def read_softmax(
    scores_NC: torch.Tensor,
    verdict: Verdict,
    parts: SeedComponents,
    seeds: Seeds,
    *,
    class_prior: torch.Tensor | None = None,
    masses: Callable[[torch.Tensor], torch.Tensor] | None = None,
    volume: Any = None,
) -> Propagation:
    """Distributions softmax(score / s), s = RMS over reached unlabeled rows of (row maximum - row mean), and labels.

    A component whose seeds share one class gets that class; a class without seeds in a component has share 0 there.
    `class_prior` pi (C,) multiplies distributions by pi / ybar, and labels are argmax_j (pi_j / ybar_j) score_j
    (Calder et al. 2020). `masses` gives factors (C,) of the classes from the distributions of unlabeled rows.
    """
    classes = range(seeds.n_classes)
    seedless_NC = parts.seedless(classes)
    reached_N = (scores_NC != 0).any(dim=1) & (parts.mixed_N >= 0)
    open_N = reached_N & ~seeds.mask_N
    spread_N = scores_NC.amax(dim=1) - scores_NC.mean(dim=1)
    shares_NC = scores_NC / _scale(spread_N[open_N], scores_NC.abs().max(), verdict.residual)
    if seedless_NC is not None:
        shares_NC.masked_fill_(seedless_NC, -torch.inf)
    shares_NC = shares_NC.softmax(dim=1)
    labels_N = None
    if class_prior is not None:
        ratio_NC = parts.spread(_prior_ratios(class_prior, parts)).to(scores_NC.dtype)
        weighed_NC = ratio_NC * scores_NC
        if seedless_NC is not None:
            weighed_NC.masked_fill_(seedless_NC, -torch.inf)
        labels_N = weighed_NC.argmax(dim=1).where(parts.single_N < 0, parts.single_N)
        shares_NC = normalize_rows(shares_NC * ratio_NC)
    parts.write_single(scores_NC, classes)
    parts.write_single(shares_NC, classes)
    reached_N |= parts.single_N >= 0
    shares_NC[~reached_N] = 1 / seeds.n_classes
    if masses is not None:
        factors_C = masses(shares_NC[reached_N & ~seeds.mask_N])
        shares_NC = torch.where(reached_N[:, None], normalize_rows(shares_NC * factors_C), shares_NC)
    if volume is not None:
        shares_NC = rebalanced(shares_NC, reached_N, seeds, volume)
    return conclude(
        scores_NC,
        shares_NC,
        entropy_certainty(shares_NC),
        reached_N,
        seeds,
        labels_N=labels_N,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def read_softmax_wide(
    graph: AffinityGraph,
    columns: Columns,
    blocks: Sequence[tuple[int, int]],
    parts: SeedComponents,
    seeds: Seeds,
    top: int,
    *,
    tol: float,
    class_prior: torch.Tensor | None = None,
) -> Propagation:
    """As `read_softmax`, a block of classes at a time: once for s and the largest scores, once for the shares."""
    ratio_GC = None if class_prior is None else _prior_ratios(class_prior, parts)
    dtype, device = graph.weights_E.dtype, graph.device
    peaks, verdicts = _Peaks(seeds.n, dtype, device), []
    for start, stop in blocks:
        solved = columns(range(start, stop))
        verdicts.append(solved.verdict(tol))
        peaks.add(solved.solution_NC, start, parts, ratio_GC)
    reached_N = peaks.nonzero_N & (parts.mixed_N >= 0)
    spread_N = (peaks.high_N - peaks.sum_N / seeds.n_classes).to(dtype)
    verdict = Verdict.worst(*verdicts)
    scale = _scale(spread_N[reached_N & ~seeds.mask_N], peaks.largest, verdict.residual)
    best = wide.TopClasses(seeds.n, seeds.n_classes, top, dtype, device)
    for start, stop in blocks:
        scores_NB = columns(range(start, stop)).solution_NC
        shares_NB = ((scores_NB - peaks.peak_N[:, None]) / scale).exp()
        seedless_NB = parts.seedless(range(start, stop))
        if seedless_NB is not None:
            shares_NB.masked_fill_(seedless_NB, 0)
        if ratio_GC is not None:
            shares_NB *= parts.spread(ratio_GC[:, start:stop]).to(dtype)
        shares_NB[~reached_N] = 0
        parts.write_single(scores_NB, range(start, stop))
        parts.write_single(shares_NB, range(start, stop))
        best.add(shares_NB, start, scores_NB)
    scores, distributions = best.sparse()
    return conclude(
        scores,
        distributions,
        best.certainty(),
        reached_N | (parts.single_N >= 0),
        seeds,
        labels_N=best.labels_N if ratio_GC is None else peaks.labels_N.where(parts.single_N < 0, parts.single_N),
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


class _Peaks:
    """What must be known of a row's scores in all classes before the share of any of them is."""

    def __init__(self, n: int, dtype: torch.dtype, device: torch.device) -> None:
        lowest_N = torch.full((n,), -torch.inf, dtype=dtype, device=device)
        self.high_N, self.peak_N, self._best_N = lowest_N, lowest_N.clone(), lowest_N.clone()
        self.largest = torch.zeros((), dtype=dtype, device=device)
        self.sum_N = torch.zeros(n, dtype=torch.float64, device=device)
        self.labels_N = torch.zeros(n, dtype=torch.int64, device=device)  # ties: the lowest class
        self.nonzero_N = torch.zeros(n, dtype=torch.bool, device=device)

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

    What rounding and the solver's residual leave of equal scores counts as 0: it says nothing about classes.
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
