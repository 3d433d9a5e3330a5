"""SpectralBasis: the smoothest functions on a graph, found once and used for whatever seeds there are."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from labelprop.functional.eigen import COLUMNS, TOLERANCE, leading_eigenpairs
from labelprop.graph.affinity import AffinityGraph, inverse_root

DENSE_BELOW = 1000  # rows of a component; below, a dense solve of all eigenpairs is quicker
SMALLEST = 1e-14  # eigenvalue of a connected component, as far as float64 can tell it from 0


@dataclass(frozen=True, slots=True, eq=False)
class ComponentBasis:
    """The R smoothest functions on one component of S rows, without the constant one."""

    rows_S: torch.Tensor  # their numbers in the graph, ascending
    degree_S: torch.Tensor  # float64
    values_R: torch.Tensor  # float64, ascending, above 0: eigenvalues of I - D^-1/2 W D^-1/2
    vectors_SR: torch.Tensor  # orthonormal; signs are arbitrary
    residual: float  # ||L u - lambda u|| of the worst


class SpectralBasis:
    """Eigenpairs of the normalized Laplacian of each connected component, computed when first asked for.

    A component has one null vector, D^1/2 1, which is known and left out; `n_eigenvectors` are cut to what else it
    has. They depend on the graph alone: keep the object to propagate from other seeds.
    """

    def __init__(self, graph: AffinityGraph, n_eigenvectors: int) -> None:
        self.graph, self.n_eigenvectors = graph, n_eigenvectors
        self.component_N = graph.components()
        self._order_N = self.component_N.argsort(stable=True)
        self._bounds = [0, *self.component_N.bincount().cumsum(0).tolist()]
        self._sorted = graph  # rows of one component next to each other
        if len(self._bounds) > 2:
            order = self._order_N.cpu().numpy()
            self._sorted = AffinityGraph.from_scipy(graph.to_scipy()[order][:, order], graph.device)
        self._known: dict[int, ComponentBasis] = {}

    def component(self, number: int) -> ComponentBasis:
        """The basis of one component, by its number in `component_N`."""
        if number not in self._known:
            with torch.autocast(self.graph.device.type, enabled=False):  # callers may train in bfloat16
                self._known[number] = self._solve(number)
        return self._known[number]

    @property
    def residual(self) -> float:
        """||L u - lambda u|| of the worst eigenpair so far, where it exceeds what the solver aims at; else 0."""
        worst = max((part.residual for part in self._known.values()), default=0.0)
        return worst if worst > TOLERANCE[self.graph.weights_E.dtype] else 0.0

    @torch.no_grad()
    def _solve(self, number: int) -> ComponentBasis:
        rows_S = self._order_N[self._bounds[number] : self._bounds[number + 1]]
        part = self._part(number)
        count = min(self.n_eigenvectors, part.n - 1)
        degree_S = part.astype(torch.float64).degree()
        solve = _dense if part.n < DENSE_BELOW or 2 * count > part.n else _iterated
        return ComponentBasis(rows_S, degree_S, *solve(part, degree_S, count))

    def _part(self, number: int) -> AffinityGraph:
        """One component as a graph of its own."""
        first, last = self._bounds[number], self._bounds[number + 1]
        crow = self._sorted.crow[first : last + 1]
        inside = slice(int(crow[0]), int(crow[-1]))
        size = (last - first, last - first)
        return AffinityGraph(crow - crow[0], self._sorted.col[inside] - first, self._sorted.weights_E[inside], size)


def _dense(part: AffinityGraph, degree_S: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The smallest eigenpairs by a dense solve in float64; the null vector is moved out of the way, to eigenvalue 3.

    A component that nearly falls apart has other nearly null vectors, which are then not confused with it.
    """
    scale_S = inverse_root(degree_S)
    normalized_SS = part.astype(torch.float64).tensor.to_dense() * scale_S[:, None] * scale_S
    null_S = _null_vector(degree_S)
    laplacian_SS = torch.outer(3 * null_S, null_S) - normalized_SS
    laplacian_SS.diagonal().add_(1)
    values_S, vectors_SS = torch.linalg.eigh(laplacian_SS)
    return values_S[:count].clamp_min(SMALLEST), vectors_SS[:, :count].to(part.weights_E.dtype), 0.0


def _iterated(part: AffinityGraph, degree_S: torch.Tensor, count: int) -> tuple[torch.Tensor, torch.Tensor, float]:
    """The smallest eigenpairs of I - S as the largest of S, in the precision of the graph."""
    moved, order_S = part, torch.arange(part.n, device=part.device)
    if part.device.type == "cpu":
        moved, order_S = part.renumbered()
    degree_S = degree_S[order_S]
    null_S1 = _null_vector(degree_S)[:, None].to(part.weights_E.dtype)
    found = leading_eigenpairs(moved.normalized().tensor, count, null_S1)
    values_R, sharp_SR = _sharpened(moved, degree_S, found.vectors_NR)
    vectors_SR = torch.empty_like(sharp_SR)
    vectors_SR[order_S] = sharp_SR
    return values_R.clamp_min(SMALLEST), vectors_SR, found.residual


def _sharpened(
    part: AffinityGraph, degree_S: torch.Tensor, vectors_SR: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Eigenpairs of the Laplacian inside the span of these vectors, in float64, ascending.

    Scores divide by the eigenvalues. Where a graph nearly falls apart some are below 1e-5, and float32 can neither
    measure these as 1 - theta nor tell their vectors from each other.
    """
    exact, wide_SR = part.astype(torch.float64), vectors_SR.double()
    scale_S1 = degree_S.rsqrt()[:, None]
    products = []
    for columns_SB in torch.split(wide_SR, COLUMNS, dim=1):
        x_SB = columns_SB * scale_S1
        products.append(wide_SR.T @ (scale_S1 * (degree_S[:, None] * x_SB - exact.matmul(x_SB))))
    small_RR, root_RR = torch.cat(products, dim=1), torch.linalg.cholesky(wide_SR.T @ wide_SR)
    small_RR = torch.linalg.solve_triangular(root_RR, (small_RR + small_RR.T) / 2, upper=False)
    small_RR = torch.linalg.solve_triangular(root_RR, small_RR.T, upper=False)
    values_R, turn_RR = torch.linalg.eigh((small_RR + small_RR.T) / 2)
    turn_RR = torch.linalg.solve_triangular(root_RR.T, turn_RR, upper=True)
    return values_R, (wide_SR @ turn_RR).to(vectors_SR.dtype)


def _null_vector(degree_S: torch.Tensor) -> torch.Tensor:
    """D^1/2 1, of length 1."""
    root_S = degree_S.clamp_min(0).sqrt()
    length: torch.Tensor = torch.linalg.vector_norm(root_S)
    return root_S / length.masked_fill(length == 0, 1)
