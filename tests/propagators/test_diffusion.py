"""Diffusion against dense solves and a textbook conjugate gradient written from the equations, and at its edges."""

from __future__ import annotations

import warnings
import weakref
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import ConvergenceWarning

import dense_oracles as oracle
from labelprop.core.errors import RequestError
from labelprop.functional.weigh import entropy_certainty
from labelprop.graph.affinity import symmetric_sum
from labelprop.graph.seeds import Seeds
from labelprop.propagators.diffusion import Diffusion
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.systems.diffusion import DiffusionSystem


def dense_system(X: np.ndarray, k: int, power: float, alpha: float) -> np.ndarray:
    """I - alpha D^-1/2 (A + A^T) D^-1/2 with a_ij = max(cos, 0)^power over the k nearest, self excluded."""
    length = np.linalg.norm(X, axis=1, keepdims=True)
    unit = X / np.where(length > 0, length, 1)
    cosines = unit @ unit.T
    np.fill_diagonal(cosines, -np.inf)
    a = np.zeros_like(cosines)
    for i, row in enumerate(cosines):
        nearest = np.argsort(-row, kind="stable")[: min(k, len(row) - 1)]
        a[i, nearest] = np.clip(row[nearest], 0, None) ** power
    w = a + a.T
    degree = w.sum(axis=1)
    scale = np.where(degree > 0, 1 / np.sqrt(np.where(degree > 0, degree, 1)), 0)
    return np.eye(len(X)) - alpha * scale[:, None] * w * scale[None, :]


def right_hand_side(y: np.ndarray, n_classes: int, balanced: bool) -> np.ndarray:
    b = np.where(y[:, None] >= 0, np.eye(n_classes)[y], 0)
    return b / np.maximum(b.sum(axis=0), 1) if balanced else b


def textbook_cg(a: np.ndarray, b: np.ndarray, steps: int, tol: float) -> np.ndarray:
    """One column at a time, as in the released code: at most `steps` steps, relative tolerance."""
    columns = []
    for right in b.T:
        x, r = np.zeros_like(right), right.copy()
        p = r.copy()
        for _ in range(steps):
            if np.linalg.norm(r) <= tol * np.linalg.norm(right):
                break
            q = a @ p
            length = (r @ r) / (p @ q)
            x = x + length * p
            after = r - length * q
            p = after + (after @ after) / (r @ r) * p
            r = after
        columns.append(x)
    return np.column_stack(columns)


def problem(n: int, n_classes: int, seed: int, dim: int = 6) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n_classes, dim))[truth] + 0.7 * rng.normal(size=(n, dim))
    y = np.where(rng.random(n) < 0.2, truth, -1)
    y[:n_classes] = np.arange(n_classes)  # each class has a seed
    return X, y


problems = given(
    n=st.integers(8, 120),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    k=st.integers(1, 60),
    power=st.sampled_from([1, 2.5, 3]),
    alpha=st.sampled_from([0.0, 0.5, 0.9, 0.99]),
    balanced=st.booleans(),
)


@settings(deadline=None, max_examples=60)
@problems
def test_scores_are_those_of_a_dense_solve(
    n: int, n_classes: int, seed: int, k: int, power: float, alpha: float, balanced: bool
) -> None:
    X, y = problem(n, n_classes, seed)
    est = Diffusion(n_neighbors=k, power=power, alpha=alpha, max_iter=1000, tol=1e-11, balance_seeds=balanced)
    found = est.fit(X, y)
    assert found.converged_
    assert found.scores_.dtype == np.float64
    z = np.linalg.solve(dense_system(X, k, power, alpha), right_hand_side(y, n_classes, balanced))
    np.testing.assert_allclose(found.scores_, np.clip(z, 0, None), rtol=1e-6, atol=1e-9 * z.max())
    reached = z.sum(axis=1) > 1e-12 * z.max()
    np.testing.assert_array_equal(found.reached_, reached | (y >= 0))
    p = z[reached] / z[reached].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(found.label_distributions_[reached], p, atol=1e-7)
    omega = np.zeros(n)
    entropy = -np.sum(p * np.log(np.maximum(p, 1e-300)), axis=1)
    omega[reached] = 1 - entropy / np.log(n_classes) if n_classes > 1 else 1
    omega /= omega.max() if omega.max() > 0 else 1
    omega[y >= 0] = 1
    np.testing.assert_allclose(found.certainty_, omega, atol=1e-5)


