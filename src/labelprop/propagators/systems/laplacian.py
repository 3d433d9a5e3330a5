"""Linear systems of the graph Laplacian D - W: harmonic functions and Poisson's equation, by conjugate gradient.

Both are solved as (I - S) z = D^-1/2 b, S = D^-1/2 W D^-1/2, x = D^-1/2 z: the eigenvalues of I - S are in [0, 2].
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from labelprop.core.progress import advance
from labelprop.core.text import counted
from labelprop.functional.elimination import eliminate
from labelprop.functional.solve import ColumnSolve, Verdict, cg_refined
from labelprop.functional.steps import Matmul
from labelprop.graph.affinity import AffinityGraph, inverse_root
from labelprop.graph.seeds import Seeds
from labelprop.propagators.systems.elimination import suits
from labelprop.propagators.systems.operator import Normalized, Operator, Precondition
from labelprop.propagators.systems.seed_components import SeedComponents

SHIFT = 1e-4  # share of D added where D - W alone cannot be solved


@dataclass(frozen=True, slots=True, eq=False)
class LaplacianSystem:
    """(D - W) x = b on some rows R of a symmetric graph W; x is 0 in all other rows, and D counts all edges.

    Where R holds whole components (`null` is then given), D - W is singular: b must sum to 0 in each of them, and of
    all solutions the one with sum_i d_i x_i = 0 in each is found.
    """

    normalized: Normalized  # S in these rows and columns
    null: tuple[AffinityGraph, AffinityGraph] | None  # (G, R) and (R, G): D^1/2 1 of each component, of length 1
    component_R: torch.Tensor | None  # where the rows make up whole components

    @classmethod
    def of(
        cls,
        weights: AffinityGraph | Operator,
        keep_N: torch.Tensor,
        component_N: torch.Tensor | None = None,
        *,
        preconditioner: Precondition = None,
        n_columns: int = 1,
    ) -> LaplacianSystem:
        """Prepares the system in the rows `keep_N` (N,) bool; `component_N` where they make up whole components."""
        normalized = Normalized.of(weights, keep_N, preconditioner, n_columns)
        if component_N is None or not normalized.n:
            return cls(normalized, None, None)
        component_R = component_N[normalized.rows_R]
        return cls(normalized, _null_vectors(normalized.degree_R, component_R), component_R)

    def solve(self, b_RB: torch.Tensor, *, max_iter: int, tol: float, shift: float = 0.0) -> ColumnSolve:
        """x for (D - W + shift D) x = b, rows as in `normalized`; the residual is that of the scaled system."""
        if not self.normalized.n:
            return ColumnSolve.empty(0, b_RB.shape[1], b_RB.dtype, b_RB.device)

        def operator(dtype: torch.dtype) -> Matmul:
            product, null = self.normalized.shifted(dtype, -1, 1 + shift), self._null(dtype)
            return (lambda z_RB: _project(product(z_RB), null)) if null else product

        with torch.autocast(b_RB.device.type, enabled=False):  # callers may train in bfloat16
            null, scale_R1 = self._null(b_RB.dtype), inverse_root(self.normalized.degree_R)[:, None]
            b_RB = _project(b_RB * scale_R1, null)
            precondition = self.normalized.precondition(1, 1 + shift, self.component_R)
            solved = cg_refined(operator, b_RB, tol=tol, max_iter=max_iter, precondition=precondition)
            x_RB = _project(solved.solution_NC, null) * scale_R1
        return ColumnSolve(x_RB, solved.steps_C, solved.residual_C)

    def _null(self, dtype: torch.dtype) -> list[torch.Tensor]:
        """The null vectors across (G, R) and along (R, G) in this type; none where the system is regular."""
        return [] if self.null is None else [part.astype(dtype).tensor for part in self.null]


@dataclass(frozen=True, slots=True, eq=False)
class HarmonicSystem:
    """Functions that equal the given labels on the seeds and the weighted mean of their neighbors elsewhere."""

    weights: Operator
    system: LaplacianSystem | AffinityGraph  # in the rows R; the plain W (R, R) where elimination suits it
    rows_R: torch.Tensor  # unlabeled rows of components that hold seeds

    @classmethod
    def of(
        cls,
        weights: AffinityGraph | Operator,
        seeds: Seeds,
        component_N: torch.Tensor,
        preconditioner: Precondition = None,
    ) -> HarmonicSystem:
        """Prepares the system in all unlabeled rows of components that hold seeds.

        Elimination needs the entries: an operator without a graph is solved by conjugate gradient, whatever it is.
        """
        seeded = torch.zeros(int(component_N.max()) + 1, dtype=torch.bool, device=component_N.device)
        seeded[component_N[seeds.mask_N]] = True
        keep_N = seeded[component_N] & ~seeds.mask_N
        operator = Operator.of(weights) if isinstance(weights, AffinityGraph) else weights
        if isinstance(weights, AffinityGraph) and suits(weights):
            rows_R = keep_N.nonzero().squeeze(1)
            rows = rows_R.cpu().numpy()
            inner = AffinityGraph.from_scipy(weights.to_scipy()[rows][:, rows], weights.device)
            return cls(operator, inner, rows_R)
        solving: dict[str, Any] = {"preconditioner": preconditioner, "n_columns": seeds.n_classes}
        system = LaplacianSystem.of(weights, keep_N, **solving)
        return cls(operator, system, system.normalized.rows_R)

    def solve(self, seeds: Seeds, classes: Sequence[int], *, max_iter: int, tol: float) -> ColumnSolve:
        """F for these classes (N, len(classes)): (D - W)_UU F_U = W_UL Y_L, F_L = Y_L, 0 in components without seeds.

        Cut to the range of Y, of which F is a weighted mean: only rounding and unfinished solves leave it.
        """
        degree_N = self.weights.degree_N
        solved = ColumnSolve.empty(seeds.n, len(classes), degree_N.dtype, degree_N.device)
        for start, stop in self.class_blocks(len(classes)):
            advance("solve", start, len(classes))
            y_NB = seeds.columns(classes[start:stop], degree_N.dtype)
            part = self._inner(y_NB, seeds, max_iter, tol)
            inner_RB = part.solution_NC.clamp_min(0).minimum(y_NB.amax(dim=0))
            solved.solution_NC[:, start:stop] = y_NB
            solved.put(self.rows_R, start, replace(part, solution_NC=inner_RB))
        return solved

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        """(start, stop) of classes to solve together: all by elimination, which takes as long for one."""
        inner = self.system
        return inner.normalized.class_blocks(n_classes) if isinstance(inner, LaplacianSystem) else [(0, n_classes)]

    def _inner(self, y_NB: torch.Tensor, seeds: Seeds, max_iter: int, tol: float) -> ColumnSolve:
        """F in the rows of the system."""
        if isinstance(self.system, LaplacianSystem):
            return self.system.solve(self.weights.matmul(y_NB)[self.rows_R], max_iter=max_iter, tol=tol)
        solved = ColumnSolve.empty(self.system.n, y_NB.shape[1], y_NB.dtype, y_NB.device)
        leak_R = self.weights.matmul(seeds.mask_N[:, None].double())[self.rows_R, 0]
        inflow_RB = self.weights.matmul(y_NB.double())[self.rows_R]
        solved.solution_NC[:] = eliminate(self.system.to_dense().double(), leak_R, inflow_RB)
        return solved


@dataclass(frozen=True, slots=True, eq=False)
class PoissonSystem:
    """(D - W) u = b, b = w_i (y_i - ybar) in the seeds and 0 elsewhere, on components with seeds of several classes.

    ybar is the mean label of the component's seeds, and sum_i d_i u_i = 0 in each component.
    """

    system: LaplacianSystem
    parts: SeedComponents

    @classmethod
    def of(
        cls, weights: AffinityGraph | Operator, parts: SeedComponents, preconditioner: Precondition = None
    ) -> PoissonSystem:
        mixed_N = parts.mixed_N
        solving: dict[str, Any] = {"preconditioner": preconditioner, "n_columns": parts.shares_GC.shape[1]}
        return cls(LaplacianSystem.of(weights, mixed_N >= 0, mixed_N, **solving), parts)

    def solve(
        self, seeds: Seeds, classes: Sequence[int], *, max_iter: int, tol: float, shift: float = 0.0
    ) -> ColumnSolve:
        """u for these classes (N, len(classes)), 0 in all other components; `shift` D is added to D - W."""
        rows_R, degree_R = self.system.normalized.rows_R, self.system.normalized.degree_R
        solved = ColumnSolve.empty(seeds.n, len(classes), degree_R.dtype, degree_R.device)
        for start, stop in self.class_blocks(len(classes)):
            advance("solve", start, len(classes))
            b_RB = self._sources(seeds, classes[start:stop])[rows_R].to(degree_R.dtype)
            solved.put(rows_R, start, self.system.solve(b_RB, max_iter=max_iter, tol=tol, shift=shift))
        return solved

    def class_blocks(self, n_classes: int) -> list[tuple[int, int]]:
        return self.system.normalized.class_blocks(n_classes)

    def _sources(self, seeds: Seeds, classes_B: Sequence[int]) -> torch.Tensor:
        """b (N, B), float64."""
        b_NB = seeds.columns(classes_B, torch.float64)
        rows = (seeds.mask_N & (self.parts.mixed_N >= 0)).nonzero().squeeze(1)
        mean_LB = self.parts.shares_GC[self.parts.mixed_N[rows]][:, list(classes_B)]
        b_NB[rows] -= seeds.weights_N[rows, None] * mean_LB
        return b_NB


def warn_shifted(missed: float, then: Verdict) -> None:
    """Warns that a shifted system was solved instead, and whether that converged."""
    outcome = (
        ""
        if then.converged
        else f", which stopped at {then.residual:.2g} after {counted(then.steps, 'step')}: raise max_iter"
    )
    warnings.warn(
        f"conjugate gradient on D - W stopped at relative residual {missed:.2g}: the graph is nearly disconnected, "
        f"or max_iter is low. Solved once more with {SHIFT:g} D added{outcome}. More neighbors connect it better.",
        ConvergenceWarning,
        stacklevel=3,
    )


def _project(z_RB: torch.Tensor, null: list[torch.Tensor]) -> torch.Tensor:
    """z without its part along the null vectors."""
    if not null:
        return z_RB
    across, along = null
    return torch.addmm(z_RB, along, across @ z_RB, alpha=-1)


def _null_vectors(degree_R: torch.Tensor, component_R: torch.Tensor) -> tuple[AffinityGraph, AffinityGraph]:
    """D^1/2 1 of each component, scaled to length 1, as (G, R) and its transpose."""
    degree = degree_R.double().cpu().numpy()
    _, place = np.unique(component_R.cpu().numpy(), return_inverse=True)
    volume = np.bincount(place, degree)
    entries = np.sqrt(degree / np.where(volume > 0, volume, 1)[place]) if len(place) else degree
    entries = entries if degree_R.dtype == torch.float64 else entries.astype(np.float32)
    along = sparse.csr_array((entries, place, np.arange(len(place) + 1)), shape=(len(place), len(volume)))
    across = AffinityGraph.from_scipy(along.T.tocsr(), degree_R.device)
    return across, AffinityGraph.from_scipy(along, degree_R.device)
