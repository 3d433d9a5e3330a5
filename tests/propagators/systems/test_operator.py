"""Systems do not see where the weights are: another `matmul` gives the same solution."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from labelprop.functional.solve import ColumnSolve
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.systems import operator as operators
from labelprop.propagators.systems.diffusion import DiffusionSystem
from labelprop.propagators.systems.laplacian import HarmonicSystem, PoissonSystem
from labelprop.propagators.systems.operator import Operator
from labelprop.propagators.systems.seed_components import SeedComponents

CLASSES = 4
SOLVER: dict[str, Any] = {"max_iter": 500, "tol": 1e-10}


def problem(dtype: Any = np.float64) -> tuple[AffinityGraph, Seeds]:
    """Two components, the smaller without seeds, and a row without edges."""
    weights = sparse.random_array((120, 120), density=0.08, rng=np.random.default_rng(0)).toarray()
    weights = np.maximum(weights, weights.T)
    weights[:90, 90:] = weights[90:, :90] = weights[119] = weights[:, 119] = 0
    np.fill_diagonal(weights, 0)
    labels_N = torch.full((120,), -1)
    labels_N[:16] = torch.arange(16) % CLASSES
    return AffinityGraph.from_scipy(sparse.csr_array(weights.astype(dtype))), Seeds.hard(labels_N, CLASSES)


def in_row_blocks(graph: AffinityGraph, size: int = 50) -> Operator:
    """The same matrix held in blocks of rows, as by several machines."""
    whole = graph.to_scipy()
    blocks = [AffinityGraph.from_scipy(whole[start : start + size]) for start in range(0, graph.n, size)]

    def matmul(x_NB: torch.Tensor) -> torch.Tensor:
        return torch.cat([block.astype(x_NB.dtype).matmul(x_NB) for block in blocks])

    return Operator(matmul, torch.cat([block.degree() for block in blocks]))


def diffused(weights: Any, graph: AffinityGraph, seeds: Seeds) -> ColumnSolve:
    return DiffusionSystem.of(weights).solve(seeds, range(CLASSES), alpha=0.95, **SOLVER)


def harmonic(weights: Any, graph: AffinityGraph, seeds: Seeds) -> ColumnSolve:
    return HarmonicSystem.of(weights, seeds, graph.components()).solve(seeds, range(CLASSES), **SOLVER)


def poisson(weights: Any, graph: AffinityGraph, seeds: Seeds) -> ColumnSolve:
    parts = SeedComponents.of(graph.components(), seeds)
    return PoissonSystem.of(weights, parts).solve(seeds, range(CLASSES), **SOLVER)


@pytest.mark.parametrize("solved", [diffused, harmonic, poisson])
@pytest.mark.parametrize("renumbered", [False, True])
def test_rows_held_in_blocks_give_the_same_solution(
    solved: Any, renumbered: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operators, "RENUMBER_FROM", 10 if renumbered else 10**9)
    graph, seeds = problem()
    wanted = solved(graph, graph, seeds)
    assert wanted.verdict(1e-10).converged
    for weights in (in_row_blocks(graph), Operator.of(graph)):
        found = solved(weights, graph, seeds)
        torch.testing.assert_close(found.solution_NC, wanted.solution_NC, rtol=0, atol=1e-8)
        assert found.verdict(1e-10).converged


@pytest.mark.parametrize("solved", [diffused, harmonic])
def test_float32_is_refined_through_the_product(solved: Any) -> None:
    graph, seeds = problem(np.float32)
    exact = solved(graph.astype(torch.float64), graph, seeds).solution_NC
    found = solved(in_row_blocks(graph), graph, seeds)
    assert found.solution_NC.dtype == torch.float32
    torch.testing.assert_close(found.solution_NC.double(), exact, rtol=0, atol=1e-6)


def test_a_singular_system_is_solved_as_well_through_the_product_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SOLVER, "tol", 1e-6)
    graph, seeds = problem(np.float32)
    exact = poisson(graph.astype(torch.float64), graph, seeds).solution_NC
    for weights in (graph, in_row_blocks(graph)):
        found = poisson(weights, graph, seeds)
        assert found.verdict(1e-6).converged
        torch.testing.assert_close(found.solution_NC.double(), exact, rtol=0, atol=1e-4)
