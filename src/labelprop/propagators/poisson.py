"""Poisson learning: labels are sources on a graph, and scores solve Poisson's equation.

Calder, Cook, Thorpe, Slepcev, "Poisson Learning: Graph Based Semi-Supervised Learning at Very Low Label Rates",
ICML 2020.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve
from labelprop.functional.verdict import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.kernel_graph import KernelPropagator
from labelprop.propagators.estimator.outcome import check_shares, refuse_two
from labelprop.propagators.estimator.parameters import Shares
from labelprop.propagators.estimator.softmax_labels import read_softmax, read_softmax_wide
from labelprop.propagators.systems.laplacian import SHIFT, PoissonSystem, warn_shifted
from labelprop.propagators.systems.seed_components import SeedComponents


@torch.no_grad()
def poisson(
    graph: AffinityGraph,
    seeds: Seeds,
    *,
    class_prior: Any = None,
    volume: Any = None,
    max_iter: int = 1000,
    tol: float = 1e-6,
) -> Propagation:
    """Solves (D - W) u = b, b_i = w_i (y_i - ybar) in the seeds, and reads labels from u (Calder et al., eq. 2.5).

    `graph` is the symmetric W, ybar the mean label of the seeds of a component; sum_i d_i u_i = 0 in each. Labels are
    argmax_j u_ij, with `class_prior` pi (C,) argmax_j (pi_j / ybar_j) u_ij. Departs from the paper: (1) every
    component is solved for itself, and takes the class of its seeds where they share one; (2) by conjugate gradient
    instead of the paper's iteration; where that misses `tol` in any class, 1e-4 D is added to D - W, with a warning.
    """
    parts = SeedComponents.of(graph.components(), seeds)
    system = PoissonSystem.of(graph, parts)
    solved = system.solve(seeds, range(seeds.n_classes), max_iter=max_iter, tol=tol)
    missed = solved.verdict(tol)
    if not missed.converged:
        solved = system.solve(seeds, range(seeds.n_classes), max_iter=max_iter, tol=tol, shift=SHIFT)
        warn_shifted(missed.residual, solved.verdict(tol))
    prior = None if class_prior is None else torch.as_tensor(class_prior, dtype=torch.float64)
    return read_softmax(solved.solution_NC, solved.verdict(tol), parts, seeds, class_prior=prior, volume=volume)


@torch.no_grad()
def poisson_wide(
    graph: AffinityGraph,
    seeds: Seeds,
    top: int,
    *,
    class_prior: Any = None,
    max_iter: int = 1000,
    tol: float = 1e-6,
) -> Propagation:
    """As `poisson`, a block of classes at a time, each solved twice; results are CSR, `top` classes a row."""
    parts = SeedComponents.of(graph.components(), seeds)
    system = PoissonSystem.of(graph, parts)
    prior = None if class_prior is None else torch.as_tensor(class_prior, dtype=torch.float64)

    def attempt(shift: float) -> Propagation:
        def columns(classes: Sequence[int]) -> ColumnSolve:
            return system.solve(seeds, classes, max_iter=max_iter, tol=tol, shift=shift)

        blocks = system.class_blocks(seeds.n_classes)
        return read_softmax_wide(graph, columns, blocks, parts, seeds, top, tol=tol, class_prior=prior)

    found = attempt(0.0)
    if found.converged:
        return found
    again = attempt(SHIFT)
    warn_shifted(found.residual, Verdict(again.steps, again.residual, again.converged))
    return again


@dataclass(eq=False, repr=False, kw_only=True)
class Poisson(KernelPropagator):
    """Poisson learning (Calder et al., ICML 2020): for very few labels, where the harmonic solution collapses.

    Solves (D - W) u = y - ybar in the seeds, 0 elsewhere, for all classes at once with conjugate gradient. The label
    of a row is the largest entry of its row of u, the certainty 1 minus the normalized entropy of softmax(u / s).
    The graph has weights exp(-d_ij^2 / d_ik^2) to the k nearest neighbors, d_ik the distance to the k-th, the larger
    of both directions.

    Parameters
    ----------
    class_prior : None, or positive shares pi (C,) of the classes: labels are argmax_j (pi_j / ybar_j) u_ij, ybar the
        shares of the seeds, and distributions are multiplied by pi / ybar. Not together with `volume`.
    max_iter, tol : conjugate-gradient steps and relative residual. Where they do not suffice, 1e-4 D is added to the
        equation, with a warning; `converged_`, `residual_` and `n_iter_` are of that solve.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.poisson import Poisson
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> Poisson(n_neighbors=2).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    class_prior: Shares | None = None

    def check_seeds(self, seeds: Seeds) -> None:
        super().check_seeds(seeds)
        check_shares("class_prior", self.class_prior, seeds.n_classes, words=(), positive=True)
        refuse_two("class_prior", self.class_prior, self.volume)

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        asked: dict[str, Any] = {"class_prior": self.class_prior, "max_iter": self.max_iter, "tol": self.tol}
        if self._is_wide(seeds):
            return poisson_wide(graph, seeds, self.top_classes or wide.DEFAULT_TOP, **asked)
        return poisson(graph, seeds, volume=self.volume, **asked)
