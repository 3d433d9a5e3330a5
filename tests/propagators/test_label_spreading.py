"""Label spreading against dense solves written from the equations and scikit-learn's, and at its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsTransformer
from sklearn.semi_supervised import LabelSpreading as Theirs

import dense_oracles as oracle
from labelprop.core.errors import RequestError
from labelprop.graph.affinity import AffinityGraph
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.label_spreading import LabelSpreading
from labelprop.propagators.systems import elimination as elimination_system
from labelprop.propagators.systems import operator
from labelprop.propagators.systems.diffusion import DiffusionSystem

spread_labels = oracle.on_graph(LabelSpreading)
EXACT: dict[str, Any] = {"tol": 1e-12, "max_iter": 5000}


def normalized(w: np.ndarray) -> np.ndarray:
    degree = w.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    return scale[:, None] * w * scale[None, :]


def spread(w: np.ndarray, y: np.ndarray, alpha: float) -> np.ndarray:
    """(1 - alpha) (I - alpha S)^-1 Y, cut where it is 0 up to rounding (other components)."""
    f = (1 - alpha) * np.linalg.solve(np.eye(len(w)) - alpha * normalized(w), y)
    return np.where(f > 1e-14 * f.max(), f, 0)


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(4, 90),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    degree=st.sampled_from([1.0, 2.0, 4.0, 30.0]),
    alpha=st.sampled_from([0.0, 0.2, 0.9, 0.99]),
    weighted=st.booleans(),
    soft=st.booleans(),
)
def test_scores_are_those_of_a_dense_solve(
    n: int, n_classes: int, seed: int, degree: float, alpha: float, weighted: bool, soft: bool
) -> None:
    p = oracle.random_problem(n, n_classes, seed, degree=degree, weighted=weighted, soft=soft)
    found = spread_labels(p.graph, p.seeds, alpha=alpha, **EXACT)
    f = spread(p.w, p.rows * p.weight[:, None], alpha)
    np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=1e-9)
    reached = np.isin(np.arange(n), np.concatenate([part for part in oracle.parts(p.w) if p.seeded[part].any()]))
    reached = reached & ((alpha > 0) | p.seeded)
    np.testing.assert_array_equal(found.reached_N.numpy(), reached)
    clear = f.max(axis=1) > 1e-5
    shares = oracle.shares_of(f)
    np.testing.assert_allclose(found.distributions_NC.numpy()[clear], shares[clear], atol=1e-5)
    np.testing.assert_allclose(found.distributions_NC.numpy()[~reached], 1 / n_classes)
    certainty = np.where(p.seeded, 1, oracle.certainty_of(shares))
    np.testing.assert_allclose(found.certainty_N.numpy()[clear], certainty[clear], atol=1e-4)
    clear &= oracle.clear(shares)
    np.testing.assert_array_equal(found.labels_N.numpy()[clear], oracle.labels_of(shares, reached, p)[clear])


def test_equals_the_papers_iteration() -> None:
    p = oracle.random_problem(60, 3, 0, degree=6)
    s, f = normalized(p.w), p.rows
    for _ in range(3000):
        f = 0.95 * s @ f + 0.05 * p.rows
    found = spread_labels(p.graph, p.seeds, alpha=0.95, **EXACT)
    np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=1e-10)


def test_alpha_zero_gives_back_the_seeds() -> None:
    X, y = oracle.blobs(40, 3, 0)
    found = LabelSpreading(alpha=0).fit(X, y)
    np.testing.assert_array_equal(found.scores_, np.where(y[:, None] >= 0, np.eye(3)[y], 0))
    np.testing.assert_array_equal(found.transduction_, y)
    np.testing.assert_array_equal(found.reached_, y >= 0)


def test_is_diffusion_up_to_one_minus_alpha_on_the_same_graph() -> None:
    p = oracle.random_problem(80, 3, 1, degree=5)
    graph = sparse.csr_array(p.w)
    ours = LabelSpreading(metric="precomputed", alpha=0.9, **EXACT).fit(graph, p.y)
    theirs = Diffusion(metric="precomputed", power=1, alpha=0.9, balance_seeds=False, **EXACT).fit(graph, p.y)
    np.testing.assert_allclose(ours.scores_, 0.1 * theirs.scores_, atol=1e-12)


@pytest.mark.parametrize("alpha", [0.2, 0.9])
def test_equals_scikit_learn_on_the_same_graph(alpha: float) -> None:
    X, y = oracle.blobs(90, 3, 2)
    w = oracle.self_tuned_graph(oracle.squared_distances(X, "euclidean"), 8)
    theirs = Theirs(lambda a, b: w, alpha=alpha, max_iter=100_000, tol=1e-13).fit(X, y)
    ours = LabelSpreading(metric="precomputed", alpha=alpha, **EXACT).fit(sparse.csr_array(w), y)
    np.testing.assert_allclose(ours.label_distributions_, theirs.label_distributions_, atol=1e-8)
    open_rows = y < 0  # theirs may contradict the labels that were given
    np.testing.assert_array_equal(ours.transduction_[open_rows], theirs.transduction_[open_rows])
    from_features = LabelSpreading(n_neighbors=8, alpha=alpha, **EXACT).fit(X, y)
    np.testing.assert_allclose(from_features.scores_, ours.scores_, atol=1e-8)


def test_equals_scikit_learn_with_the_rbf_kernel() -> None:
    X, y = oracle.blobs(90, 3, 3)
    theirs = Theirs("rbf", gamma=2, alpha=0.2, max_iter=100_000, tol=1e-13).fit(X, y)
    ours = LabelSpreading("rbf", gamma=2, alpha=0.2).fit(X, y)
    np.testing.assert_allclose(ours.label_distributions_, theirs.label_distributions_, atol=1e-6)
    np.testing.assert_array_equal(ours.predict(X[y < 0]), theirs.predict(X[y < 0]))


def test_takes_what_users_of_scikit_learn_write() -> None:
    from labelprop import LabelSpreading as Exported

    X, y = oracle.blobs(60, 3, 3)
    found = Exported(kernel="knn", n_neighbors=7, alpha=0.2, max_iter=30, tol=1e-3, gamma=20, n_jobs=-1).fit(X, y)
    assert found.transduction_.shape == found.predict(X).shape == (60,)
    assert found.converged_
    assert found.predict_proba(X).shape == found.label_distributions_.shape == (60, 3)
    assert Exported("rbf").fit(X, y).score(X, y) > 0.9
    with pytest.raises(RequestError, match=r"LabelSpreading: .*alpha=1: must be a number >= 0 and < 1"):
        Exported(alpha=1).fit(X, y)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 10**6), alpha=st.sampled_from([0.2, 0.99]))
def test_elimination_and_conjugate_gradient_agree_where_both_can(seed: int, alpha: float) -> None:
    p = oracle.random_problem(70, 3, seed, degree=10, weighted=True)
    here = elimination_system.SpreadingElimination(p.graph).solve(p.seeds, range(3), alpha=alpha, max_iter=1, tol=0)
    there = DiffusionSystem.of(p.graph).solve(p.seeds, range(3), alpha=alpha, **EXACT)
    np.testing.assert_allclose(here.solution_NC.numpy(), there.solution_NC.numpy(), atol=1e-8)


def test_light_edges_decide_rows_that_have_no_others() -> None:
    """A row whose edges are all light spreads as one of heavy edges does."""
    w = np.zeros((5, 5))
    for i, j, weight in ((0, 1, 1.0), (1, 2, 1.0), (2, 3, 3e-30), (0, 3, 1e-30), (3, 4, 2e-30)):
        w[i, j] = w[j, i] = weight
    found = LabelSpreading(metric="precomputed", alpha=0.9).fit(sparse.csr_array(w), [0, -1, 1, -1, -1])
    s = normalized(w)
    by_hand = s[3, [0, 2]] @ found.scores_[[0, 2]] + s[3, 4] * found.scores_[4]
    np.testing.assert_allclose(found.scores_[3], 0.9 * by_hand, rtol=1e-10)
    np.testing.assert_allclose(found.scores_[4], 0.9 * s[4, 3] * found.scores_[3], rtol=1e-10)
    assert found.transduction_.tolist() == [0, 0, 1, 1, 1]


def test_two_cliques_and_an_unseeded_one() -> None:
    w = np.kron(np.eye(3), np.ones((10, 10))) - np.eye(30)
    y = np.full(30, -1)
    y[0], y[10] = 4, 9
    found = LabelSpreading(metric="precomputed").fit(sparse.csr_array(w), y)
    np.testing.assert_array_equal(found.transduction_, np.repeat([4, 9, -1], 10))
    np.testing.assert_allclose(found.certainty_, np.repeat([1, 1, 0], 10), atol=1e-6)
    np.testing.assert_allclose(found.label_distributions_[20:], 0.5)
    np.testing.assert_array_equal(found.reached_, np.arange(30) < 20)


def test_given_distances_equal_the_features() -> None:
    X, y = oracle.blobs(90, 3, 5)
    wanted = LabelSpreading(n_neighbors=7, metric="euclidean").fit(X, y)
    distances = KNeighborsTransformer(n_neighbors=7).fit_transform(X)
    found = LabelSpreading(n_neighbors=2, metric="precomputed_distances").fit(distances, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5, atol=1e-9)
    queries = X[:9] + 0.01
    far = np.sqrt(oracle.squared_distances(np.concatenate([queries, X]), "euclidean")[:9, 9:])
    near = np.argsort(far, axis=1)[:, :7]
    pair = (near, np.take_along_axis(far, near, axis=1))
    np.testing.assert_allclose(found.predict_proba(pair), wanted.predict_proba(queries), atol=1e-3)


@pytest.mark.parametrize("sharpness", [0, 1, 8])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_prediction_is_the_kernels_mean_of_the_nearest_rows(metric: str, sharpness: float) -> None:
    X, y = oracle.blobs(80, 3, 6)
    found = LabelSpreading(n_neighbors=6, metric=metric, sharpness=sharpness).fit(X, y)
    queries = X[:10] + 0.2
    squared = oracle.squared_distances(np.concatenate([queries, X]), metric)[:10, 10:]
    shares = np.where(y[:, None] >= 0, np.eye(3)[y], found.label_distributions_)
    for row, proba in zip(squared, found.predict_proba(queries), strict=True):
        near = np.argsort(row, kind="stable")[:6]
        weights = np.exp(-sharpness * row[near] / row[near].max())
        np.testing.assert_allclose(proba, weights @ shares[near] / weights.sum(), rtol=1e-6)


def test_rows_alone_single_rows_and_one_class() -> None:
    X, y = oracle.blobs(30, 2, 7)
    X[20:22], y[20:22] = 0, -1
    found = LabelSpreading(metric="cosine").fit(X, y)
    assert found.transduction_[20:22].tolist() == [-1, -1]
    assert found.predict(np.zeros((1, 6))).tolist() == [-1]
    assert LabelSpreading().fit(np.ones((1, 2)), [3]).transduction_.tolist() == [3]
    alone = LabelSpreading().fit(X, [7] + [-1] * 29)
    assert set(alone.transduction_[alone.reached_].tolist()) == {7}
    assert (alone.certainty_[alone.reached_] == 1).all()


def test_every_row_a_seed_keeps_every_label() -> None:
    X, _ = oracle.blobs(50, 3, 5)
    y = np.random.default_rng(0).integers(3, size=50)
    found = LabelSpreading().fit(X, y)
    np.testing.assert_array_equal(found.transduction_, y)
    assert (found.certainty_ == 1).all()


@pytest.mark.parametrize("kernel", ["knn", "rbf"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_points_and_duplicates_by_the_thousand(kernel: str, dtype: type) -> None:
    truth = np.random.default_rng(0).integers(3, size=2000)
    X = np.eye(3, 5, dtype=dtype)[truth]
    y = np.full(2000, -1)
    for label in range(3):
        y[np.flatnonzero(truth == label)[:2]] = label
    np.testing.assert_array_equal(LabelSpreading(kernel).fit(X, y).transduction_, truth)
    equal = LabelSpreading(kernel, n_neighbors=500).fit(np.ones((300, 3), dtype), [0, 1] + [-1] * 298)
    np.testing.assert_allclose(equal.label_distributions_[2:], 0.5, atol=1e-5)
    assert (equal.certainty_[2:] < 1e-6).all()


def test_volume_moves_labels_to_the_wanted_shares_and_leaves_scores() -> None:
    X, y = oracle.blobs(500, 3, 9)
    plain, moved = LabelSpreading().fit(X, y), LabelSpreading(volume=[2, 1, 1]).fit(X, y)
    open_rows = (y < 0) & moved.reached_
    shares = np.bincount(moved.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)
    np.testing.assert_array_equal(moved.scores_, plain.scores_)
    certainty = oracle.certainty_of(moved.label_distributions_)
    np.testing.assert_allclose(moved.certainty_[open_rows], certainty[open_rows], atol=1e-6)


def test_a_solve_cut_short_warns_and_says_so() -> None:
    X, y = oracle.blobs(300, 3, 11)
    with pytest.warns(ConvergenceWarning, match=r"LabelSpreading stopped after 2 steps with relative residual 0\."):
        found = LabelSpreading(max_iter=2).fit(X, y)
    assert not found.converged_
    assert found.n_iter_ == 2
    assert found.residual_ > 1e-6
    assert LabelSpreading().fit(X, y).converged_


@pytest.mark.parametrize("n_classes", [1, 5, 40])
@pytest.mark.parametrize("kernel", ["knn", "rbf"])
def test_a_block_of_classes_at_a_time_gives_the_same_answers(
    n_classes: int, kernel: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = oracle.blobs(300, n_classes, 10, dim=12)
    whole = LabelSpreading(kernel, gamma=0.5).fit(X, y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    monkeypatch.setattr(operator, "CPU_COLUMNS", 7)
    monkeypatch.setattr(operator, "BLOCK_ELEMENTS", {"cpu": 1})
    blocked = LabelSpreading(kernel, gamma=0.5).fit(X, y)
    np.testing.assert_array_equal(blocked.transduction_, whole.transduction_)
    np.testing.assert_array_equal(blocked.reached_, whole.reached_)
    np.testing.assert_allclose(blocked.certainty_, whole.certainty_, atol=1e-9)
    scores = blocked.scores_.tocoo()
    np.testing.assert_allclose(scores.data, whole.scores_[scores.row, scores.col], atol=1e-9)
    np.testing.assert_allclose(blocked.label_distributions_.sum(axis=1), 1)
    assert np.diff(blocked.scores_.indptr).max() == min(16, n_classes)
    assert blocked.converged_
    with pytest.raises(RequestError, match="volume='seeds' needs all scores at once"):
        LabelSpreading(kernel, volume="seeds").fit(X, y)


class TestWarmStart:
    def test_only_classes_whose_seeds_changed_are_solved_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        X, y = oracle.blobs(150, 4, 12)
        solved: list[list[int]] = []
        solve = DiffusionSystem.solve

        def counted(self: DiffusionSystem, seeds: Any, classes: Any, **settings: Any) -> Any:
            solved.append(list(classes))
            return solve(self, seeds, classes, **settings)

        monkeypatch.setattr(DiffusionSystem, "solve", counted)
        warm = LabelSpreading(warm_start=True).fit(X, y)
        more = y.copy()
        more[np.flatnonzero(y < 0)[:5]] = 2
        graph = warm.graph_
        warm.fit(X.copy(), more)
        assert solved == [[0, 1, 2, 3], [2]]
        assert warm.graph_ is graph
        monkeypatch.undo()
        fresh = LabelSpreading().fit(X, more)
        np.testing.assert_allclose(warm.scores_, fresh.scores_, rtol=1e-9, atol=1e-12)
        assert (warm.n_iter_, warm.converged_) == (fresh.n_iter_, fresh.converged_)
        warm.set_params(alpha=0.5).fit(X, more)
        np.testing.assert_allclose(
            warm.scores_, LabelSpreading(alpha=0.5).fit(X, more).scores_, rtol=1e-9, atol=1e-12
        )

    def test_another_kernel_is_another_graph(self) -> None:
        X, y = oracle.blobs(80, 3, 13)
        warm = LabelSpreading(warm_start=True).fit(X, y)
        for change in (
            {"kernel": "rbf"},
            {"gamma": 3.0},
            {"kernel": "knn", "n_neighbors": 5},
            {"metric": "cosine"},
            {"sharpness": 1.0},
        ):
            warm.set_params(**change).fit(X, y)
            fresh = LabelSpreading(**{**warm.get_params(), "warm_start": False}).fit(X, y)
            np.testing.assert_allclose(warm.scores_, fresh.scores_, rtol=1e-9, atol=1e-12)


def test_pure_functions_agree_with_the_estimator_under_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = oracle.blobs(150, 3, 14)
    est = LabelSpreading().fit(X.astype(np.float32), y)
    seeds = oracle.Problem(np.zeros((0, 0)), y, np.ones(150), 3).seeds
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = spread_labels(est.graph_, seeds)
        monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
        blocked = spread_labels(est.graph_, seeds, top_classes=2)
    np.testing.assert_array_equal(found.scores_NC.numpy(), est.scores_)
    assert found.labels_N.tolist() == blocked.labels_N.tolist() == est.transduction_.tolist()
    assert isinstance(est.graph_, AffinityGraph)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kernel", ["knn", "rbf"])
def test_cuda_gives_the_answers_of_the_cpu(kernel: str) -> None:
    X, y = oracle.blobs(1000, 5, 15)
    here, there = (LabelSpreading(kernel, device=device, **EXACT).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)
