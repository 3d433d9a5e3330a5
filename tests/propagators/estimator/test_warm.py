"""warm_start: what is kept, what is solved again, and that the answer is that of a fresh fit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import sparse

from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator import graph_propagator
from labelprop.propagators.estimator.warm import fingerprint
from labelprop.propagators.systems.diffusion import DiffusionSystem


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Any]]:
    """Which columns were solved and how often neighbors were searched."""
    done: dict[str, list[Any]] = {"solved": [], "searches": []}
    solve, search = DiffusionSystem.solve, graph_propagator.nearest

    def counted_solve(self: DiffusionSystem, seeds: Any, classes: Any, **settings: Any) -> Any:
        done["solved"].append(list(classes))
        return solve(self, seeds, classes, **settings)

    def counted_search(*args: Any, **settings: Any) -> Any:
        done["searches"].append(1)
        return search(*args, **settings)

    monkeypatch.setattr(DiffusionSystem, "solve", counted_solve)
    monkeypatch.setattr(graph_propagator, "nearest", counted_search)
    return done


def data(n: int = 200, n_classes: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.arange(n) % n_classes
    X = 3 * np.eye(n_classes, 10)[truth] + rng.normal(size=(n, 10))
    return X, np.where(np.arange(n) < 4 * n_classes, truth, -1)


def same_as_fresh(found: Diffusion, X: Any, y: Any, **parameters: Any) -> None:
    fresh = Diffusion(**parameters).fit(X, y)
    np.testing.assert_allclose(found.scores_, fresh.scores_, rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(found.transduction_, fresh.transduction_)
    assert (found.n_iter_, found.converged_) == (fresh.n_iter_, fresh.converged_)
    assert found.residual_ == pytest.approx(fresh.residual_)
    np.testing.assert_array_equal(found.predict(X[:9]), fresh.predict(X[:9]))


def test_only_classes_whose_seeds_changed_are_solved_again(work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, y)
    more = y.copy()
    more[100] = 4
    found.fit(X.copy(), more)
    assert work["solved"] == [[0, 1, 2, 3, 4, 5], [4]]
    assert len(work["searches"]) == 1
    same_as_fresh(found, X, more)


def test_classes_may_come_and_go(work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, np.where(y == 2, -1, y))
    found.fit(X, y)
    assert work["solved"][-1] == [2]
    same_as_fresh(found, X, y)
    found.fit(X, np.where(y == 0, -1, y))
    same_as_fresh(found, X, np.where(y == 0, -1, y))


def test_weights_and_soft_seeds_count_as_changes(work: dict[str, list[Any]]) -> None:
    X, y = data()
    weights = np.ones(200)
    found = Diffusion(warm_start=True).fit(X, y, sample_weight=weights)
    weights[1] = 0.5  # a seed of class 1
    found.fit(X, y, sample_weight=weights)
    assert work["solved"][-1] == [1]
    soft = np.where(y[:, None] >= 0, np.eye(6)[y], 0)
    found.fit(X, soft)
    assert work["solved"][-1] == [1]
    soft[3] = [0, 0, 0, 0.5, 0.5, 0]
    found.fit(X, soft)
    assert work["solved"][-1] == [3, 4]
    same_as_fresh(found, X, soft)


def test_other_settings_of_the_solver_solve_everything_again(work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, y)
    found.set_params(alpha=0.5).fit(X, y)
    assert work["solved"][-1] == [0, 1, 2, 3, 4, 5]
    assert len(work["searches"]) == 1
    same_as_fresh(found, X, y, alpha=0.5)


@pytest.mark.parametrize("change", [{"n_neighbors": 9}, {"power": 2}])
def test_other_settings_of_the_graph_build_it_again(change: dict[str, Any], work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, y).set_params(**change).fit(X, y)
    assert len(work["searches"]) == 2
    same_as_fresh(found, X, y, **change)


def test_data_changed_in_place_are_noticed(work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, y)
    X[150] = -X[150]
    found.fit(X, y)
    assert len(work["searches"]) == 2
    same_as_fresh(found, X, y)


def test_without_warm_start_nothing_is_kept(work: dict[str, list[Any]]) -> None:
    X, y = data()
    found = Diffusion(warm_start=True).fit(X, y).set_params(warm_start=False).fit(X, y)
    found.set_params(warm_start=True).fit(X, y)
    assert len(work["searches"]) == 3


def test_fingerprints_are_of_content() -> None:
    X = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    known = fingerprint(X)
    assert fingerprint(X.copy()) == fingerprint(np.asfortranarray(X)) == fingerprint(torch.from_numpy(X)) == known
    other = X.copy()
    other[49, 3] += 1e-6
    assert fingerprint(other) != known
    assert fingerprint(X.reshape(25, 8)) != known
    assert fingerprint(X.astype(np.float64)) != known
    thin = sparse.csr_array(X)
    assert fingerprint(thin) == fingerprint(thin.copy())
    assert fingerprint(thin) != fingerprint(2 * thin)
    assert fingerprint(torch.ones(3, 2, dtype=torch.bfloat16)) != fingerprint(torch.zeros(3, 2, dtype=torch.bfloat16))
