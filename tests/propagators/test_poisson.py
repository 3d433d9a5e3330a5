"""Poisson learning against dense pseudo-inverses written from the equation, and at its edges."""

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

import dense_oracles as oracle
from labelprop.core.errors import RequestError
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.poisson import Poisson
from labelprop.propagators.systems import operator
from labelprop.propagators.systems.laplacian import PoissonSystem
from labelprop.propagators.systems.seed_components import SeedComponents

poisson = oracle.on_graph(Poisson)
EXACT: dict[str, Any] = {"tol": 1e-12, "max_iter": 5000}


def mixed_parts(p: oracle.Problem) -> list[np.ndarray]:
    """Components whose seeds are of several classes."""
    return [part for part in oracle.parts(p.w) if len(set(p.y[part][p.seeded[part]])) > 1]


def mean_labels(p: oracle.Problem, part: np.ndarray) -> np.ndarray:
    """ybar of a component."""
    weight = np.where(p.seeded[part], p.weight[part], 0)
    return weight @ p.rows[part] / weight.sum()


def equation(p: oracle.Problem) -> np.ndarray:
    """u: the published equation on each component with several classes, one-hot where seeds share one, else 0."""
    u = np.zeros((len(p.w), p.n_classes))
    for part in mixed_parts(p):
        b = np.zeros_like(u)
        b[part] = p.weight[part, None] * (p.rows[part] - mean_labels(p, part)) * p.seeded[part, None]
        u[part] = oracle.poisson(p.w, b, part)
    for part in oracle.parts(p.w):
        if len(set(p.y[part][p.seeded[part]])) == 1:
            u[part] = np.eye(p.n_classes)[p.y[part].max()]
    return u


def reading(p: oracle.Problem, u: np.ndarray) -> tuple[np.ndarray, float]:
    """softmax(u / s) over the classes that have seeds in the component, and s."""
    solved = mixed_parts(p)
    open_rows = [row for part in solved for row in part if not p.seeded[row]]
    spread = u[open_rows].max(axis=1) - u[open_rows].mean(axis=1) if open_rows else np.zeros(1)
    s = float(np.sqrt(np.mean(spread**2))) or 1.0
    shares = np.full_like(u, 1 / p.n_classes)
    for part in solved:
        e = np.exp((u[part] - u[part].max(axis=1, keepdims=True)) / s) * (mean_labels(p, part) > 0)
        shares[part] = e / e.sum(axis=1, keepdims=True)
    for part in oracle.parts(p.w):
        if len(set(p.y[part][p.seeded[part]])) == 1:
            shares[part] = u[part]
    return shares, s


problems = given(
    n=st.integers(4, 80),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    degree=st.sampled_from([1.0, 2.0, 4.0, 30.0]),
    weighted=st.booleans(),
    soft=st.booleans(),
)


