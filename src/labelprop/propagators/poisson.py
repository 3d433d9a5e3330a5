"""Poisson learning: labels are sources on a graph, and scores solve Poisson's equation.

Calder, Cook, Thorpe, Slepcev, "Poisson Learning: Graph Based Semi-Supervised Learning at Very Low Label Rates",
ICML 2020.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.kernel_graph import KernelPropagator
from labelprop.propagators.estimator.outcome import check_shares, refuse_two
from labelprop.propagators.estimator.parameters import Shares
from labelprop.propagators.estimator.sinks import solve_blocks
from labelprop.propagators.estimator.softmax_labels import SoftmaxReading
from labelprop.propagators.systems.laplacian import SHIFT, PoissonSystem, warn_shifted
from labelprop.propagators.systems.seed_components import SeedComponents


@dataclass(eq=False, repr=False, kw_only=True)
class Poisson(KernelPropagator):
    """Poisson learning (Calder et al., ICML 2020): for very few labels, where the harmonic solution collapses.

    Solves (D - W) u = y - ybar in the seeds, 0 elsewhere, for all classes at once with conjugate gradient. The label
    of a row is the largest entry of its row of u, the certainty 1 minus the normalized entropy of softmax(u / s).
    Departs from the paper: (1) every component is solved for itself, and takes the class of its seeds where they
    share one; (2) by conjugate gradient instead of the paper's iteration.

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
        parts = SeedComponents.of(graph.components(), seeds)
        system = PoissonSystem.of(graph, parts, self.preconditioner)
        prior_C = None if self.class_prior is None else torch.as_tensor(self.class_prior, dtype=torch.float64)
        reading = SoftmaxReading(parts, seeds, self.tol, self.top_classes, class_prior=prior_C, volume=self.volume)

        def labels(shift: float) -> Propagation:
            solving: dict[str, Any] = {"max_iter": self.max_iter, "tol": self.tol, "shift": shift}
            return reading.read(lambda: solve_blocks(system, seeds, **solving), graph.weights_E)

        found = labels(0.0)
        if not found.converged:
            missed, found = found, labels(SHIFT)
            warn_shifted(missed.residual, Verdict(found.steps, found.residual, found.converged))
        return found

    def warning_text(self, found: Propagation) -> None:  # `warn_shifted` has warned
        return None
