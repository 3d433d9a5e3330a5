"""Constrained normalized cut: the labels as the smoothest functions on a graph that follow the seeds.

Liu, Wu, Hu, Lin, "Deep Metric Transfer for Label Propagation with Limited Annotated Data", 2018, section 3.2, after
Maji, Vishnoi, Malik, "Biased Normalized Cuts", CVPR 2011.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch
from scipy import sparse

from labelprop.core.errors import DataError
from labelprop.core.types import Propagation
from labelprop.functional.solve import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.neighbors.rounding import spans
from labelprop.graph.seeds import Seeds
from labelprop.propagators.cost.stages import BOTH_WAYS, INDEX, STEP, Cost, Size, Stage, result_bytes
from labelprop.propagators.estimator.edges import Edges, first_row
from labelprop.propagators.estimator.graph_propagator import GraphPropagator
from labelprop.propagators.estimator.parameters import Count, Positive
from labelprop.propagators.estimator.sinks import RowSink
from labelprop.propagators.systems.seed_components import SeedComponents
from labelprop.propagators.systems.spectral_basis import ComponentBasis, SpectralBasis

CLASS_BLOCK = 64  # columns of the prior computed at once
BLOCK_ELEMENTS = 1 << 24  # scores (rows x classes) read at once
ROUNDINGS = 16  # of a vector's entries: how far two that are orthogonal may seem not to be
MOST_CLASSES, MOST_ROWS = 200, 100_000  # that `auto` tries it on
WIDTH, FILTER_STEPS = 1.25, 40  # to find eigenvectors: columns for each, products with the graph; see `cost`


def _coefficients(part: ComponentBasis, seeds: Seeds) -> tuple[torch.Tensor, torch.Tensor]:
    """(u_r^T q) / lambda_r (R, C), columns scaled, and which classes have no seed in the component (C,).

    The scale of q cancels in that of the columns, so q is not scaled to length 1.
    """
    places_L = seeds.mask_N[part.rows_S].nonzero().squeeze(1)
    rows_L = part.rows_S[places_L]
    soft_LC = None if seeds.soft_NC is None else seeds.soft_NC[rows_L]
    inside = Seeds(seeds.labels_N[rows_L], seeds.weights_N[rows_L], seeds.n_classes, soft_LC)
    share_L1 = inside.weights_N[:, None]
    share_L1 = share_L1 if soft_LC is None else share_L1 * soft_LC.sum(dim=1, keepdim=True)
    degree_L1, vectors_LR = part.degree_S[places_L, None], part.vectors_SR[places_L].double()
    rounding = ROUNDINGS * torch.finfo(part.vectors_SR.dtype).eps
    blocks, seedless = [], []
    for start in range(0, seeds.n_classes, CLASS_BLOCK):
        classes = range(start, min(start + CLASS_BLOCK, seeds.n_classes))
        y_LB = inside.columns(classes, torch.float64)
        positive_LB, negative_LB = degree_L1 * y_LB, degree_L1 * (share_L1 - y_LB).clamp_min(0)
        ratio_B = positive_LB.sum(dim=0) / negative_LB.sum(dim=0)
        seedless.append(ratio_B == 0)
        prior_LB = (positive_LB / ratio_B.masked_fill(ratio_B == 0, 1)).sqrt() - (negative_LB * ratio_B).sqrt()
        along_RB = vectors_LR.T @ prior_LB
        # Where the seeds are orthogonal to all functions, what is left is rounding and carries no information.
        told_B = torch.linalg.vector_norm(along_RB, dim=0) > rounding * torch.linalg.vector_norm(prior_LB, dim=0)
        blocks.append(along_RB * told_B / part.values_R[:, None])
    found_RC = torch.cat(blocks, dim=1)
    length_C = torch.linalg.vector_norm(found_RC, dim=0)  # of the column of G as well: the vectors are orthonormal
    found_RC *= len(part.rows_S) ** 0.5 / length_C.masked_fill(length_C == 0, 1)
    return found_RC.to(part.vectors_SR.dtype), torch.cat(seedless)


def _put(answer: RowSink, rows_B: torch.Tensor, g_BC: torch.Tensor, seedless_C: torch.Tensor) -> None:
    """Reads rows of a component with seeds of several classes; a class without seeds there cannot win."""
    open_BC = g_BC.masked_fill(seedless_C, -torch.inf)
    best = open_BC.topk(2, dim=1).values
    scores_BC = open_BC - best[:, :1]
    shares_BC, certainty_B = scores_BC.softmax(dim=1), 1 - (best[:, 1] - best[:, 0]).exp()
    lowest_B1 = scores_BC.masked_fill(seedless_C, 0).amin(dim=1, keepdim=True)
    scores_BC = torch.where(seedless_C, lowest_B1, scores_BC)
    told_B = (scores_BC != 0).any(dim=1)  # equal scores say nothing
    found = (scores_BC, shares_BC, certainty_B, open_BC.argmax(dim=1))
    answer.put(rows_B[told_B], *(part[told_B] for part in found))


@dataclass(eq=False, repr=False, kw_only=True)
class SpectralCut(GraphPropagator):
    """Constrained normalized cut of Deep Metric Transfer (Liu et al., 2018) on a graph of nearest neighbors.

    The labels of each class are the combination of the smoothest functions on the graph (eigenvectors of its
    normalized Laplacian, small eigenvalues counting most) that follows the seeds: positive on the class's own,
    negative on all others. The certainty is 1 - exp(-(G_1 - G_2)), from the margin between the best two classes.

    G = sum_r u_r (u_r^T q) / lambda_r over the eigenpairs, for each class. q is positive on the class's seeds and
    negative on all others, weighed by degree so that both sides sum to the same; columns of G are scaled to the
    square root of the component's size. Departs from the released code: (1) components are solved apart, each with
    its own eigenpairs; dropping all null vectors of the whole graph would lose which component is which; (2) one
    whose seeds share one class gets that class; (3) the null vector is known, so that it is not confused with others
    that are nearly null; (4) a soft seed is positive with its share and negative with the rest.

    Parameters
    ----------
    n_eigenvectors : functions used in each connected component; cut to what it has.
    temperature : of the weights exp(-(1 - cos) / temperature).
    warm_start : on the next fit with the same X keep the graph and its eigenvectors.

    Other parameters and attributes: see the base classes.

    Examples
    --------
    >>> import numpy as np
    >>> from labelprop.propagators.spectral_cut import SpectralCut
    >>> X = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
    >>> SpectralCut(n_neighbors=2).fit(X, [0, -1, 1, -1]).transduction_
    array([0, 0, 1, 1])
    """

    n_neighbors: Count = 20
    n_eigenvectors: Count = 200
    temperature: Positive = 0.2

    graph_parameters: ClassVar[tuple[str, ...]] = (*GraphPropagator.graph_parameters, "temperature")

    @classmethod
    def suits(cls, n: int, n_classes: int) -> bool:
        """Its 200 eigenvectors cannot separate more classes, and on more rows they cost more than all others."""
        return n_classes <= MOST_CLASSES and n <= MOST_ROWS

    def cost(self, size: Size) -> Cost:
        """The smoothest eigenvectors of a graph instead of a solve, and products with them."""
        found, n, f = super().cost(size), size.n, size.float_bytes
        width = WIDTH * min(self.n_eigenvectors, n)
        edges = BOTH_WAYS * n * found.n_neighbors
        solve = Stage(
            "solve",
            2.5 * edges * (INDEX + f)
            + max(7.5 * n * width * f, n * width * f + result_bytes(size, self.top_classes)),
            products=40 * n * width**2 + 2 * n * width * size.n_classes,
            passes=FILTER_STEPS * width * (edges + STEP * n),
        )
        return replace(found, stages=(*found.stages[:2], solve))

    def weigh(self, edges: Edges) -> sparse.csr_array:
        weights = edges.cosines().copy()
        with np.errstate(over="ignore"):
            weights.data = np.exp((weights.data - 1) / weights.data.dtype.type(self.temperature))
        strange = first_row(weights, ~np.isfinite(weights.data))
        if strange is not None:
            raise DataError(
                f"row {strange[0]} of the precomputed graph: exp((s - 1) / {self.temperature:g}) overflows. "
                "SpectralCut takes similarities for cosines; scale them to at most 1."
            )
        return weights

    def build_graph(self, weights: sparse.csr_array) -> AffinityGraph:
        both = (weights + weights.T).tocsr()
        both.data /= 2  # the array by itself: SciPy would make it float64
        return AffinityGraph.from_scipy(both)

    def propagate(self, graph: AffinityGraph, seeds: Seeds) -> Propagation:
        basis = self.prepared(SpectralBasis, self.n_eigenvectors)
        parts = SeedComponents.of(basis.component_N, seeds)
        answer = RowSink(seeds, self.top_classes, graph.weights_E)
        with torch.autocast(graph.device.type, enabled=False):  # callers may train in bfloat16
            for number in torch.unique(parts.component_N[parts.mixed_N >= 0]).tolist():
                part = basis.component(number)
                coefficients_RC, seedless_C = _coefficients(part, seeds)
                for start, stop in spans(len(part.rows_S), seeds.n_classes, BLOCK_ELEMENTS):
                    g_BC = part.vectors_SR[start:stop] @ coefficients_RC
                    _put(answer, part.rows_S[start:stop], g_BC, seedless_C)
        rows_A = (parts.single_N >= 0).nonzero().squeeze(1)
        for start, stop in spans(len(rows_A), seeds.n_classes, BLOCK_ELEMENTS):
            rows_B = rows_A[start:stop]
            one_hot_BC = torch.nn.functional.one_hot(parts.single_N[rows_B], seeds.n_classes).to(graph.weights_E)
            answer.put(rows_B, one_hot_BC, one_hot_BC, torch.ones_like(one_hot_BC[:, 0]))
        # Nothing is iterated but the eigenpairs, which count where they were not found.
        return answer.concluded(Verdict(0, basis.residual, converged=basis.residual == 0))

    def warning_text(self, found: Propagation) -> str | None:
        if found.converged:
            return None
        return (
            f"SpectralCut: the {self.n_eigenvectors} smallest eigenvectors of the graph were not all found "
            f"(residual {found.residual:.2g}): many eigenvalues are nearly equal. Use fewer n_eigenvectors."
        )