@settings(deadline=None, max_examples=80)
@problems
def test_scores_solve_the_published_equation(
    n: int, n_classes: int, seed: int, degree: float, weighted: bool, soft: bool
) -> None:
    p = oracle.random_problem(n, n_classes, seed, degree=degree, weighted=weighted, soft=soft)
    found = poisson(p.graph, p.seeds, **EXACT)
    u = equation(p)
    size = max(abs(u).max(), 1)
    np.testing.assert_allclose(found.scores_NC.numpy(), u, atol=1e-8 * size)
    assert found.converged
    shares, s = reading(p, u)
    reached = np.isin(np.arange(n), np.concatenate([part for part in oracle.parts(p.w) if p.seeded[part].any()]))
    np.testing.assert_array_equal(found.reached_N.numpy()[~reached], False)
    known = abs(u).max(axis=1) > 1e-9 * size  # a row with nothing but rounding may have no say
    assert found.reached_N.numpy()[known].all()
    open_rows = [row for part in mixed_parts(p) for row in part if not p.seeded[row]]
    if s > 1e-5 * size and known[open_rows].all():  # whether a row at 0 counts in s is up to rounding
        np.testing.assert_allclose(found.distributions_NC.numpy()[known], shares[known], atol=1e-5)
        certainty = np.where(p.seeded, 1, oracle.certainty_of(shares))
        np.testing.assert_allclose(found.certainty_N.numpy()[known], certainty[known], atol=1e-5)
        clear = known & oracle.clear(shares, 1e-5)
        np.testing.assert_array_equal(found.labels_N.numpy()[clear], oracle.labels_of(shares, reached, p)[clear])


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), n=st.integers(10, 60), weighted=st.booleans())
def test_class_prior_weighs_scores_and_distributions_in_each_component(seed: int, n: int, weighted: bool) -> None:
    p = oracle.random_problem(n, 3, seed, degree=3, weighted=weighted)
    prior = np.array([0.2, 0.5, 0.3])
    found, u = poisson(p.graph, p.seeds, class_prior=prior, **EXACT), equation(p)
    shares, s = reading(p, u)
    labels = np.where(u.any(axis=1), u.argmax(axis=1), -1)
    lead = np.ones(n)
    for part in mixed_parts(p):
        mean = mean_labels(p, part)
        ratio = np.where(mean > 0, prior / np.where(mean > 0, mean, 1), 0)
        shares[part] = oracle.shares_of(shares[part] * ratio)
        weighed = np.where(mean > 0, ratio * u[part], -np.inf)
        labels[part] = weighed.argmax(axis=1)
        ranked = np.sort(weighed, axis=1)
        lead[part] = ranked[:, -1] - ranked[:, -2]
    np.testing.assert_allclose(found.scores_NC.numpy(), u, atol=1e-7)
    known = abs(u).max(axis=1) > 1e-7
    open_rows = [row for part in mixed_parts(p) for row in part if not p.seeded[row]]
    if s > 1e-4 and known[open_rows].all():
        np.testing.assert_allclose(found.distributions_NC.numpy()[known], shares[known], atol=1e-4)
        certainty = np.where(p.seeded, 1, oracle.certainty_of(shares))
        np.testing.assert_allclose(found.certainty_N.numpy()[known], certainty[known], atol=1e-4)
    clear = known & (lead > 1e-6)
    np.testing.assert_array_equal(found.labels_N.numpy()[clear], np.where(p.seeded, p.y, labels)[clear])


def test_scores_are_linear_in_the_weights_of_the_sources() -> None:
    p = oracle.random_problem(60, 3, 3, degree=8)
    plain, tripled = (
        poisson(p.graph, Seeds.hard(p.seeds.labels_N, 3, factor * p.seeds.weights_N), **EXACT) for factor in (1, 3)
    )
    torch.testing.assert_close(tripled.scores_NC, 3 * plain.scores_NC, rtol=0, atol=1e-9)
    torch.testing.assert_close(tripled.distributions_NC, plain.distributions_NC)
    system = PoissonSystem.of(p.graph, SeedComponents.of(p.graph.components(), p.seeds)).system
    one, two = torch.zeros(60, 1).double(), torch.zeros(60, 1).double()
    rows_R = system.normalized.rows_R
    rows = (rows_R[0], rows_R[1], rows_R[2])
    one[0], one[1], two[1], two[2] = 1, -1, 0.5, -0.5
    solve = lambda b: system.solve(b[: len(rows_R)], **EXACT).solution_NC  # noqa: E731
    torch.testing.assert_close(solve(one + two), solve(one) + solve(two), rtol=0, atol=1e-9)
    assert len(set(map(int, rows))) == 3


def test_the_mean_by_degree_is_zero_in_each_component() -> None:
    p = oracle.random_problem(80, 3, 5, degree=3)
    found = poisson(p.graph, p.seeds)
    for part in mixed_parts(p):
        degree = p.w.sum(axis=1)[part]
        np.testing.assert_allclose(degree @ found.scores_NC.numpy()[part], 0, atol=1e-9)


def test_two_joined_cliques_with_a_seed_each_split_evenly() -> None:
    w = np.kron(np.eye(2), np.ones((10, 10))) - np.eye(20)
    w[9, 10] = w[10, 9] = 1
    y = np.full(20, -1)
    y[0], y[19] = 4, 9
    found = Poisson(metric="precomputed").fit(sparse.csr_array(w), y)
    np.testing.assert_array_equal(found.transduction_, np.repeat([4, 9], 10))
    np.testing.assert_allclose(found.scores_[::-1, ::-1], found.scores_, atol=1e-5)
    counts = np.bincount(Poisson(metric="precomputed").fit(sparse.csr_array(w), y).transduction_)
    assert counts[[4, 9]].tolist() == [10, 10]


