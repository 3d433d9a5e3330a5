"""Label propagation: the harmonic solution on a graph, and two repairs of it for very few labels.

Zhu, Ghahramani, Lafferty, "Semi-Supervised Learning Using Gaussian Fields and Harmonic Functions", ICML 2003; Miller,
Calder, "Poisson Reweighted Laplacian Uncertainty Sampling for Graph-Based Active Learning", 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.kernel_graph import DropInPropagator
from labelprop.propagators.estimator.outcome import check_shares, conclude, refuse_two, refuse_wide
from labelprop.propagators.estimator.parameters import Shares
from labelprop.propagators.estimator.sinks import Blocks, class_sink, solve_blocks
from labelprop.propagators.estimator.softmax_labels import ROUNDING, SoftmaxReading
from labelprop.propagators.systems.laplacian import HarmonicSystem
from labelprop.propagators.systems.reweight import poisson_reweighted
from labelprop.propagators.systems.seed_components import SeedComponents

FACTORS = (1e-27, 1e27)  # of a class; never 0: rows that only it reaches keep its label


@dataclass(eq=False, repr=False, kw_only=True)
class LabelPropagation(DropInPropagator):
    """Label propagation (harmonic solution, Zhu et al., ICML 2003); takes scikit-learn's parameters.

    Seeds keep their labels and every other row is the weighted mean of its neighbors, solved for all classes at once
    with conjugate gradient. The label of a row is its largest entry, the certainty that entry's share. With one or
    two seeds a class on many rows the solution is nearly constant and one class takes all: `reweight="poisson"` or
    `center=True` repair that. Departs from Zhu & Ghahramani 2002, whose iteration divides by the degree of the source
    and has another fixed point.

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

    # The plain harmonic solution gives all rows to one class where labels are few.
    tried_with: ClassVar[Mapping[str, Any]] = {"reweight": "poisson"}

    def check_seeds(self, seeds: Seeds) -> None:
        super().check_seeds(seeds)
        check_shares("class_mass", self.class_mass, seeds.n_classes)
        refuse_two("class_mass", self.class_mass, self.volume)
        if self.center and self.class_mass is not None:
            refuse_wide("class_mass with center=True", seeds, "Leave one of them out, or give fewer rows.")

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        verdicts: list[Verdict] = []
        solving: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol}
        if self.reweight == "poisson":
            graph, verdict = poisson_reweighted(graph, seeds, preconditioner=self.preconditioner, **solving)
            verdicts.append(verdict)
        component_N = graph.components()
        system = HarmonicSystem.of(graph, seeds, component_N, self.preconditioner)
        pi_C = None if self.class_mass is None else _wanted(self.class_mass, seeds)
        if self.center:
            parts = SeedComponents.of(component_N, seeds)

            def centered() -> Blocks:
                for first, solved in solve_blocks(system, seeds, **solving):
                    yield first, replace(solved, solution_NC=_centered(solved.solution_NC, parts, seeds))

            masses = None if pi_C is None else partial(_mass_factors, pi_B=pi_C)
            reading = SoftmaxReading(parts, seeds, self.tol, self.top_classes, masses=masses, volume=self.volume)
            return reading.read(centered, graph.weights_E, *verdicts)
        sink = class_sink(seeds, self.top_classes, graph.weights_E)
        for first, solved in solve_blocks(system, seeds, **solving):
            verdicts.append(solved.verdict(self.tol))
            scores_NB = solved.solution_NC
            if pi_C is None:
                sink.add(scores_NB, first)
                continue
            pi_B = pi_C[first : first + scores_NB.shape[1]]
            sink.add(scores_NB * _mass_factors(scores_NB[~seeds.mask_N], pi_B), first, scores_NB)
        reached_N = sink.nonzero()
        sink.rebalance(reached_N, seeds, self.volume)
        found = (sink.scores, sink.shares, sink.share(), reached_N, seeds, Verdict.worst(*verdicts))
        return conclude(*found, labels_N=sink.labels_N)


def _centered(scores_NB: torch.Tensor, parts: SeedComponents, seeds: Seeds) -> torch.Tensor:
    """F minus its column means over the unlabeled rows of each mixed component; 0 in other components.

    Differences within rounding are set to 0: such rows count as unreached, in any order of rows.
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