@settings(deadline=None, max_examples=30)
@given(n=st.integers(60, 150), seed=st.integers(0, 10**6), k=st.integers(3, 20), steps=st.integers(1, 20))
def test_exactly_so_many_steps_of_conjugate_gradient(n: int, seed: int, k: int, steps: int) -> None:
    X, y = problem(n, 4, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = Diffusion(n_neighbors=k, max_iter=steps).fit(X, y)
    z = textbook_cg(dense_system(X, k, 3, 0.99), right_hand_side(y, 4, True), steps, 1e-6)
    # Twenty steps amplify rounding up to 1e-8; nineteen or twenty-one steps would be off by 1e-3.
    np.testing.assert_allclose(found.scores_, np.clip(z, 0, None), rtol=0, atol=1e-6 * z.max())
    assert found.n_iter_ <= steps


def test_default_is_twenty_steps_and_says_so_without_a_warning() -> None:
    X, y = problem(400, 4, 0, dim=3)
    found = Diffusion(n_neighbors=5).fit(X, y)
    z = textbook_cg(dense_system(X, 5, 3, 0.99), right_hand_side(y, 4, True), 20, 1e-6)
    np.testing.assert_allclose(found.scores_, np.clip(z, 0, None), rtol=0, atol=1e-7 * z.max())
    assert found.n_iter_ == 20
    assert not found.converged_
    assert 1e-6 < found.residual_ <= 0.1


def test_residual_is_the_worst_columns_and_a_large_one_warns() -> None:
    X, y = problem(200, 3, 1)
    with pytest.warns(ConvergenceWarning, match=r"after 2 steps with relative residual 0\.\d+ \(above 0\.1\)"):
        found = Diffusion(n_neighbors=5, max_iter=2, balance_seeds=False).fit(X, y)
    a, b = dense_system(X, 5, 3, 0.99), right_hand_side(y, 3, False)
    z = textbook_cg(a, b, 2, 1e-6)
    worst = (np.linalg.norm(b - a @ z, axis=0) / np.linalg.norm(b, axis=0)).max()
    assert found.residual_ == pytest.approx(worst)
    assert not found.converged_


def test_equals_label_spreading_up_to_one_minus_alpha() -> None:
    X, y = problem(90, 3, 2)
    a = dense_system(X, 10, 3, 0.9)
    found = Diffusion(n_neighbors=10, alpha=0.9, max_iter=500, tol=1e-12, balance_seeds=False).fit(X, y)
    s = (np.eye(90) - a) / 0.9
    f = np.zeros((90, 3))
    for _ in range(600):  # Zhou et al.: F <- alpha S F + (1 - alpha) Y
        f = 0.9 * s @ f + 0.1 * right_hand_side(y, 3, False)
    np.testing.assert_allclose(0.1 * found.scores_, f, atol=1e-10)


def test_alpha_zero_gives_back_the_seeds() -> None:
    X, y = problem(30, 3, 3)
    found = Diffusion(alpha=0, balance_seeds=False).fit(X, y)
    np.testing.assert_allclose(found.scores_, right_hand_side(y, 3, False))
    np.testing.assert_array_equal(found.transduction_, y)
    np.testing.assert_array_equal(found.reached_, y >= 0)


def cliques(sizes: list[int], noise: float = 0.05) -> np.ndarray:
    rng = np.random.default_rng(0)
    blocks = []
    for place, size in enumerate(sizes):
        block = np.zeros((size, 3 * len(sizes)))
        block[:, 3 * place : 3 * place + 3] = 1 + noise * rng.normal(size=(size, 3))
        blocks.append(block)
    return np.concatenate(blocks)


def test_two_cliques_split_perfectly_and_an_unseeded_one_stays_unreached() -> None:
    X = cliques([30, 20, 10])
    y = np.full(60, -1)
    y[0], y[30] = 4, 9
    found = Diffusion().fit(X, y)
    np.testing.assert_array_equal(found.transduction_, np.repeat([4, 9, -1], [30, 20, 10]))
    np.testing.assert_allclose(found.certainty_, np.repeat([1, 1, 0], [30, 20, 10]))
    np.testing.assert_allclose(found.label_distributions_[50:], 0.5)
    np.testing.assert_allclose(found.class_weight_, [25 / 30, 25 / 20])
    assert found.predict(X[[0, 35, 55]]).tolist() == [4, 9, -1]
    np.testing.assert_allclose(found.predict_proba(X[[55]]), 0.5)


def test_rows_too_many_steps_away_are_unreached() -> None:
    angles = np.linspace(0, np.pi, 80)
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    y = np.full(80, -1)
    y[0] = 0
    found = Diffusion(n_neighbors=2).fit(X, y)  # a chain; 20 steps reach about 20 neighbors far
    assert found.reached_[:10].all()
    assert not found.reached_[45:].any()
    assert (found.transduction_[45:] == -1).all()
    assert Diffusion(n_neighbors=2, max_iter=500).fit(X, y).reached_.all()


def test_a_class_without_seeds_wins_nowhere() -> None:
    X, _ = problem(40, 2, 4)
    soft = np.zeros((40, 3))
    soft[0, 0] = soft[1, 2] = 1
    found = Diffusion(n_neighbors=10).fit(X, soft)
    assert found.classes_.tolist() == [0, 1, 2]
    assert (found.scores_[:, 1] == 0).all()
    assert (found.label_distributions_[found.reached_][:, 1] == 0).all()
    assert found.class_weight_[1] == 0
    by_weight = Diffusion(n_neighbors=10).fit(X, np.array([0, 1, 2] + [-1] * 37), sample_weight=[1, 0, 1] + [1] * 37)
    assert by_weight.classes_.tolist() == [0, 1, 2]
    assert not (by_weight.transduction_ == 1).any()


def test_one_class_is_certain_wherever_it_reaches() -> None:
    found = Diffusion().fit(cliques([6, 4]), [7] + [-1] * 9)
    assert found.transduction_.tolist() == [7] * 6 + [-1] * 4
    assert found.certainty_.tolist() == [1] * 6 + [0] * 4
    assert found.class_weight_.tolist() == [1]


def test_every_row_a_seed_keeps_every_label() -> None:
    X, _ = problem(50, 3, 5)
    y = np.random.default_rng(0).integers(3, size=50)
    found = Diffusion().fit(X, y)
    np.testing.assert_array_equal(found.transduction_, y)
    assert (found.certainty_ == 1).all()


def test_all_points_equal() -> None:
    y = [0, 1] + [-1] * 98
    found = Diffusion(n_neighbors=5, alpha=0.5).fit(np.ones((100, 4)), y)
    assert np.isfinite(found.label_distributions_).all()
    np.testing.assert_allclose(found.label_distributions_[10:], 0.5, atol=1e-6)
    assert set(found.transduction_.tolist()) == {0, 1}
    assert found.certainty_[10:].max() < 1e-3


def test_duplicates_by_the_thousand() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(3, size=3000)
    X = np.eye(3, 5, dtype=np.float32)[truth]
    y = np.full(3000, -1)
    for label in range(3):
        y[np.flatnonzero(truth == label)[:2]] = label
    found = Diffusion(n_neighbors=20).fit(X, y)
    reached = found.reached_
    np.testing.assert_array_equal(found.transduction_[reached], truth[reached])
    assert reached.all()


def test_zero_vectors_and_a_single_row() -> None:
    X = np.concatenate([cliques([5, 5]), np.zeros((2, 6))])
    found = Diffusion().fit(X, [0] + [-1] * 4 + [1] + [-1] * 6)
    assert found.transduction_.tolist() == [0] * 5 + [1] * 5 + [-1, -1]
    assert found.predict(np.zeros((1, 6))).tolist() == [-1]
    alone = Diffusion().fit(np.ones((1, 2)), [3])
    assert alone.transduction_.tolist() == [3]


def test_more_neighbors_than_rows_is_the_full_graph() -> None:
    X, y = problem(20, 2, 6)
    full = Diffusion(n_neighbors=19).fit(X, y)
    np.testing.assert_array_equal(Diffusion(n_neighbors=500).fit(X, y).scores_, full.scores_)


def test_ties_between_classes_go_to_the_lowest() -> None:
    X = np.array([[1.0, 0], [0, 1.0], [1.0, 1.0]])
    found = Diffusion(n_neighbors=2).fit(X, np.array(["b", "a", ""]))
    assert found.transduction_.tolist() == ["b", "a", "a"]
    assert found.certainty_[2] == pytest.approx(0, abs=1e-12)


def test_balance_divides_by_the_sum_of_weights() -> None:
    X, y = problem(60, 2, 7)
    weights = np.random.default_rng(0).random(60) + 0.5
    plain = Diffusion(balance_seeds=False, max_iter=300).fit(X, y, sample_weight=weights)
    balanced = Diffusion(max_iter=300).fit(X, y, sample_weight=weights)
    totals = [weights[y == label].sum() for label in (0, 1)]
    np.testing.assert_allclose(balanced.scores_, plain.scores_ / totals, rtol=1e-10)


def test_max_normalize_divides_by_the_largest_certainty_of_all_rows() -> None:
    X, y = problem(100, 4, 8)
    raw = Diffusion(max_normalize=False).fit(X, y)
    unlabeled = y < 0
    of_all = entropy_certainty(torch.from_numpy(raw.label_distributions_)).numpy()
    scaled = Diffusion().fit(X, y)
    np.testing.assert_allclose(raw.certainty_[unlabeled], of_all[unlabeled])
    np.testing.assert_allclose(scaled.certainty_[unlabeled], (of_all / of_all.max())[unlabeled])


def test_volume_moves_labels_to_the_wanted_shares_and_leaves_scores() -> None:
    X, y = problem(600, 3, 9)
    plain, moved = Diffusion().fit(X, y), Diffusion(volume=[2, 1, 1]).fit(X, y)
    open_rows = (y < 0) & moved.reached_
    shares = np.bincount(moved.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=0.01)
    np.testing.assert_array_equal(moved.scores_, plain.scores_)
    np.testing.assert_allclose(moved.label_distributions_.sum(axis=1), 1)
    np.testing.assert_array_equal(moved.transduction_[y >= 0], y[y >= 0])
    likely = moved.label_distributions_.argmax(axis=1)
    np.testing.assert_array_equal(likely[open_rows], moved.transduction_[open_rows])
    from_seeds = Diffusion(volume="seeds").fit(X, y)
    counts = np.bincount(y[y >= 0]) + 1
    shares = np.bincount(from_seeds.transduction_[open_rows], minlength=3) / open_rows.sum()
    np.testing.assert_allclose(shares, counts / counts.sum(), atol=0.01)


@pytest.mark.parametrize("volume", ["sedes", [0.5, 0.5], [1, -1, 1], [0, 0, 0], [1, np.nan, 1], object()])
def test_wrong_volume_is_refused(volume: object) -> None:
    X, y = problem(30, 3, 0)
    with pytest.raises(RequestError, match=r"volume.*None, 'seeds', or an array of one share a class"):
        Diffusion(volume=volume).fit(X, y)


@pytest.mark.parametrize("n_classes", [1, 5, 40])
def test_a_block_of_classes_at_a_time_gives_the_same_answers(n_classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(300, n_classes, 10, dim=12)
    whole = Diffusion(n_neighbors=10).fit(X, y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    wide = Diffusion(n_neighbors=10).fit(X, y)
    np.testing.assert_array_equal(wide.transduction_, whole.transduction_)
    np.testing.assert_array_equal(wide.reached_, whole.reached_)
    np.testing.assert_allclose(wide.certainty_, whole.certainty_, atol=1e-9)
    assert wide.scores_.shape == (300, n_classes)
    assert np.diff(wide.scores_.indptr).max() == min(16, n_classes)
    np.testing.assert_allclose(wide.label_distributions_.sum(axis=1), 1)
    kept = wide.scores_.toarray() > 0
    np.testing.assert_allclose(wide.scores_.toarray()[kept], whole.scores_[kept])
    assert (wide.n_iter_, wide.converged_) == (whole.n_iter_, whole.converged_)
    assert wide.residual_ == pytest.approx(whole.residual_)
    with pytest.raises(RequestError, match="volume='seeds' needs all scores at once"):
        Diffusion(volume="seeds").fit(X, y)


def test_top_classes_keeps_each_rows_best() -> None:
    X, y = problem(200, 6, 11)
    whole, top = Diffusion().fit(X, y), Diffusion(top_classes=2).fit(X, y)
    best = np.sort(np.argsort(-whole.label_distributions_, axis=1, kind="stable")[:, :2], axis=1)
    np.testing.assert_array_equal(top.label_distributions_.indices.reshape(-1, 2), best)
    np.testing.assert_allclose(top.scores_.data.reshape(-1, 2), np.take_along_axis(whole.scores_, best, axis=1))
    np.testing.assert_allclose(top.label_distributions_.sum(axis=1), 1)
    np.testing.assert_array_equal(top.transduction_, whole.transduction_)
    np.testing.assert_array_equal(top.certainty_, whole.certainty_)
    np.testing.assert_allclose(top.predict_proba(X).sum(axis=1), 1)
    every = Diffusion(top_classes=99).fit(X, y)
    np.testing.assert_allclose(every.label_distributions_.toarray(), whole.label_distributions_)
    np.testing.assert_allclose(every.predict_proba(X), whole.predict_proba(X))


def test_large_graphs_are_renumbered_inside_only(monkeypatch: pytest.MonkeyPatch) -> None:
    from labelprop.propagators.systems import operator

    X, y = problem(500, 5, 12)
    plain = Diffusion(n_neighbors=10).fit(X, y)
    monkeypatch.setattr(operator, "RENUMBER_FROM", 10)
    monkeypatch.setattr(operator, "CPU_COLUMNS", 2)
    monkeypatch.setattr(operator, "BLOCK_ELEMENTS", {"cpu": 1})
    moved = Diffusion(n_neighbors=10).fit(X, y)
    np.testing.assert_allclose(moved.scores_, plain.scores_, rtol=1e-6, atol=1e-9)
    assert moved.residual_ == pytest.approx(plain.residual_, rel=1e-3)


def test_pure_functions_agree_with_the_estimator_and_leave_gradients_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(150, 3, 13)
    est = Diffusion(n_neighbors=8).fit(X.astype(np.float32), y)
    vectors = torch.tensor(X, dtype=torch.float32, requires_grad=True)
    seeds = Seeds.hard(torch.from_numpy(y), 3)
    found = Diffusion(n_neighbors=8).label_vectors(vectors, seeds)
    assert not found.scores_NC.requires_grad
    torch.testing.assert_close(found.scores_NC.numpy(), est.scores_)
    assert found.labels_N.tolist() == est.transduction_.tolist()
    assert (found.steps, found.converged) == (est.n_iter_, est.converged_)
    again = oracle.on_graph(Diffusion)(est.graph_, seeds)
    torch.testing.assert_close(again.certainty_N, found.certainty_N)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    assert (
        Diffusion(top_classes=2).on_graph(est.graph_).propagate(est.graph_, seeds).labels_N.tolist()
        == est.transduction_.tolist()
    )


def test_mixed_precision_of_the_caller_does_not_reach_the_propagation() -> None:
    X, y = problem(150, 3, 14)
    vectors, seeds = torch.tensor(X, dtype=torch.float32), Seeds.hard(torch.from_numpy(y), 3)
    plain = Diffusion(n_neighbors=8).label_vectors(vectors, seeds)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = Diffusion(n_neighbors=8).label_vectors(vectors, seeds)
    torch.testing.assert_close(mixed.scores_NC, plain.scores_NC)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_answers_of_the_cpu() -> None:
    X, y = problem(2000, 5, 15)
    here, there = (Diffusion(device=device).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)
    assert symmetric_sum(here.graph_.to_scipy()).device.type == "cpu"


def test_wide_results_hold_one_block_of_classes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(300, 8)).astype(np.float32), np.full(300, -1)
    y[:100] = np.arange(100)
    solve, answers = DiffusionSystem.solve, []

    def watched(*args: Any, **kwargs: Any) -> Any:
        assert not any(answer() is not None for answer in answers[:-1]), "an earlier block is still held"
        solved = solve(*args, **kwargs)
        answers.append(weakref.ref(solved.solution_NC))
        return solved

    graph = Diffusion(n_neighbors=5).fit(X, y).graph_
    monkeypatch.setattr(DiffusionSystem, "solve", watched)
    monkeypatch.setattr(DiffusionSystem, "class_blocks", lambda self, n: [(c, c + 10) for c in range(0, n, 10)])
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    wide = Diffusion().on_graph(graph)
    wide.forget()
    wide.propagate(graph, Seeds.hard(torch.from_numpy(y), 100))
    assert len(answers) == 10