def test_components_of_one_class_take_it_without_a_solve_and_others_stay_unreached() -> None:
    w = np.kron(np.eye(3), np.ones((10, 10))) - np.eye(30)
    y = np.full(30, -1)
    y[0], y[1], y[10] = 4, 4, 9
    found = Poisson(metric="precomputed").fit(sparse.csr_array(w), y)
    np.testing.assert_array_equal(found.transduction_, np.repeat([4, 9, -1], 10))
    np.testing.assert_array_equal(found.certainty_, np.repeat([1, 1, 0], 10))
    np.testing.assert_array_equal(found.scores_, np.repeat([[1, 0], [0, 1], [0, 0]], 10, axis=0))
    np.testing.assert_array_equal(found.label_distributions_, np.repeat([[1, 0], [0, 1], [0.5, 0.5]], 10, axis=0))
    assert (found.n_iter_, found.residual_, found.converged_) == (1, 0.0, True)


def test_a_class_without_seeds_in_a_component_cannot_win_there() -> None:
    rng = np.random.default_rng(0)
    w = np.kron(np.eye(2), np.triu(rng.random((20, 20)) * (rng.random((20, 20)) < 0.4), 1))
    w = w + w.T
    y = np.full(40, -1)
    y[[0, 1, 20, 21, 22]] = [0, 1, 0, 1, 2]
    found = Poisson(metric="precomputed").fit(sparse.csr_array(w), y)
    assert (found.label_distributions_[:20, 2] == 0).all()
    assert (found.transduction_[:20] != 2).all()
    assert (found.label_distributions_[20:, 2] > 0).all()


def test_nearly_disconnected_graphs_are_solved_with_a_little_of_d_added() -> None:
    p = oracle.random_problem(60, 3, 8, degree=12)
    p.w[:30, 30:] *= 1e-12
    p.w[30:, :30] *= 1e-12
    graph = sparse.csr_array(p.w)
    with pytest.warns(ConvergenceWarning, match=r"nearly disconnected.* Solved once more with 0\.0001 D added"):
        found = Poisson(metric="precomputed", max_iter=40).fit(graph, p.y)
    w, degree = p.w, p.w.sum(axis=1)
    u = np.zeros((60, 3))
    for part in mixed_parts(p):
        b = p.seeded[part, None] * (p.rows[part] - mean_labels(p, part))
        system = oracle.laplacian(w)[np.ix_(part, part)] + 1e-4 * np.diag(degree[part])
        u[part] = np.linalg.solve(system, b)
    np.testing.assert_allclose(found.scores_, u, atol=1e-3 * abs(u).max())
    assert found.converged_
    assert found.residual_ <= 1e-6


def test_a_solve_cut_short_warns_and_says_so() -> None:
    X, y = oracle.blobs(300, 3, 11)
    with pytest.warns(ConvergenceWarning, match=r"D added, which stopped at 0\.\d+ after 2 steps: raise max") as told:
        found = Poisson(max_iter=2).fit(X, y)
    assert len(told) == 1
    assert (found.converged_, found.n_iter_) == (False, 2)
    assert found.residual_ > 1e-6
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Poisson().fit(X, y).converged_


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(6, 80),
    k=st.integers(1, 30),
    seed=st.integers(0, 10**6),
    metric=st.sampled_from(["cosine", "euclidean"]),
    sharpness=st.sampled_from([0.0, 1.0, 4.0, 8.0]),
)
def test_from_features_on_the_self_tuned_graph(n: int, k: int, seed: int, metric: str, sharpness: float) -> None:
    X, y = oracle.blobs(n, 3, seed)
    found = Poisson(n_neighbors=k, metric=metric, sharpness=sharpness, **EXACT).fit(X, y)
    w = oracle.self_tuned_graph(oracle.squared_distances(X, metric), k, sharpness)
    u = equation(oracle.Problem(w, y, np.ones(n), 3))
    np.testing.assert_allclose(found.scores_, u, atol=1e-6 * max(abs(u).max(), 1))


def test_given_distances_equal_the_features() -> None:
    X, y = oracle.blobs(90, 3, 5)
    wanted = Poisson(n_neighbors=7, metric="euclidean", **EXACT).fit(X, y)
    distances = KNeighborsTransformer(n_neighbors=7).fit_transform(X)
    found = Poisson(n_neighbors=2, metric="precomputed_distances", **EXACT).fit(distances, y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, atol=1e-6)


