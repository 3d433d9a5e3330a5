"""Label spreading: labels diffuse over a normalized graph while seeds keep feeding theirs in.

Zhou, Bousquet, Lal, Weston, Schoelkopf, "Learning with Local and Global Consistency", NIPS 2003.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator.kernel_graph import DropInPropagator
from labelprop.propagators.estimator.outcome import conclude
from labelprop.propagators.estimator.parameters import Share
from labelprop.propagators.estimator.sinks import class_sink
from labelprop.propagators.systems.diffusion import DiffusionSystem
from labelprop.propagators.systems.elimination import SpreadingElimination, suits
from labelprop.propagators.systems.operator import Precondition


@dataclass(eq=False, repr=False, kw_only=True)
class LabelSpreading(DropInPropagator):
    """Label spreading (Zhou et al., NIPS 2003) on a graph of nearest neighbors; takes scikit-learn's parameters.

    Solves F = (1 - alpha) (I - alpha S)^-1 Y for all classes at once with conjugate gradient, S the normalized
    graph. The label of a row is the largest entry of its row of F, the certainty 1 minus its normalized entropy.
    Departs from the paper: (1) F, the fixed point of its iteration, is solved for; (2) seeds keep their labels,
    which the argmax of F may contradict; (3) a row of zeros is unreached.

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
        sink, verdicts = class_sink(seeds, self.top_classes, graph.weights_E), []
        made_with = (self.preconditioner, seeds.n_classes)
        for first, solved in self.solved(spreading_system, seeds, made_with=made_with, **solving):
            verdicts.append(solved.verdict(self.tol))
            sink.add((solved.solution_NC * (1 - self.alpha)).clamp_min_(0), first)  # F is nowhere negative
        reached_N = sink.nonzero()  # zeros are exact: CG never leaves the components that hold seeds
        sink.rebalance(reached_N, seeds, self.volume)
        found = (sink.scores, sink.shares, sink.certainty(), reached_N, seeds, Verdict.worst(*verdicts))
        return conclude(*found, labels_N=sink.labels_N)


def spreading_system(
    graph: AffinityGraph, preconditioner: Precondition, n_columns: int
) -> DiffusionSystem | SpreadingElimination:
    """(I - alpha S) Z = Y, ready to be solved."""
    return SpreadingElimination(graph) if suits(graph) else DiffusionSystem.of(graph, preconditioner, n_columns)
