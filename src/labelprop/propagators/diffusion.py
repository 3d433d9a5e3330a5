"""Diffusion over a nearest-neighbor graph: the propagation of deep label propagation.

Iscen, Tolias, Avrithis, Chum, "Label Propagation for Deep Semi-supervised Learning", CVPR 2019, section 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import starmap
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from scipy import sparse

from labelprop.core.text import counted
from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve, Verdict
from labelprop.graph.affinity import AffinityGraph, symmetric_sum
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.graph_propagator import GraphPropagator
from labelprop.propagators.estimator.outcome import check_volume, conclude
from labelprop.propagators.estimator.parameters import Count, NotNegative, Positive, Share, Shares
from labelprop.propagators.estimator.sinks import class_sink
from labelprop.propagators.systems.diffusion import DiffusionSystem
from labelprop.propagators.systems.operator import Precondition

WARN_ABOVE = 0.1  # relative residual


@dataclass(eq=False, repr=False, kw_only=True)
class Diffusion(GraphPropagator):
    """Label diffusion of deep label propagation (Iscen et al., CVPR 2019) on a graph of nearest neighbors.

    Solves (I - alpha S) Z = Y for all classes at once with conjugate gradient, S the normalized graph of max(cos,
    0)^power over mutual and one-sided neighbors. The label of a row is the largest entry of its row of Z, the
    certainty 1 minus its normalized entropy. Departs from the paper (eq. 10): (1) all classes in one solve; (2) a
    column of Y is divided by the class's sum of weights (`balance_seeds`), as in the released code; (3) certainty is
    divided by its largest value (`max_normalize`), likewise; (4) negative Z is cut to 0; a row of zeros is unreached
    instead of class 0.

    Parameters
    ----------
    power : exponent of the similarity (gamma in the paper).
    alpha : share of a score that comes from neighbors, in [0, 1).
    max_iter, tol : conjugate-gradient steps and relative residual. Twenty steps without a preconditioner are part of
        the paper's method: a solve cut there sets `converged_ = False` and warns only where the residual exceeds 0.1.
    preconditioner : "cells", None or "auto": see `KernelPropagator`. With cells the twenty steps reach `tol`.
    balance_seeds : give every class the same total of seeds, whatever their number.
    max_normalize : divide certainties by the largest.
    warm_start : on the next fit with the same X keep the graph, and re-solve only classes whose seeds changed.
    volume : None, "seeds" (class shares of the seeds, each plus one) or wanted shares (C,) of unlabeled rows.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.diffusion import Diffusion
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> Diffusion(n_neighbors=1).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    n_neighbors: Count = 50
    power: Positive = 3.0
    alpha: Share = 0.99
    max_iter: Count = 20
    tol: NotNegative = 1e-6
    preconditioner: Precondition = "auto"
    balance_seeds: bool = True
    max_normalize: bool = True
    volume: Literal["seeds"] | Shares | None = None

    graph_parameters: ClassVar[tuple[str, ...]] = (*GraphPropagator.graph_parameters, "power")

    def weigh(self, edges: Edges) -> sparse.csr_array:
        values = edges.cosines()
        weights = np.clip(values.data, 0, None)  # departs from the released code, which does not clip
        np.power(weights, weights.dtype.type(self.power), out=weights)
        return sparse.csr_array((weights, values.indices, values.indptr), shape=values.shape)

    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        return symmetric_sum(weights)

    def check_seeds(self, seeds: Seeds) -> None:
        check_volume(self.volume, seeds)

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        solving: dict[str, Any] = {"alpha": self.alpha, "max_iter": self.max_iter, "tol": self.tol}
        sink, totals_C = class_sink(seeds, self.top_classes, graph.weights_E), seeds.totals_C()
        totals_C = totals_C.masked_fill(totals_C == 0, 1) if self.balance_seeds else torch.ones_like(totals_C)

        def take_in(first: int, solved: ColumnSolve) -> Verdict:
            totals_B = totals_C[first : first + solved.solution_NC.shape[1]]
            sink.add((solved.solution_NC / totals_B.to(solved.solution_NC.dtype)).clamp_min_(0), first)
            return solved.verdict(self.tol)

        made_with = (self.preconditioner, seeds.n_classes)
        blocks = self.solved(DiffusionSystem.of, seeds, made_with=made_with, **solving)
        verdicts = list(starmap(take_in, blocks))  # no name keeps a solution while the next is computed
        reached_N = sink.nonzero()  # zeros are exact: CG never leaves the components that hold seeds
        sink.rebalance(reached_N, seeds, self.volume)
        certainty_N = sink.certainty().masked_fill(~reached_N, 0)
        if self.max_normalize:
            peak = certainty_N.max()
            certainty_N = certainty_N / peak.masked_fill(peak == 0, 1)
        found = (sink.scores, sink.shares, certainty_N, reached_N, seeds, Verdict.worst(*verdicts))
        return conclude(*found, labels_N=sink.labels_N)

    def warning_text(self, found: Propagation) -> str | None:
        if found.residual <= WARN_ABOVE:
            return None
        return (
            f"Diffusion stopped after {counted(found.steps, 'step')} with relative residual {found.residual:.2g} "
            f"(above {WARN_ABOVE}): scores are far from the solution. Raise max_iter or lower alpha."
        )