def test_far_better_than_the_harmonic_solution_at_one_label_a_class() -> None:
    from labelprop.propagators.label_propagation import LabelPropagation

    rng = np.random.default_rng(0)
    truth = rng.integers(5, size=2000)
    X = rng.normal(size=(5, 10))[truth] + 0.8 * rng.normal(size=(2000, 10))
    y = np.full(2000, -1)
    for label in range(5):
        y[np.flatnonzero(truth == label)[0]] = label
    right = {
        str(est): (est.fit(X, y).transduction_ == truth).mean()
        for est in (
            Poisson(),
            LabelPropagation(),
            LabelPropagation(reweight="poisson"),
            LabelPropagation(center=True),
        )
    }
    plain = right.pop("LabelPropagation()")
    assert min(right.values()) > plain + 0.1, (plain, right)


def test_volume_moves_labels_to_the_wanted_shares_and_leaves_scores() -> None:
    X, y = oracle.blobs(500, 3, 9)
    plain, moved = Poisson().fit(X, y), Poisson(volume=[2, 1, 1]).fit(X, y)
    open_rows = (y < 0) & moved.reached_
    shares = np.bincount(moved.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)
    np.testing.assert_array_equal(moved.scores_, plain.scores_)
    np.testing.assert_array_equal(
        moved.label_distributions_.argmax(axis=1)[open_rows], moved.transduction_[open_rows]
    )


