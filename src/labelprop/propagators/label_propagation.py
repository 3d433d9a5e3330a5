"""Label propagation: the harmonic solution on a graph, and two repairs of it for very few labels.

Zhu, Ghahramani, Lafferty, "Semi-Supervised Learning Using Gaussian Fields and Harmonic Functions", ICML 2003; Miller,
Calder, "Poisson Reweighted Laplacian Uncertainty Sampling for Graph-Based Active Learning", 2023.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch

from labelprop.core.errors import RequestError
from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve
from labelprop.functional.verdict import Verdict
from labelprop.functional.weigh import normalize_rows
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.kernel_graph import DropInPropagator
from labelprop.propagators.estimator.outcome import check_shares, conclude, rebalanced, refuse_two
from labelprop.propagators.estimator.parameters import Shares
from labelprop.propagators.estimator.softmax_labels import ROUNDING, read_softmax, read_softmax_wide
from labelprop.propagators.systems.laplacian import HarmonicSystem
from labelprop.propagators.systems.reweight import poisson_reweighted
from labelprop.propagators.systems.seed_components import SeedComponents

FACTORS = (1e-27, 1e27)  # of a class: a wanted share of 0 leaves rows that only it has their label


@torch.no_grad()
def harmonic(
    graph: AffinityGraph,
    seeds: Seeds,
    *,
    max_iter: int = 1000,
    tol: float = 1e-6,
    reweight: str | None = None,
    center: bool = False,
    class_mass: Any = None,
    volume: Any = None,
) -> Propagation:
    """F that equals Y on the seeds and the weighted mean of its neighbors elsewhere (Zhu et al., eq. 5), and labels.

    `graph` is the symmetric W; components without seeds stay 0. `reweight="poisson"` solves on the graph of
    `poisson_reweighted`; `center` takes column means off F; `class_mass` is Zhu's class mass normalization: column j
    times pi_j / sum_i F_ij, the sum over unlabeled rows. Departs from Zhu & Ghahramani 2002, whose iteration divides
    by the degree of the source: the fixed point of that is another one.
    """
    graph, before = _reweighted(graph, seeds, reweight, max_iter, tol)
    solved = HarmonicSystem.of(graph, seeds, graph.components()).solve(
        seeds, range(seeds.n_classes), max_iter=max_iter, tol=tol
    )
    verdict = Verdict.worst(solved.verdict(tol), before)
    scores_NC = solved.solution_NC
    pi_C = None if class_mass is None else _wanted(class_mass, seeds)
    if center:
        parts = SeedComponents.of(graph.components(), seeds)
        masses = None if pi_C is None else partial(_mass_factors, pi_B=pi_C)
        return read_softmax(_centered(scores_NC, parts, seeds), verdict, parts, seeds, masses=masses, volume=volume)
    reached_N = (scores_NC > 0).any(dim=1)
    factors_C = 1 if pi_C is None else _mass_factors(scores_NC[~seeds.mask_N], pi_C)
    shares_NC = normalize_rows(scores_NC * factors_C)
    if volume is not None:
        shares_NC = rebalanced(shares_NC, reached_N | seeds.mask_N, seeds, volume)
    return conclude(
        scores_NC,
        shares_NC,
        shares_NC.amax(dim=1),
        reached_N,
        seeds,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


@torch.no_grad()
def harmonic_wide(
    graph: AffinityGraph,
    seeds: Seeds,
    top: int,
    *,
    max_iter: int = 1000,
    tol: float = 1e-6,
    reweight: str | None = None,
    center: bool = False,
    class_mass: Any = None,
) -> Propagation:
    """As `harmonic`, a block of classes at a time; scores and distributions are CSR, `top` classes a row.

    `center` solves twice, and not together with `class_mass`.
    """
    graph, verdict = _reweighted(graph, seeds, reweight, max_iter, tol)
    system = HarmonicSystem.of(graph, seeds, graph.components())
    blocks = system.class_blocks(seeds.n_classes)
    if center:
        parts = SeedComponents.of(graph.components(), seeds)

        def columns(classes: Sequence[int]) -> ColumnSolve:
            solved = system.solve(seeds, classes, max_iter=max_iter, tol=tol)
            return replace(solved, solution_NC=_centered(solved.solution_NC, parts, seeds))

        found = read_softmax_wide(graph, columns, blocks, parts, seeds, top, tol=tol)
        verdict = Verdict.worst(Verdict(found.steps, found.residual, found.converged), verdict)
        return replace(found, steps=verdict.steps, residual=verdict.residual, converged=verdict.converged)
    pi_C = None if class_mass is None else _wanted(class_mass, seeds)
    best = wide.TopClasses(graph.n, seeds.n_classes, top, graph.weights_E.dtype, graph.device)
    for start, stop in blocks:
        solved = system.solve(seeds, range(start, stop), max_iter=max_iter, tol=tol)
        verdict = Verdict.worst(solved.verdict(tol), verdict)
        scores_NB = solved.solution_NC
        factors_B = 1 if pi_C is None else _mass_factors(scores_NB[~seeds.mask_N], pi_C[start:stop])
        best.add(scores_NB * factors_B, start, scores_NB)
    scores, distributions = best.sparse()
    return conclude(
        scores,
        distributions,
        best.share(),
        best.nonzero(),
        seeds,
        labels_N=best.labels_N,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def _reweighted(
    graph: AffinityGraph, seeds: Seeds, reweight: str | None, max_iter: int, tol: float
) -> tuple[AffinityGraph, Verdict]:
    """The graph to solve on, and the verdict of what was solved to get it."""
    if reweight == "poisson":
        return poisson_reweighted(graph, seeds, max_iter=max_iter, tol=tol)
    return graph, Verdict(0, 0.0, converged=True)


def _centered(scores_NB: torch.Tensor, parts: SeedComponents, seeds: Seeds) -> torch.Tensor:
    """F minus its column means over the unlabeled rows of each mixed component; 0 in other components.

    What rounding leaves of equal numbers is 0: such rows count as unreached, in whatever order rows come.
    """
    means_NB = parts.spread(parts.means(scores_NB, ~seeds.mask_N)).to(scores_NB.dtype)
    centered_NB = (scores_NB - means_NB).masked_fill(parts.mixed_N[:, None] < 0, 0)
    return centered_NB.masked_fill(centered_NB.abs() <= ROUNDING * torch.finfo(scores_NB.dtype).eps * means_NB, 0)


def _wanted(class_mass: Any, seeds: Seeds) -> torch.Tensor:
    """Class shares pi (C,), float64: those of the seeds, or as given."""
    if isinstance(class_mass, str):
        mass_C = seeds.totals_C()
    else:
        mass_C = torch.as_tensor(class_mass, dtype=torch.float64).to(seeds.labels_N.device)
    return mass_C / mass_C.sum()


def _mass_factors(shares_UB: torch.Tensor, pi_B: torch.Tensor) -> torch.Tensor:
    """pi_j / sum_i F_ij over unlabeled rows, (B,); 1 for a class that none of them has."""
    mass_B = shares_UB.sum(dim=0, dtype=torch.float64)
    factors_B = torch.where(mass_B > 0, pi_B / mass_B, 1).clamp(*FACTORS)
    return factors_B.to(shares_UB.dtype)


@dataclass(eq=False, repr=False, kw_only=True)
class LabelPropagation(DropInPropagator):
    """Label propagation (harmonic solution, Zhu et al., ICML 2003); takes scikit-learn's parameters.

    Seeds keep their labels and every other row is the weighted mean of its neighbors, solved for all classes at once
    with conjugate gradient. The label of a row is its largest entry, the certainty that entry's share. With one or
    two seeds a class on many rows the solution is nearly constant and one class takes all: `reweight="poisson"` or
    `center=True` repair that.

    Parameters
    ----------
    reweight : None, or "poisson": edges grow toward the seeds (Miller & Calder 2023).
    center : take column means over the unlabeled rows off the scores; distributions and certainties are then read
        as `Poisson` reads them, from softmax(score / s).
    class_mass : None, "seeds" or shares pi (C,): column j of the distributions times pi_j / (its sum over unlabeled
        rows), Zhu's class mass normalization. Not together with `volume`.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.label_propagation import LabelPropagation
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> LabelPropagation("knn", n_neighbors=1).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    reweight: Literal["poisson"] | None = None
    center: bool = False
    class_mass: Literal["seeds"] | Shares | None = None

    def check_seeds(self, seeds: Seeds) -> None:
        super().check_seeds(seeds)
        check_shares("class_mass", self.class_mass, seeds.n_classes)
        refuse_two("class_mass", self.class_mass, self.volume)
        if self.center and self.class_mass is not None and self._is_wide(seeds):
            raise RequestError(
                f"class_mass with center=True needs all scores at once, and {seeds.n} rows x {seeds.n_classes} "
                f"classes are more than {wide.DENSE_LIMIT}. Leave one of them out, or give fewer rows."
            )

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        names = ("max_iter", "tol", "reweight", "center", "class_mass")
        asked = {name: getattr(self, name) for name in names}
        if self._is_wide(seeds):
            return self._judged(harmonic_wide(graph, seeds, self.top_classes or wide.DEFAULT_TOP, **asked))
        return self._judged(harmonic(graph, seeds, volume=self.volume, **asked))
