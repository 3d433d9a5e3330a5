"""Every propagator that solves a linear system has the dense solution with cells and without."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

import dense_oracles as oracle
from labelprop.core import registry
from labelprop.functional.solve import cg
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.label_propagation import LabelPropagation
from labelprop.propagators.label_spreading import LabelSpreading
from labelprop.propagators.poisson import Poisson
from labelprop.propagators.systems import operator as operators
from labelprop.propagators.systems.diffusion import DiffusionSystem
from labelprop.propagators.systems.laplacian import LaplacianSystem
from labelprop.testing import check_propagator

CONVERGED: dict[str, Any] = {"max_iter": 3000, "tol": 1e-11}
LINEAR = [
    name for name in registry.entries("propagators") if "preconditioner" in registry.parameters("propagators", name)
]


def fitted(kind: type, preconditioner: str | None, given: Any, y: Any, **settings: Any) -> Any:
    chosen = kind(metric="precomputed", preconditioner=preconditioner, **settings)
    return chosen.fit(given, y)


def test_those_that_solve_a_linear_system_have_the_parameter() -> None:
    assert set(LINEAR) == {"diffusion", "label-propagation", "label-spreading", "poisson"}
    for name in LINEAR:
        assert registry.parameters("propagators", name)["preconditioner"] == "auto"


@pytest.mark.parametrize("name", LINEAR)
def test_conforms_with_cells(name: str) -> None:
    kind = registry.lookup("propagators", name).load()
    check_propagator(kind(preconditioner="cells"))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10**6), n=st.integers(20, 90), n_parts=st.integers(1, 3))
@pytest.mark.parametrize("preconditioner", ["cells", None])
def test_scores_are_the_dense_solution(preconditioner: str | None, seed: int, n: int, n_parts: int) -> None:
    rng = np.random.default_rng(seed)
    part = rng.integers(n_parts, size=n)
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.2) * (part[:, None] == part), 1)
    w += w.T
    y = np.where(rng.random(n) < 0.2, rng.integers(3, size=n), -1)
    y[:3] = [0, 1, 2]
    given = sparse.csr_array(w)
    degree = w.sum(axis=1)
    root = 1 / np.sqrt(np.where(degree > 0, degree, 1))
    s, one_hot = root[:, None] * w * root, (y[:, None] == np.arange(3)) * 1.0
    spread = fitted(LabelSpreading, preconditioner, given, y, **CONVERGED)
    np.testing.assert_allclose(
        spread.scores_, np.linalg.solve(np.eye(n) - 0.99 * s, 0.01 * one_hot).clip(0), atol=1e-6
    )
    harmonic = fitted(LabelPropagation, preconditioner, given, y, **CONVERGED)
    np.testing.assert_allclose(harmonic.scores_, oracle.harmonic(w, one_hot, y >= 0), atol=1e-6)
    diffused = fitted(Diffusion, preconditioner, given, y, power=1, balance_seeds=False, **CONVERGED)
    np.testing.assert_allclose(
        diffused.scores_, np.linalg.solve(np.eye(n) - 0.99 * s, one_hot).clip(0), atol=1e-4, rtol=1e-6
    )
    for settings_ in ({"reweight": "poisson"}, {"center": True}):
        one = fitted(LabelPropagation, preconditioner, given, y, **CONVERGED, **settings_)
        other = fitted(LabelPropagation, None if preconditioner else "cells", given, y, **CONVERGED, **settings_)
        np.testing.assert_allclose(one.scores_, other.scores_, atol=1e-5)
    one = fitted(Poisson, preconditioner, given, y, **CONVERGED)
    other = fitted(Poisson, None if preconditioner else "cells", given, y, **CONVERGED)
    np.testing.assert_allclose(one.scores_, other.scores_, atol=1e-5 * np.abs(one.scores_).max())


def chain_of_groups(n_groups: int, link: float, seed: int = 0) -> AffinityGraph:
    """Groups of 40 rows, each linked to the next by one edge of this weight; the first row of each is a hub."""
    rng = np.random.default_rng(seed)
    n = 40 * n_groups
    group = np.arange(n) // 40
    w = np.triu(rng.random((n, n)) * (rng.random((n, n)) < 0.3) * (group[:, None] == group), 1)
    w[::40] += (group[::40, None] == group) * 0.1
    np.fill_diagonal(w, 0)
    ends = np.arange(39, n - 1, 40)
    w = np.maximum(w, w.T)
    w[ends, ends + 1] = w[ends + 1, ends] = link
    return AffinityGraph.from_scipy(sparse.csr_array(w))


@pytest.mark.parametrize("link", [1.0, 1e-4, 1e-8])
def test_nearly_disconnected_graphs(link: float) -> None:
    graph = chain_of_groups(8, link)
    keep_N = torch.ones(graph.n, dtype=torch.bool)
    component_N = torch.zeros(graph.n, dtype=torch.int64)
    b = torch.zeros(graph.n, 1, dtype=torch.float64)
    b[3], b[-3] = 1, -1
    for preconditioner in ("cells", None):
        system = LaplacianSystem.of(graph, keep_N, component_N, preconditioner=preconditioner)
        b_R1 = b[system.normalized.rows_R]
        found = system.solve(b_R1, max_iter=20_000, tol=1e-9)
        x = torch.empty_like(b)
        x[system.normalized.rows_R] = found.solution_NC
        dense = np.diag(graph.degree().numpy()) - graph.to_scipy().toarray()
        if found.verdict(1e-9).converged:
            # What is lost where the smallest eigenvalue is `link` is the cancellation of D - W, not the solver's.
            np.testing.assert_allclose(dense @ x.numpy(), b.numpy(), atol=1e-5)
        else:
            assert link <= 1e-8


@pytest.mark.parametrize("link", [1.0, 0.1, 0.01, 1e-3, 1e-4])
def test_single_precision_reaches_the_tolerance_in_a_fraction_of_the_steps(link: float) -> None:
    graph = chain_of_groups(12, link).astype(torch.float32)
    component_N = torch.zeros(graph.n, dtype=torch.int64)
    b = torch.zeros(graph.n, 2)
    b[3, 0], b[-3, 0], b[5, 1], b[90, 1] = 1, -1, 1, -1
    steps = {}
    for name in ("cells", None):
        system = LaplacianSystem.of(graph, component_N == 0, component_N, preconditioner=name, n_columns=200)
        found = system.solve(b[system.normalized.rows_R], max_iter=3000, tol=1e-6)
        assert found.solution_NC.dtype == torch.float32
        assert found.verdict(1e-6).converged
        steps[name] = int(found.steps_C.max())
    assert 3 * steps["cells"] < steps[None]


def test_cells_save_most_steps_where_groups_are_hardly_linked() -> None:
    graph = chain_of_groups(12, 0.01)
    seeds = Seeds.hard(torch.full((graph.n,), -1).index_fill(0, torch.tensor([5]), 0), 1)
    solving: dict[str, Any] = {"alpha": 0.9999, "max_iter": 2000, "tol": 1e-8}
    steps = {
        name: int(DiffusionSystem.of(graph, name).solve(seeds, [0], **solving).steps_C.max())
        for name in ("cells", None)
    }
    assert steps["cells"] * 2 < steps[None]


def test_rows_in_the_order_of_cells_have_the_dense_solution(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operators, "RENUMBER_FROM", 10)  # as large graphs are
    graph = chain_of_groups(6, 0.1)
    system = DiffusionSystem.of(graph, "cells", 1)
    assert not torch.equal(system.normalized.rows_R, torch.arange(graph.n))
    seeds = Seeds.hard(torch.full((graph.n,), -1).index_fill(0, torch.tensor([5]), 0), 1)
    found = system.solve(seeds, [0], alpha=0.99, max_iter=500, tol=1e-11)
    dense = np.eye(graph.n) - 0.99 * graph.normalized().to_scipy().toarray()
    np.testing.assert_allclose(
        found.solution_NC, np.linalg.solve(dense, seeds.columns([0], torch.float64)), atol=1e-8
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_classes_without_seeds_are_zero(dtype: torch.dtype) -> None:
    graph = chain_of_groups(4, 0.1).astype(dtype)
    seeds = Seeds.hard(torch.full((graph.n,), -1).index_fill(0, torch.tensor([3]), 0), 4)
    found = DiffusionSystem.of(graph, "cells", 4).solve(seeds, [1, 2, 3], alpha=0.99, max_iter=20, tol=1e-6)
    assert not found.solution_NC.any()
    assert not found.steps_C.any()


def test_duplicate_rows_and_more_cells_than_groups() -> None:
    X = np.repeat(np.random.default_rng(0).normal(size=(30, 4)), 20, axis=0)
    y = np.full(600, -1)
    y[[0, 25, 50]] = [0, 1, 2]
    for kind in (LabelPropagation, LabelSpreading, Poisson):
        one, other = (kind(n_neighbors=25, preconditioner=name).fit(X, y) for name in ("cells", None))
        np.testing.assert_allclose(one.scores_, other.scores_, atol=1e-4 * np.abs(other.scores_).max())


def test_without_a_preconditioner_nothing_is_prepared_and_auto_leaves_small_graphs_alone() -> None:
    graph = chain_of_groups(4, 0.1)
    assert DiffusionSystem.of(graph, None).normalized.coarse is None
    assert DiffusionSystem.of(graph, "auto").normalized.coarse is None
    assert DiffusionSystem.of(graph, "cells").normalized.coarse is not None


def test_a_plain_solve_is_bit_for_bit_that_without_the_argument() -> None:
    graph = chain_of_groups(6, 0.1)
    a = torch.eye(graph.n, dtype=torch.float64) - 0.9 * graph.normalized().to_dense()
    b = torch.from_numpy(np.random.default_rng(0).normal(size=(graph.n, 3)))
    one = cg(lambda x: a @ x, b, tol=1e-9, max_iter=50)
    other = cg(lambda x: a @ x, b, tol=1e-9, max_iter=50, precondition=None)
    torch.testing.assert_close(one.solution_NC, other.solution_NC, rtol=0, atol=0)


def test_a_wrong_preconditioner_is_refused() -> None:
    with pytest.raises(ValueError, match="preconditioner"):
        LabelSpreading(preconditioner="cell").fit(np.eye(4), [0, 1, -1, -1])