@pytest.mark.parametrize("n_classes", [1, 5, 40])
@pytest.mark.parametrize("prior", [False, True])
def test_a_block_of_classes_at_a_time_gives_the_same_answers(
    n_classes: int, prior: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = oracle.blobs(300, n_classes, 10, dim=12)
    class_prior = np.linspace(1, 2, n_classes) if prior else None
    parameters: dict[str, Any] = {"n_neighbors": 3, "metric": "euclidean", "class_prior": class_prior, **EXACT}
    whole = Poisson(**parameters).fit(X, y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    monkeypatch.setattr(operator, "RENUMBER_FROM", 10)
    monkeypatch.setattr(operator, "CPU_COLUMNS", 7)
    monkeypatch.setattr(operator, "BLOCK_ELEMENTS", {"cpu": 1})
    blocked = Poisson(**parameters).fit(X, y)
    np.testing.assert_array_equal(blocked.transduction_, whole.transduction_)
    np.testing.assert_array_equal(blocked.reached_, whole.reached_)
    np.testing.assert_allclose(blocked.certainty_, whole.certainty_, atol=1e-7)
    np.testing.assert_allclose(blocked.label_distributions_.sum(axis=1), 1)
    scores = blocked.scores_.tocoo()
    np.testing.assert_allclose(scores.data, whole.scores_[scores.row, scores.col], atol=1e-7)
    assert np.diff(blocked.scores_.indptr).max() == min(16, n_classes)
    kept = blocked.label_distributions_.indices.reshape(300, -1)
    mass = np.take_along_axis(whole.label_distributions_, kept, axis=1).sum(axis=1)
    most = np.sort(whole.label_distributions_, axis=1)[:, -16:].sum(axis=1)
    np.testing.assert_allclose(mass, most, atol=1e-7)
    with pytest.raises(RequestError, match="volume='seeds' needs all scores at once"):
        Poisson(volume="seeds").fit(X, y)


def test_the_wide_form_repairs_what_cannot_be_solved_too(monkeypatch: pytest.MonkeyPatch) -> None:
    p = oracle.random_problem(60, 3, 8, degree=12)
    p.w[:30, 30:] *= 1e-12
    p.w[30:, :30] *= 1e-12
    with pytest.warns(ConvergenceWarning, match="nearly disconnected"):
        whole = poisson(p.graph, p.seeds, max_iter=40)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    with pytest.warns(ConvergenceWarning, match="nearly disconnected"):
        blocked = poisson(p.graph, p.seeds, top_classes=3, max_iter=40)
    assert blocked.labels_N.tolist() == whole.labels_N.tolist()
    assert (blocked.residual, blocked.converged) == (whole.residual, whole.converged)


class TestEdges:
    def test_every_row_a_seed_a_single_row_and_one_class(self) -> None:
        X, _ = oracle.blobs(50, 3, 5)
        y = np.random.default_rng(0).integers(3, size=50)
        for options in ({}, {"class_prior": [1, 2, 3]}, {"volume": "seeds"}):
            found = Poisson(**options).fit(X, y)
            np.testing.assert_array_equal(found.transduction_, y)
            assert (found.certainty_ == 1).all()
        assert Poisson().fit(np.ones((1, 2)), [3]).transduction_.tolist() == [3]
        one = Poisson(n_neighbors=49).fit(X, [7] + [-1] * 49)
        assert (one.transduction_ == 7).all()
        assert (one.certainty_ == 1).all()
        np.testing.assert_array_equal(one.scores_, 1)

    def test_a_single_soft_seed_gives_its_label(self) -> None:
        X, _ = oracle.blobs(30, 2, 6)
        soft = np.zeros((30, 3))
        soft[4] = [0.2, 0.3, 0.5]
        found = Poisson(n_neighbors=29).fit(X, soft)
        assert (found.transduction_ == 2).all()
        np.testing.assert_array_equal(found.label_distributions_, np.eye(3)[np.full(30, 2)])

    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    @pytest.mark.parametrize("metric", ["cosine", "euclidean"])
    def test_equal_points_and_duplicates_by_the_thousand(self, metric: str, dtype: type) -> None:
        truth = np.random.default_rng(0).integers(3, size=3000)
        X = np.eye(3, 5, dtype=dtype)[truth]
        y = np.full(3000, -1)
        for label in range(3):
            y[np.flatnonzero(truth == label)[:2]] = label
        np.testing.assert_array_equal(Poisson(metric=metric).fit(X, y).transduction_, truth)
        equal = Poisson(metric=metric, n_neighbors=500).fit(np.ones((300, 3), dtype), [0, 1] + [-1] * 298)
        np.testing.assert_allclose(equal.label_distributions_[2:], 0.5, atol=1e-5)
        assert (equal.certainty_[2:] < 1e-6).all()

    def test_float32_is_as_good_as_its_rounding(self) -> None:
        X, y = oracle.blobs(2000, 4, 7)
        fine, coarse = Poisson(**EXACT).fit(X, y), Poisson().fit(X.astype(np.float32), y)
        assert coarse.scores_.dtype == np.float32
        np.testing.assert_allclose(coarse.scores_, fine.scores_, atol=1e-5 * abs(fine.scores_).max())
        assert (coarse.transduction_ == fine.transduction_).mean() > 0.999


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"class_prior": "seeds"},
            "class_prior='seeds': must be None, or an array of one share a class, all positive",
        ),
        ({"class_prior": [1, 2]}, r"class_prior has shape \(2,\) for 3 classes"),
        ({"class_prior": [1, 0, 2]}, r"class_prior=\[1\.0, 0\.0, 2\.0\]: must be .*all positive"),
        ({"class_prior": [1, 1, 1], "volume": "seeds"}, "class_prior and volume both re-weight"),
        ({"tol": None}, "tol=None: must be a number >= 0"),
        ({"metric": "manhattan"}, "unknown metric 'manhattan'"),
    ],
)
def test_wrong_parameters_are_refused(parameters: dict[str, Any], message: str) -> None:
    X, y = oracle.blobs(30, 3, 0)
    with pytest.raises(RequestError, match=message):
        Poisson(**parameters).fit(X, y)


def test_warm_start_keeps_the_graph_and_equals_a_fresh_fit() -> None:
    X, y = oracle.blobs(120, 3, 13)
    warm = Poisson(warm_start=True).fit(X, y)
    graph, more = warm.graph_, y.copy()
    more[np.flatnonzero(y < 0)[:5]] = 2
    warm.fit(X, more)
    assert warm.graph_ is graph
    np.testing.assert_array_equal(warm.scores_, Poisson().fit(X, more).scores_)


def test_pure_functions_agree_with_the_estimator_under_mixed_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = oracle.blobs(150, 3, 14)
    est = Poisson().fit(X.astype(np.float32), y)
    seeds = oracle.Problem(np.zeros((0, 0)), y, np.ones(150), 3).seeds
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = poisson(est.graph_, seeds)
        monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
        blocked = poisson(est.graph_, seeds, top_classes=2)
    np.testing.assert_array_equal(found.scores_NC.numpy(), est.scores_)
    assert found.labels_N.tolist() == blocked.labels_N.tolist() == est.transduction_.tolist()


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_answers_of_the_cpu() -> None:
    X, y = oracle.blobs(1000, 5, 15)
    here, there = (Poisson(device=device, **EXACT).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-6, atol=1e-8)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)
