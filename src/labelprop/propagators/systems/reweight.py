"""Poisson-reweighted graphs: edges grow toward the seeds, so that a few seeds influence distant rows.

Miller, Calder, "Poisson Reweighted Laplacian Uncertainty Sampling for Graph-Based Active Learning", SIAM Journal on
Mathematics of Data Science, 2023.
"""

from __future__ import annotations

import torch

from labelprop.functional.elimination import eliminate
from labelprop.functional.solve import Verdict
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.systems.elimination import suits
from labelprop.propagators.systems.laplacian import SHIFT, LaplacianSystem, warn_shifted
from labelprop.propagators.systems.operator import Precondition

FLOOR = 1e-5  # smallest g
HUGE = 1e15  # g, where edges are light; scaled to 1 in that component, which changes no mean of neighbors
LARGEST = 1e300  # g, where it would overflow


def poisson_reweighted(
    graph: AffinityGraph, seeds: Seeds, *, max_iter: int, tol: float, preconditioner: Precondition = None
) -> tuple[AffinityGraph, Verdict]:
    """W'_ij = g_i g_j W_ij with (D - W) g = 1_seeds - mean(1_seeds), g := g - min g + 1e-5; and the solver's verdict.

    Mean and minimum are taken in each component. Solved in float64: far from the seeds g is a small difference.
    Where conjugate gradient misses `tol`, 1e-4 D is added to D - W, with a warning.
    """
    component_N = graph.components()
    counts = torch.bincount(component_N).double()
    seeded = torch.bincount(component_N[seeds.mask_N], minlength=len(counts)).double()
    sources_N = seeds.mask_N.double() - (seeded / counts)[component_N]
    weights_E = graph.weights_E.double()
    heaviest = weights_E.amax() if graph.n_edges else weights_E.new_ones(())
    scaled = AffinityGraph(graph.crow, graph.col, weights_E / heaviest, graph.shape)  # g times its heaviest weight
    if suits(graph):
        g_N, verdict = _by_elimination(scaled, component_N, sources_N), Verdict(0, 0.0, converged=True)
    else:
        keep_N = (seeded > 0)[component_N]
        system = LaplacianSystem.of(scaled, keep_N, component_N, preconditioner=preconditioner)
        g_N, verdict = _by_iteration(system, sources_N, max_iter, tol)
    g_N = g_N.clamp(-LARGEST * heaviest, LARGEST * heaviest) / heaviest
    lowest = torch.full_like(counts, torch.inf).scatter_reduce(0, component_N, g_N, "amin")
    g_N = g_N - lowest[component_N] + FLOOR
    highest = torch.zeros_like(counts).scatter_reduce(0, component_N, g_N, "amax")
    g_N /= highest.masked_fill(highest < HUGE, 1)[component_N]
    weights_E = weights_E * torch.repeat_interleave(g_N, graph.crow.diff())  # a copy: float64 weights are the graph's
    weights_E *= g_N.index_select(0, graph.col)
    return AffinityGraph(graph.crow, graph.col, weights_E.to(graph.weights_E.dtype), graph.shape), verdict


def _by_iteration(
    system: LaplacianSystem, sources_N: torch.Tensor, max_iter: int, tol: float
) -> tuple[torch.Tensor, Verdict]:
    """g up to a constant in each component, 0 in those without seeds, by conjugate gradient."""
    b_R1 = sources_N[system.normalized.rows_R, None]
    solved = system.solve(b_R1, max_iter=max_iter, tol=tol)
    missed = solved.verdict(tol)
    if not missed.converged:
        solved = system.solve(b_R1, max_iter=max_iter, tol=tol, shift=SHIFT)
        warn_shifted(missed.residual, solved.verdict(tol))
    g_N = torch.zeros_like(sources_N)
    g_N[system.normalized.rows_R] = solved.solution_NC[:, 0]
    return g_N, solved.verdict(tol)


def _by_elimination(graph: AffinityGraph, component_N: torch.Tensor, sources_N: torch.Tensor) -> torch.Tensor:
    """g up to a constant in each component: 0 in its first row, elsewhere what sources give less what sinks take."""
    first = torch.full_like(component_N, len(component_N))
    first = first.scatter_reduce(0, component_N, torch.arange(len(component_N), device=first.device), "amin")
    grounded_N = torch.zeros_like(component_N, dtype=torch.bool)
    grounded_N[first[first < len(component_N)]] = True
    weights_NN = graph.to_dense()
    free = (~grounded_N).nonzero().squeeze(1)
    leak_F = weights_NN[free][:, grounded_N].sum(dim=1)
    both_F2 = torch.stack([sources_N.clamp_min(0), (-sources_N).clamp_min(0)], dim=1)[free]
    lightest = graph.weights_E.min()
    parts_F2 = eliminate(weights_NN[free][:, free], leak_F, both_F2 * lightest)  # g may be as large as 1 / lightest
    g_N = torch.zeros_like(sources_N)
    g_N[free] = (parts_F2[:, 0] - parts_F2[:, 1]).clamp(-LARGEST * lightest, LARGEST * lightest) / lightest
    return g_N
