"""Label spreading: labels diffuse over a normalized graph while seeds keep feeding theirs in.

Zhou, Bousquet, Lal, Weston, Schoelkopf, "Learning with Local and Global Consistency", NIPS 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve
from labelprop.functional.verdict import Verdict
from labelprop.functional.weigh import entropy_certainty, normalize_rows
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.kernel_graph import DropInPropagator
from labelprop.propagators.estimator.outcome import conclude, rebalanced
from labelprop.propagators.estimator.parameters import Share
from labelprop.propagators.systems.diffusion import DiffusionSystem
from labelprop.propagators.systems.elimination import SpreadingElimination, suits


@torch.no_grad()
def spread_labels(
    graph: AffinityGraph,
    seeds: Seeds,
    *,
    alpha: float = 0.99,
    max_iter: int = 1000,
    tol: float = 1e-6,
    volume: Any = None,
) -> Propagation:
    """F = (1 - alpha) (I - alpha D^-1/2 W D^-1/2)^-1 Y, the fixed point of the paper's iteration, and its labels.

    `graph` is the symmetric W. Departs from the paper: (1) solved by conjugate gradient, all classes at once; (2)
    seeds keep their labels, which the argmax of F may contradict; (3) a row of zeros is unreached.
    """
    solved = spreading_system(graph).solve(seeds, range(seeds.n_classes), alpha=alpha, max_iter=max_iter, tol=tol)
    return read_spread(solved, seeds, alpha=alpha, tol=tol, volume=volume)


@torch.no_grad()
def spread_labels_wide(
    graph: AffinityGraph, seeds: Seeds, top: int, *, alpha: float = 0.99, max_iter: int = 1000, tol: float = 1e-6
) -> Propagation:
    """As `spread_labels`, a block of classes at a time; scores and distributions are CSR, `top` classes a row."""
    system = spreading_system(graph)
    best = wide.TopClasses(graph.n, seeds.n_classes, top, graph.weights_E.dtype, graph.device)
    verdicts = []
    for start, stop in system.class_blocks(seeds.n_classes):
        solved = system.solve(seeds, range(start, stop), alpha=alpha, max_iter=max_iter, tol=tol)
        verdicts.append(solved.verdict(tol))
        best.add(_scores(solved, alpha), start)
    verdict = Verdict.worst(*verdicts)
    scores, distributions = best.sparse()
    return conclude(
        scores,
        distributions,
        best.certainty(),
        best.nonzero(),
        seeds,
        labels_N=best.labels_N,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def spreading_system(graph: AffinityGraph) -> DiffusionSystem | SpreadingElimination:
    """(I - alpha S) Z = Y, ready to be solved."""
    return SpreadingElimination(graph) if suits(graph) else DiffusionSystem.of(graph)


def read_spread(solved: ColumnSolve, seeds: Seeds, *, alpha: float, tol: float, volume: Any) -> Propagation:
    """Scores, distributions, labels and certainties 1 - H / log C from the solution for all classes."""
    scores_NC = _scores(solved, alpha)
    reached_N = (scores_NC > 0).any(dim=1)  # zeros are exact: CG never leaves the components that hold seeds
    shares_NC = normalize_rows(scores_NC)
    if volume is not None:
        shares_NC = rebalanced(shares_NC, reached_N | seeds.mask_N, seeds, volume)
    verdict = solved.verdict(tol)
    return conclude(
        scores_NC,
        shares_NC,
        entropy_certainty(shares_NC),
        reached_N,
        seeds,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def _scores(solved: ColumnSolve, alpha: float) -> torch.Tensor:
    """F from (I - alpha S)^-1 Y; it is nowhere negative, rounding aside."""
    return (solved.solution_NC * (1 - alpha)).clamp_min_(0)


@dataclass(eq=False, repr=False, kw_only=True)
class LabelSpreading(DropInPropagator):
    """Label spreading (Zhou et al., NIPS 2003) on a graph of nearest neighbors; takes scikit-learn's parameters.

    Solves F = (1 - alpha) (I - alpha S)^-1 Y for all classes at once with conjugate gradient, S the normalized graph.
    The label of a row is the largest entry of its row of F, the certainty 1 minus its normalized entropy.

    Parameters
    ----------
    alpha : share of a score that comes from neighbors, in [0, 1). scikit-learn's default is 0.2, the paper's 0.99.
    warm_start : on the next fit with the same X keep the graph, and re-solve only classes whose seeds changed.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.label_spreading import LabelSpreading
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> LabelSpreading("knn", n_neighbors=1).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    alpha: Share = 0.99

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        solving: dict[str, Any] = {"alpha": self.alpha, "max_iter": self.max_iter, "tol": self.tol}
        if self._is_wide(seeds):
            return self._judged(spread_labels_wide(graph, seeds, self.top_classes or wide.DEFAULT_TOP, **solving))
        solved = self.solved(spreading_system, seeds, **solving)
        return self._judged(read_spread(solved, seeds, alpha=self.alpha, tol=self.tol, volume=self.volume))
