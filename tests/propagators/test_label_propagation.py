"""Label propagation against dense harmonic solutions written from the equations, and at its edges."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsTransformer
from sklearn.semi_supervised import LabelPropagation as Theirs

import dense_oracles as oracle
from labelprop.core.errors import RequestError
from labelprop.graph.affinity import AffinityGraph
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.label_propagation import LabelPropagation
from labelprop.propagators.systems import operator
from labelprop.propagators.systems.reweight import poisson_reweighted

harmonic = oracle.on_graph(LabelPropagation)
EXACT: dict[str, Any] = {"tol": 1e-12, "max_iter": 5000}


def seeded_parts(p: oracle.Problem) -> list[np.ndarray]:
    return [part for part in oracle.parts(p.w) if p.seeded[part].any()]


problems = given(
    n=st.integers(4, 90),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    degree=st.sampled_from([1.0, 2.0, 4.0, 30.0]),
    weighted=st.booleans(),
    soft=st.booleans(),
)


@settings(deadline=None, max_examples=80)
@problems
def test_scores_are_the_dense_harmonic_solution(
    n: int, n_classes: int, seed: int, degree: float, weighted: bool, soft: bool
) -> None:
    p = oracle.random_problem(n, n_classes, seed, degree=degree, weighted=weighted, soft=soft)
    found = harmonic(p.graph, p.seeds, **EXACT)
    f = oracle.harmonic(p.w, p.rows * p.weight[:, None], p.seeded)
    np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=1e-8)
    reached = f.any(axis=1)
    np.testing.assert_array_equal(found.reached_N.numpy(), reached)
    shares = oracle.shares_of(f)
    np.testing.assert_allclose(found.distributions_NC.numpy(), shares, atol=1e-7)
    np.testing.assert_allclose(
        found.certainty_N.numpy(), np.where(p.seeded, 1, shares.max(axis=1) * reached), atol=1e-7
    )
    clear = oracle.clear(shares) | ~reached
    np.testing.assert_array_equal(found.labels_N.numpy()[clear], oracle.labels_of(shares, reached, p)[clear])
    assert found.converged


@settings(deadline=None, max_examples=40)
@given(n=st.integers(4, 60), n_classes=st.integers(1, 4), seed=st.integers(0, 10**6), weighted=st.booleans())
def test_poisson_reweighting_is_that_of_the_equations(n: int, n_classes: int, seed: int, weighted: bool) -> None:
    p = oracle.random_problem(n, n_classes, seed, degree=4, weighted=weighted)
    w = oracle.reweighted(p.w, p.seeded)
    graph, verdict = poisson_reweighted(p.graph, p.seeds, **EXACT)
    component = p.graph.components().numpy()
    seeded_part = np.isin(component, component[p.seeded])
    ours = graph.to_scipy().toarray()
    np.testing.assert_allclose(ours[seeded_part], w[seeded_part], rtol=1e-4, atol=1e-9 * w.max())
    assert verdict.converged
    found = harmonic(p.graph, p.seeds, reweight="poisson", **EXACT)
    f = oracle.harmonic(graph.to_scipy().toarray(), p.rows * p.weight[:, None], p.seeded)
    # Weights span ten powers of ten: the oracle's own subtractions cost it some digits.
    np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=2e-4)


@settings(deadline=None, max_examples=60)
@problems
def test_centered_scores_are_read_as_differences(
    n: int, n_classes: int, seed: int, degree: float, weighted: bool, soft: bool
) -> None:
    p = oracle.random_problem(n, n_classes, seed, degree=degree, weighted=weighted, soft=soft)
    found = harmonic(p.graph, p.seeds, center=True, **EXACT)
    f = oracle.harmonic(p.w, p.rows * p.weight[:, None], p.seeded)
    scores, shares, spread = np.zeros_like(f), np.full_like(f, 1 / n_classes), []
    solved = [part for part in oracle.parts(p.w) if len(set(p.y[part][p.seeded[part]])) > 1]
    for part in solved:
        open_rows = part[~p.seeded[part]]
        scores[part] = f[part] - (f[open_rows].mean(axis=0) if len(open_rows) else 0)
        spread += (scores[open_rows].max(axis=1) - scores[open_rows].mean(axis=1)).tolist()
    s = np.sqrt(np.mean(np.square(spread))) if np.any(spread) else 1
    open_rows = [row for part in solved for row in part if not p.seeded[row]]
    settled = bool((abs(scores[open_rows]).max(axis=1, initial=0) > 1e-9).all())
    for part in solved:
        absent = p.rows[part].sum(axis=0) == 0
        e = np.exp((scores[part] - scores[part].max(axis=1, keepdims=True)) / s) * ~absent
        shares[part] = e / e.sum(axis=1, keepdims=True)
    for part in oracle.parts(p.w):
        if len(set(p.y[part][p.seeded[part]])) == 1:
            scores[part] = shares[part] = np.eye(n_classes)[p.y[part].max()]
    np.testing.assert_allclose(found.scores_NC.numpy(), scores, atol=1e-8)
    known = abs(scores).max(axis=1) > 1e-9
    if s > 1e-6 and settled:  # whether a row at the mean counts is up to rounding
        np.testing.assert_allclose(found.distributions_NC.numpy()[known], shares[known], atol=1e-5)
        certainty = np.where(p.seeded, 1, oracle.certainty_of(shares))
        np.testing.assert_allclose(found.certainty_N.numpy()[known], certainty[known], atol=1e-5)
    assert found.reached_N.numpy()[known].all()
    assert not found.reached_N.numpy()[~np.isin(np.arange(n), np.concatenate(seeded_parts(p)))].any()


@pytest.mark.parametrize("class_mass", ["seeds", [3.0, 1.0, 2.0]])
def test_class_mass_rescales_columns_once_by_their_sum_over_unlabeled_rows(class_mass: Any) -> None:
    p = oracle.random_problem(80, 3, 3, degree=6, weighted=True)
    found = harmonic(p.graph, p.seeds, class_mass=class_mass, **EXACT)
    f = oracle.harmonic(p.w, p.rows * p.weight[:, None], p.seeded)
    pi = (p.rows * p.weight[:, None])[p.seeded].sum(axis=0) if class_mass == "seeds" else np.array(class_mass)
    shares = oracle.shares_of(f * (pi / pi.sum()) / f[~p.seeded].sum(axis=0))
    np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=1e-9)
    np.testing.assert_allclose(found.distributions_NC.numpy(), shares, atol=1e-8)
    reached = found.reached_N.numpy()
    np.testing.assert_array_equal(found.labels_N.numpy(), oracle.labels_of(shares, reached, p))
    open_rows = reached & ~p.seeded
    np.testing.assert_allclose(found.certainty_N.numpy()[open_rows], shares.max(axis=1)[open_rows])


def test_class_mass_of_centered_scores_rescales_their_distributions() -> None:
    p = oracle.random_problem(80, 3, 4, degree=6)
    plain = harmonic(p.graph, p.seeds, center=True, **EXACT)
    found = harmonic(p.graph, p.seeds, center=True, class_mass=[1, 1, 4], **EXACT)
    shares = plain.distributions_NC.numpy()
    open_rows = plain.reached_N.numpy() & ~p.seeded
    shares = np.where(
        plain.reached_N.numpy()[:, None],
        oracle.shares_of(shares * [1, 1, 4] / shares[open_rows].sum(axis=0)),
        1 / 3,
    )
    np.testing.assert_allclose(found.distributions_NC.numpy(), shares, atol=1e-9)
    torch.testing.assert_close(found.scores_NC, plain.scores_NC)


def test_a_wanted_share_of_zero_leaves_rows_that_only_that_class_reaches() -> None:
    w = np.zeros((4, 4))
    w[0, 1] = w[1, 0] = w[2, 3] = w[3, 2] = 1
    found = LabelPropagation(metric="precomputed", class_mass=[1, 0]).fit(sparse.csr_array(w), [0, -1, 1, -1])
    assert found.transduction_.tolist() == [0, 0, 1, 1]
    np.testing.assert_allclose(found.label_distributions_[3], [0, 1])


def test_volume_moves_labels_to_the_wanted_shares_and_leaves_scores() -> None:
    X, y = oracle.blobs(500, 3, 9)
    plain, moved = LabelPropagation().fit(X, y), LabelPropagation(volume=[2, 1, 1]).fit(X, y)
    open_rows = (y < 0) & moved.reached_
    shares = np.bincount(moved.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)
    np.testing.assert_array_equal(moved.scores_, plain.scores_)
    np.testing.assert_array_equal(
        moved.label_distributions_.argmax(axis=1)[open_rows], moved.transduction_[open_rows]
    )
    np.testing.assert_allclose(moved.certainty_[open_rows], moved.label_distributions_.max(axis=1)[open_rows])
    centered = LabelPropagation(volume=[2, 1, 1], center=True).fit(X, y)
    shares = np.bincount(centered.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(6, 80),
    k=st.integers(1, 30),
    seed=st.integers(0, 10**6),
    metric=st.sampled_from(["cosine", "euclidean"]),
    sharpness=st.sampled_from([0.0, 1.0, 4.0, 8.0]),
)
def test_the_graph_is_of_self_tuned_weights(n: int, k: int, seed: int, metric: str, sharpness: float) -> None:
    X, y = oracle.blobs(n, 3, seed)
    found = LabelPropagation(n_neighbors=k, metric=metric, sharpness=sharpness, **EXACT).fit(X, y)
    w = oracle.self_tuned_graph(oracle.squared_distances(X, metric), k, sharpness)
    np.testing.assert_allclose(found.graph_.to_scipy().toarray(), w, atol=1e-9)
    one_hot = np.where(y[:, None] >= 0, np.eye(3)[y], 0)
    np.testing.assert_allclose(found.scores_, oracle.harmonic(w, one_hot, y >= 0), atol=1e-7)


def test_rbf_is_of_all_pairs_on_the_data_as_given() -> None:
    X, y = oracle.blobs(60, 3, 1)
    w = np.exp(-0.3 * oracle.squared_distances(3 * X, "euclidean"))
    np.fill_diagonal(w, 0)
    for metric in ("cosine", "euclidean"):
        found = LabelPropagation("rbf", gamma=0.3, metric=metric, **EXACT).fit(3 * X, y)
        np.testing.assert_allclose(found.graph_.to_scipy().toarray(), w, rtol=1e-9)
        assert found.recall_ == 1
    one_hot = np.where(y[:, None] >= 0, np.eye(3)[y], 0)
    np.testing.assert_allclose(found.scores_, oracle.harmonic(w, one_hot, y >= 0), atol=1e-9)
    queries = 3 * X[:5] + 0.1
    across = np.exp(-0.3 * ((queries[:, None] - 3 * X[None]) ** 2).sum(axis=2))
    means = np.where(y[:, None] >= 0, one_hot, found.label_distributions_)
    wanted = across @ means / across.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.predict_proba(queries), wanted, rtol=1e-6)


def test_equals_scikit_learn_with_the_rbf_kernel() -> None:
    X, y = oracle.blobs(80, 3, 2)
    theirs = Theirs("rbf", gamma=0.5, max_iter=100_000, tol=1e-13).fit(X, y)
    ours = LabelPropagation("rbf", gamma=0.5, **EXACT).fit(X, y)
    # Theirs keeps a row's edge to itself, which does not move the fixed point: a mean of a row with itself.
    np.testing.assert_allclose(ours.label_distributions_, theirs.label_distributions_, atol=1e-6)
    np.testing.assert_array_equal(ours.transduction_[y < 0], theirs.transduction_[y < 0])


def test_takes_what_users_of_scikit_learn_write() -> None:
    X, y = oracle.blobs(60, 3, 3)
    for arguments, parameters in (
        (("knn",), {"n_neighbors": 7, "max_iter": 1000, "tol": 1e-3, "n_jobs": 1}),
        (("rbf",), {"gamma": 0.25}),
        ((), {"kernel": "rbf", "gamma": 20, "n_jobs": -1}),
    ):
        found = LabelPropagation(*arguments, **parameters).fit(X, y)
        assert found.transduction_.shape == found.predict(X).shape == (60,)
    with pytest.raises(RequestError, match=r"kernel='poly': must be 'knn', 'rbf', or a function"):
        LabelPropagation(kernel="poly").fit(X, y)
    with pytest.raises(RequestError, match=r"n_jobs=0: must be None or a whole number other than 0"):
        LabelPropagation(n_jobs=0).fit(X, y)


def test_n_jobs_counts_threads_during_fit_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from labelprop.propagators.estimator import kernel_graph

    X, y = oracle.blobs(60, 3, 3)
    asked: list[int] = []
    monkeypatch.setattr(kernel_graph.torch, "set_num_threads", asked.append)
    monkeypatch.setattr(kernel_graph, "usable_cores", lambda: 8)
    for n_jobs in (None, 3, -1, -2, -20):
        LabelPropagation(n_jobs=n_jobs).fit(X, y)
    before = torch.get_num_threads()
    assert asked == [3, before, 8, before, 7, before, 1, before]


def test_rbf_refuses_more_rows_than_fit_and_names_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    X = np.zeros((20_001, 1), dtype=np.float32)
    with pytest.raises(RequestError, match=r"20001 rows would take 3.2 GB .*20000 rows are the limit.*kernel='knn'"):
        LabelPropagation("rbf").fit(X, np.arange(20_001) % 2)


def test_rbf_underflow_means_no_edge() -> None:
    X = np.array([[0.0], [0.1], [50.0], [50.1], [1000.0]], dtype=np.float32)
    found = LabelPropagation("rbf").fit(X, [0, -1, 1, -1, -1])
    assert found.transduction_.tolist() == [0, 0, 1, 1, -1]
    assert found.reached_.tolist() == [True, True, True, True, False]
    np.testing.assert_allclose(found.label_distributions_[4], 0.5)
    assert found.graph_.n_edges == 4
    assert found.predict(np.array([[0.05], [500.0]], dtype=np.float32)).tolist() == [0, -1]


class TestGivenGraphs:
    def test_distances_equal_the_features(self) -> None:
        X, y = oracle.blobs(90, 3, 5)
        wanted = LabelPropagation(n_neighbors=7, metric="euclidean").fit(X, y)
        distances = KNeighborsTransformer(n_neighbors=7).fit_transform(X)
        found = LabelPropagation(n_neighbors=2, metric="precomputed_distances").fit(distances, y)
        np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5, atol=1e-7)
        assert found.recall_ is None

    def test_distances_take_the_rbf_kernel_too(self) -> None:
        X, y = oracle.blobs(90, 3, 5)
        distances = KNeighborsTransformer(n_neighbors=7).fit_transform(X)
        found = LabelPropagation("rbf", gamma=0.7, metric="precomputed_distances").fit(distances, y)
        a = distances.toarray()
        a = np.where(a > 0, np.exp(-0.7 * a**2), 0)
        np.testing.assert_allclose(found.graph_.to_scipy().toarray(), np.maximum(a, a.T), rtol=1e-9)

    def test_weights_are_taken_as_they_are_less_the_diagonal(self) -> None:
        p = oracle.random_problem(40, 3, 6, degree=4)
        with_diagonal = p.w + np.diag(np.arange(1.0, 41))
        for kernel in ("knn", "rbf"):
            found = LabelPropagation(kernel, metric="precomputed", n_neighbors=1)
            found.fit(sparse.csr_array(with_diagonal), p.y)
            np.testing.assert_array_equal(found.graph_.to_scipy().toarray(), p.w)

    def test_an_asymmetric_graph_takes_the_larger_weight_with_one_warning(self) -> None:
        p = oracle.random_problem(40, 3, 7, degree=4)
        one_way = p.w * (1 + np.triu(np.ones((40, 40))))
        with pytest.warns(UserWarning, match="not symmetric") as caught:
            found = LabelPropagation(metric="precomputed").fit(sparse.csr_array(one_way), p.y)
        assert len(caught) == 1
        np.testing.assert_array_equal(found.graph_.to_scipy().toarray(), 2 * p.w)

    def test_a_negative_weight_is_refused_by_row(self) -> None:
        p = oracle.random_problem(40, 3, 8, degree=6)
        row, column = (int(i) for i in np.argwhere(p.w)[17])
        p.w[row, column] = -0.5
        with pytest.raises(RequestError, match=rf"^row {row} .*negative weight -0\.5"):
            LabelPropagation(metric="precomputed").fit(sparse.csr_array(p.w), p.y)
        good = LabelPropagation(metric="precomputed").fit(sparse.csr_array(np.abs(np.maximum(p.w, p.w.T))), p.y)
        with pytest.raises(RequestError, match=r"^row 1 .*negative weight -2"):
            good.predict(sparse.csr_array((np.array([1.0, -2.0]), ([0, 1], [3, 4])), shape=(2, 40)))

    def test_distances_taken_for_weights_are_refused(self) -> None:
        X, y = oracle.blobs(30, 2, 0)
        distances = KNeighborsTransformer(n_neighbors=3).fit_transform(X)
        with pytest.raises(RequestError, match="metric='precomputed_distances'"):
            LabelPropagation(metric="precomputed").fit(distances, y)


class TestEdges:
    def test_two_cliques_and_an_unseeded_one(self) -> None:
        w = np.kron(np.eye(3), np.ones((10, 10))) - np.eye(30)
        y = np.full(30, -1)
        y[0], y[10] = 4, 9
        found = LabelPropagation(metric="precomputed").fit(sparse.csr_array(w), y)
        np.testing.assert_array_equal(found.transduction_, np.repeat([4, 9, -1], 10))
        np.testing.assert_allclose(found.certainty_, np.repeat([1, 1, 0], 10))
        np.testing.assert_allclose(found.label_distributions_[20:], 0.5)
        assert not found.reached_[20:].any()

    def test_every_row_a_seed_and_a_single_row(self) -> None:
        X, _ = oracle.blobs(50, 3, 5)
        y = np.random.default_rng(0).integers(3, size=50)
        for options in ({}, {"reweight": "poisson"}, {"center": True}, {"class_mass": "seeds"}, {"volume": "seeds"}):
            found = LabelPropagation(**options).fit(X, y)
            np.testing.assert_array_equal(found.transduction_, y)
            assert (found.certainty_ == 1).all()
            assert (found.n_iter_, found.residual_, found.converged_) == (1, 0.0, True) or options == {
                "reweight": "poisson"
            }
            assert LabelPropagation(**options).fit(np.ones((1, 2)), [3]).transduction_.tolist() == [3]

    def test_one_class(self) -> None:
        X, _ = oracle.blobs(30, 2, 6)
        for options in ({}, {"reweight": "poisson"}, {"center": True}, {"class_mass": "seeds"}):
            found = LabelPropagation(n_neighbors=5, metric="euclidean", **options).fit(X, [7] + [-1] * 29)
            assert set(found.transduction_[found.reached_].tolist()) == {7}
            assert (found.certainty_[found.reached_] == 1).all()

    def test_zero_vectors_are_alone_under_the_cosine_only(self) -> None:
        X, y = oracle.blobs(30, 2, 7)
        X[20:22] = 0
        y[20:22] = -1
        cosine = LabelPropagation(metric="cosine").fit(X, y)
        assert cosine.transduction_[20:22].tolist() == [-1, -1]
        assert cosine.predict(np.zeros((1, 6))).tolist() == [-1]
        assert (LabelPropagation().fit(X, y).transduction_[20:22] >= 0).all()

    @pytest.mark.parametrize("metric", ["cosine", "euclidean"])
    def test_equal_points_and_more_neighbors_than_rows(self, metric: str) -> None:
        found = LabelPropagation(n_neighbors=500, metric=metric).fit(np.ones((60, 3)), [0, 1] + [-1] * 58)
        np.testing.assert_allclose(found.label_distributions_[2:], 0.5, atol=1e-6)
        assert found.certainty_[2:] == pytest.approx(0.5, abs=1e-5)

    def test_duplicates_by_the_thousand(self) -> None:
        truth = np.random.default_rng(0).integers(3, size=3000)
        X = np.eye(3, 5, dtype=np.float32)[truth]
        y = np.full(3000, -1)
        for label in range(3):
            y[np.flatnonzero(truth == label)[:2]] = label
        for options in ({}, {"reweight": "poisson"}):
            found = LabelPropagation(**options).fit(X, y)
            np.testing.assert_array_equal(found.transduction_, truth)

    @settings(deadline=None, max_examples=25)
    @given(seed=st.integers(0, 10**6))
    def test_weights_of_very_different_sizes_in_float32(self, seed: int) -> None:
        p = oracle.random_problem(40, 3, seed, degree=5)
        rng = np.random.default_rng(seed)
        scale = 10.0 ** rng.integers(-6, 1, size=40)  # of rows, so that some hang on a thread
        w = (p.w * scale[:, None] * scale[None, :]).astype(np.float32)
        f = oracle.harmonic(w.astype(np.float64), p.rows, p.seeded)
        found = harmonic(AffinityGraph.from_scipy(sparse.csr_array(w)), p.seeds)
        assert found.scores_NC.dtype == torch.float32
        np.testing.assert_allclose(found.scores_NC.numpy(), f, atol=2e-3)


def test_a_solve_cut_short_warns_and_says_so() -> None:
    X, y = oracle.blobs(300, 3, 11)
    with pytest.warns(ConvergenceWarning, match=r"LabelPropagation stopped after 1 step with relative residual 0\."):
        found = LabelPropagation(max_iter=1).fit(X, y)
    assert not found.converged_
    w = oracle.self_tuned_graph(oracle.squared_distances(X, "euclidean"), 10)
    open_rows = np.flatnonzero(y < 0)
    degree = w.sum(axis=1)[open_rows] ** 0.5
    b = w[open_rows][:, y >= 0] @ np.eye(3)[y[y >= 0]] / degree[:, None]
    a = oracle.laplacian(w)[np.ix_(open_rows, open_rows)] / degree[:, None] / degree[None, :]
    step = (b * b).sum(axis=0) / (b * (a @ b)).sum(axis=0)  # one step of steepest descent
    residual = np.linalg.norm(b - a @ (b * step), axis=0) / np.linalg.norm(b, axis=0)
    assert found.residual_ == pytest.approx(residual.max())
    assert found.n_iter_ == 1


def test_large_graphs_are_renumbered_inside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = oracle.blobs(500, 5, 12)
    for options in ({}, {"reweight": "poisson"}, {"center": True}):
        plain = LabelPropagation(**options, **EXACT).fit(X, y)
        with monkeypatch.context() as patch:
            patch.setattr(operator, "RENUMBER_FROM", 10)
            patch.setattr(operator, "CPU_COLUMNS", 2)
            patch.setattr(operator, "BLOCK_ELEMENTS", {"cpu": 1})
            moved = LabelPropagation(**options, **EXACT).fit(X, y)
        np.testing.assert_allclose(moved.scores_, plain.scores_, rtol=1e-6, atol=1e-9)


OPTIONS: list[dict[str, Any]] = [{}, {"reweight": "poisson"}, {"center": True}, {"class_mass": "seeds"}]


@pytest.mark.parametrize("n_classes", [1, 5, 40])
@pytest.mark.parametrize("options", OPTIONS)
def test_a_block_of_classes_at_a_time_gives_the_same_answers(
    n_classes: int, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = oracle.blobs(300, n_classes, 10, dim=12)
    parameters: dict[str, Any] = {"n_neighbors": 3, "metric": "euclidean", **options, **EXACT}
    whole = LabelPropagation(**parameters).fit(X, y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    monkeypatch.setattr(operator, "CPU_COLUMNS", 7)
    monkeypatch.setattr(operator, "BLOCK_ELEMENTS", {"cpu": 1})
    blocked = LabelPropagation(**parameters).fit(X, y)
    np.testing.assert_array_equal(blocked.transduction_, whole.transduction_)
    np.testing.assert_array_equal(blocked.reached_, whole.reached_)
    np.testing.assert_allclose(blocked.certainty_, whole.certainty_, atol=1e-9)
    np.testing.assert_allclose(blocked.label_distributions_.sum(axis=1), 1)
    scores = blocked.scores_.tocoo()
    np.testing.assert_allclose(scores.data, whole.scores_[scores.row, scores.col], atol=1e-12)
    assert np.diff(blocked.scores_.indptr).max() == min(16, n_classes)
    top = LabelPropagation(**parameters, top_classes=3)
    monkeypatch.undo()
    np.testing.assert_allclose(
        top.fit(X, y).label_distributions_.toarray().max(axis=1) > 0, whole.label_distributions_.max(axis=1) > 0
    )


def test_what_needs_all_scores_at_once_is_refused_beyond_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = oracle.blobs(60, 3, 0)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    with pytest.raises(RequestError, match="volume='seeds' needs all scores at once"):
        LabelPropagation(volume="seeds").fit(X, y)
    with pytest.raises(RequestError, match="class_mass with center=True needs all scores at once"):
        LabelPropagation(class_mass="seeds", center=True).fit(X, y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"class_mass": "sedes"}, "class_mass='sedes': must be None, 'seeds', or an array of one share a class"),
        ({"class_mass": [1, 2]}, r"class_mass has shape \(2,\) for 3 classes"),
        ({"class_mass": "seeds", "volume": "seeds"}, "class_mass and volume both re-weight"),
        ({"reweight": "poison"}, "unknown reweight 'poison'; did you mean 'poisson'"),
        ({"center": "yes"}, "center='yes': must be True or False"),
        ({"gamma": -1}, r"gamma=-1: must be a finite number >= 0"),
        ({"sharpness": float("inf")}, r"sharpness=inf: must be a finite number >= 0"),
        ({"metric": "manhattan"}, r"unknown metric 'manhattan'.*cosine, euclidean"),
        ({"verbose": -1}, r"verbose=-1: must be True, False or a whole number >= 0"),
        ({"max_iter": 0}, r"max_iter=0: must be a whole number >= 1"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    X, y = oracle.blobs(30, 3, 0)
    with pytest.raises(RequestError, match=message):
        LabelPropagation(**parameters).fit(X, y)


def test_warm_start_keeps_the_graph_and_equals_a_fresh_fit() -> None:
    X, y = oracle.blobs(120, 3, 13)
    warm = LabelPropagation(warm_start=True).fit(X, y)
    graph = warm.graph_
    more = y.copy()
    more[np.flatnonzero(y < 0)[:5]] = 2
    warm.fit(X, more)
    assert warm.graph_ is graph
    np.testing.assert_array_equal(warm.scores_, LabelPropagation().fit(X, more).scores_)
    assert warm.set_params(kernel="rbf").fit(X, more).graph_ is not graph


def test_pure_functions_agree_with_the_estimator_under_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = oracle.blobs(150, 3, 14)
    est = LabelPropagation().fit(X.astype(np.float32), y)
    seeds = oracle.Problem(np.zeros((0, 0)), y, np.ones(150), 3).seeds
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = harmonic(est.graph_, seeds)
        monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
        blocked = harmonic(est.graph_, seeds, top_classes=2)
    np.testing.assert_array_equal(found.scores_NC.numpy(), est.scores_)
    assert found.labels_N.tolist() == blocked.labels_N.tolist() == est.transduction_.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kernel", ["knn", "rbf"])
def test_cuda_gives_the_answers_of_the_cpu(kernel: str, options: dict[str, Any]) -> None:
    X, y = oracle.blobs(1000, 5, 15)
    parameters = {"kernel": kernel, "gamma": 1.0, **options, **EXACT}
    here, there = (LabelPropagation(device=device, **parameters).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 60),
    scale=st.sampled_from([1e-3, 1.0, 5.0, 1e3]),
    dtype=st.sampled_from([np.float32, np.float64]),
    options=st.sampled_from(OPTIONS),
)
def test_the_rbf_kernel_keeps_all_promises_at_any_scale(
    seed: int, n: int, scale: float, dtype: type, options: dict[str, Any]
) -> None:
    rng = np.random.default_rng(seed)
    X = (scale * rng.normal(size=(n, 3))).astype(dtype)
    y = np.where(rng.random(n) < 0.2, rng.integers(3, size=n), -1)
    y[0] = 1
    with warnings.catch_warnings():
        if "reweight" in options:  # Poisson's equation has no good answer where D - W is singular in all digits
            warnings.simplefilter("ignore", ConvergenceWarning)
        found = LabelPropagation("rbf", **options).fit(X, y)
    shares = found.label_distributions_
    assert found.converged_ or "reweight" in options
    assert np.isfinite(shares).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(found.transduction_ == -1, ~found.reached_)
    assert (found.certainty_[~found.reached_] == 0).all()
    if "center" not in options:
        assert found.scores_.min() >= 0
        assert found.scores_.max() <= 1
    assert np.isfinite(found.predict_proba(X + 1)).all()
