"""Poisson-reweighted graphs: edges grow toward the seeds, so that a few of them are heard everywhere.

Miller, Calder, "Poisson Reweighted Laplacian Uncertainty Sampling for Graph-Based Active Learning", SIAM Journal on
Mathematics of Data Science, 2023.
"""

from __future__ import annotations

import torch

from labelprop.graph import AffinityGraph
from labelprop.propagators.laplacian_system import SHIFT, LaplacianSystem, warn_shifted
from labelprop.seeds import Seeds
from labelprop.types import Solve

FLOOR = 1e-5  # smallest g


def poisson_reweighted(
    graph: AffinityGraph, seeds: Seeds, *, max_iter: int, tol: float
) -> tuple[AffinityGraph, Solve]:
    """W'_ij = g_i g_j W_ij with (D - W) g = 1_seeds - mean(1_seeds), g := g - min g + 1e-5; and the solver's verdict.

    Mean and minimum are taken in each component. Solved in float64: far from the seeds g is a small difference.
    Where that misses `tol`, 1e-4 D is added to D - W, with a warning.
    """
    component_N = graph.components()
    seeded = torch.zeros(int(component_N.max()) + 1, dtype=torch.float64, device=graph.device)
    counts = torch.bincount(component_N).double()
    seeded += torch.bincount(component_N[seeds.mask_N], minlength=len(seeded))
    sources_N = seeds.mask_N.double() - (seeded / counts)[component_N]
    doubled = graph.astype(torch.float64)
    system = LaplacianSystem.of(doubled, seeded[component_N] > 0, component_N)
    b_R1 = sources_N[system.rows_R, None]
    solved = system.solve(b_R1, max_iter=max_iter, tol=tol)
    missed = solved.verdict(tol)
    if not missed.converged:
        solved = system.solve(b_R1, max_iter=max_iter, tol=tol, shift=SHIFT)
        warn_shifted(missed.residual, solved.verdict(tol))
    g_N = torch.zeros_like(sources_N)
    g_N[system.rows_R] = solved.solution_NC[:, 0]
    lowest = torch.full_like(counts, torch.inf).scatter_reduce(0, component_N, g_N, "amin")
    g_N = g_N - lowest[component_N] + FLOOR
    ends_E = torch.repeat_interleave(g_N, graph.crow.diff()) * g_N.index_select(0, graph.col)
    weights_E = (doubled.weights_E * ends_E).to(graph.weights_E.dtype)
    return AffinityGraph(graph.crow, graph.col, weights_E, graph.shape), solved.verdict(tol)
