"""SpectralCut against dense eigenvectors and the equations of the constrained normalized cut, and at its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning

from dense_oracles import Problem, on_graph, parts, random_problem
from labelprop.core.errors import DataError, RequestError
from labelprop.functional import eigen
from labelprop.graph.affinity import AffinityGraph
from labelprop.graph.seeds import Seeds
from labelprop.propagators import spectral_cut
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.spectral_cut import SpectralCut
from labelprop.propagators.systems import spectral_basis
from labelprop.propagators.systems.spectral_basis import SpectralBasis

cut = on_graph(SpectralCut)


def dense_cut(problem: Problem, n_eigenvectors: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """G (its row maximum over the classes that can win subtracted), their softmax, and which rows are reached.

    Last the smallest gap behind the eigenvalues used, and length of the prior along the vectors: where one is 0 there
    is a choice of vectors, or nothing to choose a class by.
    """
    gap = np.inf
    n, n_classes = len(problem.w), problem.n_classes
    scores, shares, reached = np.zeros((n, n_classes)), np.full((n, n_classes), 1 / n_classes), problem.seeded.copy()
    for part in parts(problem.w):
        seeds = part[problem.seeded[part]]
        labels = set(problem.y[seeds].tolist())
        if len(labels) == 1:
            scores[part] = shares[part] = np.eye(n_classes)[labels.pop()]
        if len(labels) < 2:
            reached[part] = len(seeds) > 0
            continue
        inner = problem.w[np.ix_(part, part)]
        d = inner.sum(axis=1)
        values, vectors = np.linalg.eigh(np.eye(len(part)) - inner / np.sqrt(np.outer(d, d)))
        if len(values) > n_eigenvectors + 1:
            gap = min(gap, values[n_eigenvectors + 1] - values[n_eigenvectors])
        values, vectors = values[1 : n_eigenvectors + 1], vectors[:, 1 : n_eigenvectors + 1]
        g = np.zeros((len(part), n_classes))
        winners = []
        for label in range(n_classes):
            share = np.where(problem.seeded, problem.weight, 0)[part] * problem.rows[part, label]
            rest = np.where(problem.seeded, problem.weight, 0)[part] * problem.rows[part].sum(axis=1) - share
            if share.sum() == 0:
                continue
            winners.append(label)
            ratio = (d * share).sum() / (d * rest).sum()
            q = np.sqrt(d * share / ratio) - np.sqrt(d * rest * ratio)
            along = vectors.T @ (q / np.linalg.norm(q))
            gap = min(gap, np.linalg.norm(along))
            g[:, label] = vectors @ (along / values)
            g[:, label] *= np.sqrt(len(part)) / np.linalg.norm(g[:, label])
        g -= g[:, winners].max(axis=1, keepdims=True)
        for label in set(range(n_classes)) - set(winners):
            g[:, label] = g[:, winners].min(axis=1)
        scores[part] = g
        p = np.zeros_like(g)
        p[:, winners] = np.exp(g[:, winners])
        shares[part] = p / p.sum(axis=1, keepdims=True)
        reached[part] = True
    return scores, shares, reached, gap


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(4, 90),
    n_classes=st.integers(1, 4),
    seed=st.integers(0, 10**6),
    count=st.integers(2, 60),  # a single function gives classes equal columns but for their signs
    degree=st.sampled_from([1.0, 2.0, 5.0]),
    weighted=st.booleans(),
    soft=st.booleans(),
)
def test_scores_are_those_of_dense_eigenvectors(
    n: int, n_classes: int, seed: int, count: int, degree: float, weighted: bool, soft: bool
) -> None:
    soft = soft and n_classes > 1
    problem = random_problem(n, n_classes, seed, degree=degree, weighted=weighted, soft=soft)
    scores, shares, reached, gap = dense_cut(problem, count)
    assume(gap > 1e-5)
    found = cut(problem.graph, problem.seeds, n_eigenvectors=count)
    scale = np.abs(scores).max()
    np.testing.assert_allclose(found.scores_NC.numpy(), scores, atol=1e-7 * max(scale, 1))
    np.testing.assert_allclose(found.distributions_NC.numpy(), shares, atol=1e-7)
    np.testing.assert_array_equal(found.reached_N.numpy(), reached)
    best = np.sort(shares, axis=1)[:, ::-1]
    margin = 1 - best[:, 1] / best[:, 0] if n_classes > 1 else np.ones(n)  # exp(-(G1 - G2)) = p2 / p1
    wanted = np.where(problem.seeded, 1, np.where(reached, margin, 0))
    np.testing.assert_allclose(found.certainty_N.numpy(), wanted, atol=1e-6)
    clear = reached & (margin > 1e-6) & ~problem.seeded
    np.testing.assert_array_equal(found.labels_N.numpy()[clear], shares.argmax(axis=1)[clear])
    np.testing.assert_array_equal(found.labels_N.numpy()[problem.seeded], problem.y[problem.seeded])
    assert (found.steps, found.residual, found.converged) == (0, 0.0, True)


def test_seeds_that_no_function_tells_apart_leave_the_rest_unreached() -> None:
    """Two leaves of a hub: only a function of eigenvalue 1 differs between them, which is not among the first."""
    n = 9
    w = np.zeros((n, n))
    w[0, 1:] = w[1:, 0] = 1  # the leaves 1 and 2 hang on the hub 0, as the others do; a path makes smooth functions
    for i in range(3, n - 1):
        w[i, i + 1] = w[i + 1, i] = 1
    graph = AffinityGraph.from_scipy(sparse.csr_array(w))
    labels = torch.full((n,), -1)
    labels[1], labels[2] = 0, 1
    found = cut(graph, Seeds.hard(labels, 2), n_eigenvectors=2)
    assert found.reached_N.tolist() == [i in (1, 2) for i in range(n)]
    assert found.labels_N.tolist() == labels.tolist()


def test_graph_is_the_mean_of_both_directions_of_the_exponential_kernel() -> None:
    X, y = blobs(40, 2, 0)
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    w = np.zeros((40, 40))
    for i, row in enumerate(cosines):
        nearest = np.argsort(-row)[:5]
        w[i, nearest] = np.exp(-2 * (1 - row[nearest]) / 2 / 0.3)  # w = exp(-2 d / temperature), d = (1 - cos) / 2
    found = SpectralCut(n_neighbors=5, temperature=0.3).fit(X, y)
    np.testing.assert_allclose(found.graph_.to_scipy().toarray(), (w + w.T) / 2, rtol=1e-6)


def blobs(n: int, n_classes: int, seed: int, dim: int = 8, spread: float = 0.7) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.arange(n) % n_classes
    X = rng.normal(size=(n_classes, dim))[truth] + spread * rng.normal(size=(n, dim))
    y = np.where(np.arange(n) < 3 * n_classes, truth, -1)
    return X, y


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 2e-5), (np.float64, 1e-6)])
def test_large_components_are_solved_iteratively_to_the_same_scores(
    dtype: Any, tolerance: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = blobs(700, 4, 1)
    X = X.astype(dtype)
    dense = SpectralCut(n_eigenvectors=60).fit(X.astype(np.float64), y)
    monkeypatch.setattr(spectral_basis, "DENSE_BELOW", 50)
    found = SpectralCut(n_eigenvectors=60).fit(X, y)
    assert found.scores_.dtype == dtype
    np.testing.assert_allclose(found.scores_, dense.scores_, atol=tolerance * np.abs(dense.scores_).max())
    np.testing.assert_array_equal(found.transduction_, dense.transduction_)
    order = np.random.default_rng(0).permutation(700)
    moved = SpectralCut(n_eigenvectors=60).fit(X[order], y[order])
    np.testing.assert_allclose(moved.scores_, found.scores_[order], atol=1e-5 * np.abs(found.scores_).max())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_component_that_nearly_falls_apart(dtype: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten groups on a thread: nine eigenvalues near 1e-6 say which is which, and float32 must tell them apart."""
    rng = np.random.default_rng(0)
    groups = []
    for _ in range(10):
        w = np.triu(rng.random((30, 30)), 1)
        groups.append(w + w.T)
    w = np.array(sparse.block_diag(groups).todense())
    for group in range(9):
        w[30 * group, 30 * group + 30] = w[30 * group + 30, 30 * group] = 1e-4 * (1 + group)
    y = np.full(300, -1)
    y[::30] = np.arange(10)
    wanted, _, _, _ = dense_cut(Problem(w, y, np.ones(300), 10), 20)
    monkeypatch.setattr(spectral_basis, "DENSE_BELOW", 10)
    graph = AffinityGraph.from_scipy(sparse.csr_array(w.astype(dtype)))
    found = cut(graph, Seeds.hard(torch.from_numpy(y), 10), n_eigenvectors=20)
    np.testing.assert_array_equal(found.labels_N.numpy(), np.arange(300) // 30)
    atol = (1e-3 if dtype == np.float32 else 1e-6) * np.abs(wanted).max()
    np.testing.assert_allclose(found.scores_NC.numpy(), wanted, atol=atol)


def test_separate_clusters_are_told_apart_and_unseeded_ones_stay_unreached() -> None:
    X = np.zeros((90, 12))
    rng = np.random.default_rng(0)
    for place in range(4):
        rows = slice(20 * place, 20 * place + 20)
        X[rows, 3 * place : 3 * place + 3] = 1 + 0.1 * rng.normal(size=(20, 3))
    X[80:, :3] = 1 + 0.1 * rng.normal(size=(10, 3))
    y = np.full(90, -1)
    y[[0, 20, 40]] = [4, 9, 5]
    y[[81, 82]] = 7  # a second class in the first cluster
    found = SpectralCut(n_neighbors=6).fit(X, y)
    assert set(found.transduction_[:20].tolist()) <= {4, 7}
    assert found.transduction_[20:80].tolist() == [9] * 20 + [5] * 20 + [-1] * 20
    assert found.certainty_[20:80].tolist() == [1] * 40 + [0] * 20
    np.testing.assert_array_equal(found.label_distributions_[20:60], np.eye(4)[np.repeat([3, 1], 20)])
    np.testing.assert_array_equal(found.scores_[20:60], np.eye(4)[np.repeat([3, 1], 20)])
    np.testing.assert_allclose(found.label_distributions_[60:80], 0.25)
    seedless = found.label_distributions_[:20][:, [1, 3]]
    np.testing.assert_array_equal(seedless, 0)
    np.testing.assert_array_equal(found.classes_[found.scores_.argmax(axis=1)][1:20], found.transduction_[1:20])


def test_one_class_and_all_rows_seeds() -> None:
    X, y = blobs(60, 3, 2)
    one = SpectralCut(n_neighbors=59).fit(X, np.where(y >= 0, 6, -1))
    assert set(one.transduction_.tolist()) == {6}
    assert (one.certainty_ == 1).all()
    np.testing.assert_array_equal(one.scores_, 1)
    full = SpectralCut().fit(X, np.arange(60) % 3)
    np.testing.assert_array_equal(full.transduction_, np.arange(60) % 3)


def test_common_weights_change_nothing_and_single_ones_do() -> None:
    X, y = blobs(80, 2, 3)
    plain = SpectralCut(n_neighbors=50).fit(X, y)
    tripled = SpectralCut(n_neighbors=50).fit(X, y, sample_weight=np.full(80, 3))
    np.testing.assert_allclose(tripled.scores_, plain.scores_, atol=1e-9)
    heavy = np.where(np.arange(80) == 0, 5.0, 1.0)
    moved = SpectralCut(n_neighbors=50).fit(X, y, sample_weight=heavy)
    assert np.abs(moved.scores_ - plain.scores_).max() > 1e-3


def test_more_eigenvectors_and_neighbors_than_there_are() -> None:
    X, y = blobs(12, 2, 4)
    wanted = SpectralCut(n_neighbors=11, n_eigenvectors=11).fit(X, y)
    np.testing.assert_allclose(SpectralCut(n_neighbors=99, n_eigenvectors=999).fit(X, y).scores_, wanted.scores_)
    pair = SpectralCut().fit(np.array([[1.0, 0], [0.6, 0.8]]), [1, 0])
    assert pair.transduction_.tolist() == [1, 0]
    assert SpectralCut().fit(np.ones((1, 2)), [3]).transduction_.tolist() == [3]


def test_equal_points_and_duplicates_by_the_thousand() -> None:
    equal = SpectralCut(n_neighbors=5).fit(np.ones((60, 3)), [0, 1] + [-1] * 58)
    assert np.isfinite(equal.label_distributions_).all()
    assert set(equal.transduction_.tolist()) <= {0, 1, -1}
    truth = np.random.default_rng(0).integers(3, size=2400)
    X = np.eye(3, 5, dtype=np.float32)[truth]
    y = np.full(2400, -1)
    for label in range(3):
        y[np.flatnonzero(truth == label)[:2]] = label
    found = SpectralCut().fit(X, y)
    np.testing.assert_array_equal(found.transduction_, truth)


def test_zero_vectors_are_unreached() -> None:
    X, y = blobs(40, 2, 5)
    found = SpectralCut(n_neighbors=5).fit(np.concatenate([X, np.zeros((2, 8))]), np.append(y, [-1, -1]))
    assert found.transduction_[40:].tolist() == [-1, -1]
    assert found.reached_[:40].all()


def test_wide_results_hold_the_best_classes(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs(400, 40, 6, dim=20)
    whole = SpectralCut().fit(X, y)
    for module, name, value in (
        (top_classes, "DENSE_LIMIT", 0),
        (spectral_cut, "BLOCK_ELEMENTS", 1000),
        (spectral_cut, "CLASS_BLOCK", 7),
    ):
        monkeypatch.setattr(module, name, value)
    wide = SpectralCut().fit(X, y)
    np.testing.assert_array_equal(wide.transduction_, whole.transduction_)
    np.testing.assert_allclose(wide.certainty_, whole.certainty_, atol=1e-9)
    np.testing.assert_array_equal(wide.reached_, whole.reached_)
    assert np.diff(wide.scores_.indptr).max() == 16
    np.testing.assert_allclose(wide.label_distributions_.sum(axis=1), 1)
    rows = np.repeat(np.arange(400), 16)
    np.testing.assert_allclose(wide.scores_.data, whole.scores_[rows, wide.scores_.indices], atol=1e-9)
    best = np.sort(whole.label_distributions_, axis=1)[:, -16:].sum(axis=1)
    scaled = wide.label_distributions_.data * best[rows]
    np.testing.assert_allclose(scaled, whole.label_distributions_[rows, wide.scores_.indices], atol=1e-9)
    few = SpectralCut(top_classes=3).fit(X, y)
    assert np.diff(few.scores_.indptr).max() == 3


class TestBasis:
    def test_kept_for_other_seeds_of_the_same_graph(self, monkeypatch: pytest.MonkeyPatch) -> None:
        problem = random_problem(80, 3, 7, degree=6)
        found = SpectralCut(n_eigenvectors=30).on_graph(problem.graph)
        first = found.label(problem.seeds)
        monkeypatch.setattr(spectral_basis, "_dense", None)  # would be called
        again = found.label(problem.seeds)
        torch.testing.assert_close(again.scores_NC, first.scores_NC)

    def test_smoothest_functions_of_each_component(self) -> None:
        problem = random_problem(60, 2, 8, degree=1.5)
        basis = SpectralBasis(problem.graph, 5)
        for part in parts(problem.w):
            found = basis.component(int(basis.component_N[part[0]]))
            assert found.rows_S.tolist() == part.tolist()
            assert len(found.values_R) == min(5, len(part) - 1)
            assert (found.values_R > 0).all()

    def test_warm_start_keeps_the_eigenvectors_until_something_they_depend_on_changes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        solved = []
        solve = SpectralBasis._solve
        monkeypatch.setattr(SpectralBasis, "_solve", lambda self, number: solved.append(1) or solve(self, number))
        X, y = blobs(80, 2, 9)
        other = np.where(np.arange(80) < 10, y, -1)
        est = SpectralCut(n_neighbors=8, warm_start=True).fit(X, y)
        assert len(solved) == 1
        warm = est.fit(X, other)
        assert len(solved) == 1
        np.testing.assert_array_equal(warm.scores_, SpectralCut(n_neighbors=8).fit(X, other).scores_)
        before = len(solved)
        for changed in ({"n_eigenvectors": 20}, {"temperature": 0.4}, {"n_neighbors": 9}):
            est.set_params(**changed).fit(X, y)
            before += 1
            assert len(solved) == before, changed
        est.fit(X + 1, y)
        assert len(solved) == before + 1

    def test_eigenvectors_that_were_not_found_warn(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(spectral_basis, "DENSE_BELOW", 10)
        monkeypatch.setattr(eigen, "MAX_PASSES", 1)
        X, y = blobs(300, 3, 10)
        with pytest.warns(
            ConvergenceWarning, match=r"the 30 smallest eigenvectors .*residual .* fewer n_eigenvectors"
        ):
            found = SpectralCut(n_eigenvectors=30).fit(X, y)
        assert not found.converged_
        assert found.residual_ > 1e-7


class TestPrecomputed:
    def test_similarities_are_cosines_and_are_not_cut(self) -> None:
        X, y = blobs(50, 2, 11)
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        cosines = sparse.csr_array(unit @ unit.T)
        found = SpectralCut(n_neighbors=1, metric="precomputed").fit(cosines, y)
        np.testing.assert_allclose(found.scores_, SpectralCut(n_neighbors=49).fit(X, y).scores_, atol=1e-9)

    def test_overflow_is_refused(self) -> None:
        given = sparse.csr_array(np.array([[0, 900.0, 1], [900, 0, 1], [1, 1, 0]]))
        given.setdiag(1)
        with pytest.raises(DataError, match=r"row 0 .* overflows\. SpectralCut takes similarities for cosines"):
            SpectralCut(metric="precomputed").fit(given, [0, 1, -1])


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_eigenvectors": 0}, r"n_eigenvectors=0: must be a whole number >= 1"),
        ({"temperature": 0}, r"temperature=0: must be a number > 0"),
        ({"n_neighbors": None}, r"n_neighbors=None"),
        ({"metric": "euclidean"}, r"unknown metric 'euclidean'"),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    X, y = blobs(20, 2, 0)
    with pytest.raises(RequestError, match=message):
        SpectralCut(**parameters).fit(X, y)


def test_mixed_precision_of_the_caller_does_not_reach_the_propagation(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = blobs(300, 3, 13)
    seeds = Seeds.hard(torch.from_numpy(y), 3)
    graph = SpectralCut().fit(X.astype(np.float32), y).graph_
    for dense_below in (1000, 10):
        monkeypatch.setattr(spectral_basis, "DENSE_BELOW", dense_below)
        plain = cut(graph, seeds, n_eigenvectors=50)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = cut(graph, seeds, n_eigenvectors=50)
        torch.testing.assert_close(mixed.scores_NC, plain.scores_NC)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_answers_of_the_cpu() -> None:
    X, y = blobs(2000, 5, 12)
    here, there = (SpectralCut(device=device).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, atol=1e-5 * np.abs(here.scores_).max())
    np.testing.assert_array_equal(there.transduction_, here.transduction_)
