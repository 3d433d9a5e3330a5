"""Diffusion over a nearest-neighbor graph: the propagation of deep label propagation.

Iscen, Tolias, Avrithis, Chum, "Label Propagation for Deep Semi-supervised Learning", CVPR 2019, section 4.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning

from labelprop.core.distributed import SOLO, Group
from labelprop.core.errors import RequestError
from labelprop.core.types import Propagation
from labelprop.functional.solve import ColumnSolve
from labelprop.functional.verdict import Verdict
from labelprop.functional.weigh import entropy_certainty, normalize_rows
from labelprop.graph.affinity import AffinityGraph, neighbor_matrix, symmetric_sum
from labelprop.graph.neighbors.shared_out import nearest_by_all
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes as wide
from labelprop.propagators.estimator.edges import Edges
from labelprop.propagators.estimator.graph_propagator import GraphPropagator
from labelprop.propagators.estimator.outcome import check_volume, conclude, rebalanced
from labelprop.propagators.estimator.parameters import Count, NotNegative, Positive, Share, Shares
from labelprop.propagators.systems.diffusion import DiffusionSystem

if TYPE_CHECKING:
    from scipy import sparse

WARN_ABOVE = 0.1  # relative residual


@torch.no_grad()
def diffuse_vectors(
    vectors_ND: torch.Tensor,
    seeds: Seeds,
    *,
    n_neighbors: int = 50,
    power: float = 3,
    alpha: float = 0.99,
    max_iter: int = 20,
    tol: float = 1e-6,
    balance_seeds: bool = True,
    max_normalize: bool = True,
    volume: Any = None,
    search: str = "auto",
    seed: int = 0,
    group: Group = SOLO,
) -> Propagation:
    """Neighbors, graph and `diffuse` in one call, on the device of the vectors (N, D), which need no scaling.

    The processes of a `group` share out the search; each solves the whole.
    """
    found = nearest_by_all(vectors_ND, n_neighbors, group=group, search=search, seed=seed)
    weights = clipped_power(neighbor_matrix(found, len(vectors_ND)), power)
    return diffuse(
        symmetric_sum(weights).to(vectors_ND.device),
        seeds.to(vectors_ND.device),
        alpha=alpha,
        max_iter=max_iter,
        tol=tol,
        balance_seeds=balance_seeds,
        max_normalize=max_normalize,
        volume=volume,
    )


def clipped_power(similarities: sparse.csr_array, power: float) -> sparse.csr_array:
    """a_ij = max(s_ij, 0)^power. Departs from the released code, which does not clip."""
    weights = similarities.copy()
    weights.data = np.clip(weights.data, 0, None) ** weights.data.dtype.type(power)
    return weights


@torch.no_grad()
def diffuse(
    graph: AffinityGraph,
    seeds: Seeds,
    *,
    alpha: float = 0.99,
    max_iter: int = 20,
    tol: float = 1e-6,
    balance_seeds: bool = True,
    max_normalize: bool = True,
    volume: Any = None,
) -> Propagation:
    """Solves (I - alpha D^-1/2 W D^-1/2) Z = Y by conjugate gradient and reads labels from Z (Iscen et al., eq. 10).

    `graph` is the symmetric W. Departs from the paper: (1) all classes in one solve; (2) a column of Y is divided by
    the class's sum of weights (`balance_seeds`), as in the released code; (3) certainty is divided by its largest
    value (`max_normalize`), likewise; (4) negative Z is cut to 0; a row of zeros is unreached instead of class 0.
    """
    system = DiffusionSystem.of(graph)
    solved = system.solve(seeds, range(seeds.n_classes), alpha=alpha, max_iter=max_iter, tol=tol)
    return read_labels(
        solved, seeds, tol=tol, balance_seeds=balance_seeds, max_normalize=max_normalize, volume=volume
    )


@torch.no_grad()
def diffuse_wide(
    graph: AffinityGraph,
    seeds: Seeds,
    top: int,
    *,
    alpha: float = 0.99,
    max_iter: int = 20,
    tol: float = 1e-6,
    balance_seeds: bool = True,
    max_normalize: bool = True,
) -> Propagation:
    """As `diffuse`, a block of classes at a time; scores and distributions are sparse CSR, `top` classes a row.

    Labels, certainties and what is reached are over all classes, as if all had been held.
    """
    system, totals_C = DiffusionSystem.of(graph), seeds.totals_C()
    best = wide.TopClasses(graph.n, seeds.n_classes, top, graph.weights_E.dtype, graph.device)
    verdicts = []
    for start, stop in system.class_blocks(seeds.n_classes):
        solved = system.solve(seeds, range(start, stop), alpha=alpha, max_iter=max_iter, tol=tol)
        verdicts.append(solved.verdict(tol))
        best.add(_scores(solved.solution_NC, totals_C[start:stop], balance_seeds), start)
    reached_N, verdict = best.nonzero(), Verdict.worst(*verdicts)
    scores, distributions = best.sparse()
    return conclude(
        scores,
        distributions,
        _certainty(best.certainty(), reached_N, max_normalize),
        reached_N,
        seeds,
        labels_N=best.labels_N,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def read_labels(
    solved: ColumnSolve, seeds: Seeds, *, tol: float, balance_seeds: bool, max_normalize: bool, volume: Any
) -> Propagation:
    """Scores, distributions, labels and certainties from the solution for all classes."""
    scores_NC = _scores(solved.solution_NC, seeds.totals_C(), balance_seeds)
    reached_N = (scores_NC > 0).any(dim=1)  # zeros are exact: CG never leaves the components that hold seeds
    distributions_NC = normalize_rows(scores_NC)
    if volume is not None:
        distributions_NC = rebalanced(distributions_NC, reached_N | seeds.mask_N, seeds, volume)
    certainty_N = _certainty(entropy_certainty(distributions_NC), reached_N, max_normalize)
    verdict = solved.verdict(tol)
    return conclude(
        scores_NC,
        distributions_NC,
        certainty_N,
        reached_N,
        seeds,
        steps=verdict.steps,
        residual=verdict.residual,
        converged=verdict.converged,
    )


def _scores(solution_NC: torch.Tensor, totals_C: torch.Tensor, balance_seeds: bool) -> torch.Tensor:
    """Z divided by |L_j| where wanted (a class without seeds stays 0), cut at 0."""
    if balance_seeds:
        solution_NC = solution_NC / totals_C.masked_fill(totals_C == 0, 1).to(solution_NC.dtype)
    return solution_NC.clamp_min(0)


def _certainty(certainty_N: torch.Tensor, reached_N: torch.Tensor, max_normalize: bool) -> torch.Tensor:
    """0 where unreached; divided by the largest of all rows, seeds included, where wanted and not 0."""
    certainty_N = certainty_N.masked_fill(~reached_N, 0)
    peak = certainty_N.max()
    return certainty_N / peak.masked_fill(peak == 0, 1) if max_normalize else certainty_N


@dataclass(eq=False, repr=False, kw_only=True)
class Diffusion(GraphPropagator):
    """Label diffusion of deep label propagation (Iscen et al., CVPR 2019) on a graph of nearest neighbors.

    Solves (I - alpha S) Z = Y for all classes at once with conjugate gradient, S the normalized graph of
    max(cos, 0)^power over mutual and one-sided neighbors. The label of a row is the
    largest entry of its row of Z, the certainty 1 minus its normalized entropy.

    Parameters
    ----------
    power : exponent of the similarity (gamma in the paper).
    alpha : share of a score that comes from neighbors, in [0, 1).
    max_iter, tol : conjugate-gradient steps and relative residual. Twenty steps are part of the method: a solve
        cut there says `converged_ = False` and warns only where the relative residual exceeds 0.1.
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
    balance_seeds: bool = True
    max_normalize: bool = True
    volume: Literal["seeds"] | Shares | None = None

    graph_parameters: ClassVar[tuple[str, ...]] = (*GraphPropagator.graph_parameters, "power")

    def weigh(self, edges: Edges) -> sparse.csr_array:
        return clipped_power(edges.cosines(), self.power)

    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        return symmetric_sum(weights)

    def check_seeds(self, seeds: Seeds) -> None:
        check_volume(self.volume, seeds.n_classes)
        if self.volume is not None and seeds.n * seeds.n_classes > wide.DENSE_LIMIT:
            raise RequestError(
                f"volume={self.volume!r} needs all scores at once, and {seeds.n} rows x {seeds.n_classes} classes "
                f"are more than {wide.DENSE_LIMIT}. Use volume=None, or fewer rows."
            )

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        reading: dict[str, Any] = {"balance_seeds": self.balance_seeds, "max_normalize": self.max_normalize}
        solving: dict[str, Any] = {"alpha": self.alpha, "max_iter": self.max_iter, "tol": self.tol}
        if graph.n * seeds.n_classes > wide.DENSE_LIMIT:
            found = diffuse_wide(graph, seeds, self.top_classes or wide.DEFAULT_TOP, **solving, **reading)
        else:
            solved = self.solved(DiffusionSystem.of, seeds, **solving)
            found = read_labels(solved, seeds, tol=self.tol, volume=self.volume, **reading)
        if found.residual > WARN_ABOVE:
            warnings.warn(
                f"Diffusion stopped after {found.steps} steps with relative residual {found.residual:.2g} (above "
                f"{WARN_ABOVE}): scores are far from the solution. Raise max_iter or lower alpha.",
                ConvergenceWarning,
                stacklevel=3,
            )
        return found
