"""WeightedKNN against votes counted by hand, at its two limits, and at its edges."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.neighbors import KNeighborsTransformer
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from labelprop.core.errors import RequestError
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.votes import votes
from labelprop.propagators.votes.voters import labeled_only
from labelprop.propagators.weighted_knn import WeightedKNN


def unit(X: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def count_votes(cosines: np.ndarray, rows_mc: np.ndarray, k: int, temperature: float) -> np.ndarray:
    """w_j, one row after the other; cosines (n, m) to the voters, -inf where there is no vote; rows_mc their Y."""
    w = np.zeros((len(cosines), rows_mc.shape[1]))
    for i, row in enumerate(cosines):
        chosen = [j for j in np.argsort(-row, kind="stable")[:k] if row[j] > -np.inf]
        if chosen:
            w[i] = np.exp((row[chosen] - row[chosen].max()) / temperature) @ rows_mc[chosen]
    return w


def cosines_to_voters(X: np.ndarray, y: np.ndarray) -> np.ndarray:
    """(n, M); -inf to itself and wherever a zero vector is involved."""
    voters = np.flatnonzero(y >= 0)
    cosines = unit(X) @ unit(X)[voters].T
    cosines[voters, np.arange(len(voters))] = -np.inf
    zero = ~X.any(axis=1)
    cosines[zero] = -np.inf
    cosines[:, zero[voters]] = -np.inf
    return cosines


def shares_of(w: np.ndarray) -> np.ndarray:
    total = w.sum(axis=1, keepdims=True)
    return np.where(total > 0, w / np.where(total > 0, total, 1), 1 / w.shape[1])


def problem(n: int, n_classes: int, seed: int, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    X = rng.normal(size=(n_classes, dim))[truth] + 0.7 * rng.normal(size=(n, dim))
    y = np.where(rng.random(n) < 0.3, truth, -1)
    y[:n_classes] = np.arange(n_classes)  # each class has a seed
    return X, y


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(6, 80),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    k=st.integers(1, 40),
    temperature=st.sampled_from([0.01, 0.07, 1.0, 50.0]),
    zeros=st.integers(0, 3),
    kind=st.sampled_from(["hard", "weighted", "soft"]),
)
def test_scores_are_the_votes_counted_by_hand(
    n: int, n_classes: int, seed: int, k: int, temperature: float, zeros: int, kind: str
) -> None:
    X, y = problem(n, n_classes, seed)
    rng = np.random.default_rng(seed)
    X[rng.integers(n, size=zeros)] = 0
    rows = np.eye(n_classes)[y[y >= 0]]
    weights, given_y = None, y
    if kind == "weighted":
        weights = rng.random(n) + 0.1
        rows = rows * weights[y >= 0, None]
    if kind == "soft" and n_classes > 1:
        rows = rng.random((len(rows), n_classes))
        given_y = np.zeros((n, n_classes))
        given_y[y >= 0] = rows
        y = np.where(y >= 0, given_y.argmax(axis=1), -1)
    found = WeightedKNN(n_neighbors=k, temperature=temperature).fit(X, given_y, sample_weight=weights)
    w = count_votes(cosines_to_voters(X, y), rows, k, temperature)
    np.testing.assert_allclose(found.scores_, w, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(found.label_distributions_, shares_of(w), rtol=1e-7, atol=1e-12)
    reached = w.any(axis=1)
    np.testing.assert_array_equal(found.reached_, reached | (y >= 0))
    certainty = np.where(y >= 0, 1, np.where(reached, shares_of(w).max(axis=1), 0))
    np.testing.assert_allclose(found.certainty_, certainty)
    np.testing.assert_array_equal(found.transduction_, np.where(y >= 0, y, np.where(reached, w.argmax(axis=1), -1)))
    assert (found.n_iter_, found.residual_, found.converged_, found.recall_) == (0, 0.0, True, 1.0)
    np.testing.assert_allclose(found.graph_.to_scipy() @ rows, w, rtol=1e-7, atol=1e-12)
    assert found.graph_.shape == (n, (y >= 0).sum())
    new = rng.normal(size=(9, X.shape[1]))
    cosines = unit(new) @ unit(X)[y >= 0].T
    cosines[:, ~X[y >= 0].any(axis=1)] = -np.inf
    np.testing.assert_allclose(found.predict_proba(new), shares_of(count_votes(cosines, rows, k, temperature)))


def test_one_neighbor_is_the_nearest_neighbor() -> None:
    X, y = problem(200, 4, 0)
    found = WeightedKNN(n_neighbors=1).fit(X, y)
    nearest = np.flatnonzero(y >= 0)[cosines_to_voters(X, y).argmax(axis=1)]
    np.testing.assert_array_equal(found.transduction_[y < 0], y[nearest][y < 0])
    np.testing.assert_array_equal(found.certainty_, 1)


def test_all_neighbors_at_infinite_temperature_count_the_labels() -> None:
    X, y = problem(100, 3, 1)
    found = WeightedKNN(n_neighbors=100, temperature=1e9).fit(X, y)
    frequencies = np.bincount(y[y >= 0]) / (y >= 0).sum()
    np.testing.assert_allclose(found.label_distributions_[y < 0], np.tile(frequencies, ((y < 0).sum(), 1)), rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_no_temperature_overflows(dtype: Any) -> None:
    X, y = problem(60, 3, 2)
    for temperature in (1e-6, 0.07):  # exp(1 / 0.07) is more than float16 holds, exp(1e6) than anything
        found = WeightedKNN(temperature=temperature).fit(X.astype(dtype), y)
        assert found.scores_.dtype == np.float32
        assert np.isfinite(found.scores_).all()
        assert found.scores_.max(axis=1).min() > 0


def test_equal_cosines_go_to_the_lower_row() -> None:
    X = np.array([[1.0, 0], [2.0, 0], [0.5, 0], [1.0, 0.001]])
    found = WeightedKNN(n_neighbors=2).fit(X, ["b", "a", "a", ""])
    assert found.graph_.to_scipy().toarray()[3].tolist() == [1, 1, 0]
    assert found.transduction_.tolist() == ["b", "a", "a", "a"]
    assert WeightedKNN(n_neighbors=1).fit(X, ["b", "a", "a", ""]).transduction_[3] == "b"


def test_a_seed_does_not_vote_on_itself_but_on_its_copies() -> None:
    X = np.array([[1.0, 0], [0, 1.0], [1.0, 0], [1.0, 0]])
    found = WeightedKNN(n_neighbors=1).fit(X, [0, 1, 1, -1])
    np.testing.assert_array_equal(found.graph_.to_scipy().toarray()[:, 0] > 0, [False, True, True, True])
    np.testing.assert_array_equal(found.scores_[0], [0, 1])
    assert found.predict(X[[0]]).tolist() == [0], "new rows are nobody's copy"


def test_a_lone_seed_and_every_row_a_seed() -> None:
    X, _ = problem(30, 3, 3)
    alone = WeightedKNN().fit(X, [5] + [-1] * 29)
    assert set(alone.transduction_.tolist()) == {5}
    np.testing.assert_array_equal(alone.scores_[:, 0], [0] + [1] * 29)
    labels = np.arange(30) % 3
    np.testing.assert_array_equal(WeightedKNN().fit(X, labels).transduction_, labels)
    assert WeightedKNN().fit(X[:1], [7]).transduction_.tolist() == [7]


def test_equal_points_and_duplicates_by_the_thousand() -> None:
    equal = WeightedKNN(n_neighbors=3).fit(np.ones((50, 4)), [0, 1, 1] + [-1] * 47)
    np.testing.assert_allclose(equal.label_distributions_[3:], np.tile([1 / 3, 2 / 3], (47, 1)))
    truth = np.random.default_rng(0).integers(3, size=3000)
    y = np.where(np.arange(3000) < 600, truth, -1)
    found = WeightedKNN().fit(np.eye(3, 5, dtype=np.float32)[truth], y)
    np.testing.assert_array_equal(found.transduction_, truth)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_zero_seeds_have_no_vote_and_zero_rows_get_none(form: Any) -> None:
    X = np.array([[1.0, 0], [0, 0], [0.9, 0.1], [0, 0]])
    found = WeightedKNN().fit(form(X), [0, 1, -1, -1])
    assert found.transduction_.tolist() == [0, 1, 0, -1]
    assert found.predict(form(X)).tolist() == [0, -1, 0, -1]
    silent = WeightedKNN().fit(form(X), [-1, 1, -1, 2])
    assert silent.transduction_.tolist() == [-1, 1, -1, 2]
    assert silent.predict(form(X[:1])).tolist() == [-1]
    np.testing.assert_allclose(silent.predict_proba(form(X[:1])), 0.5)


def test_sparse_features_predict_dense_ones_and_the_other_way_round() -> None:
    X, y = problem(80, 3, 4)
    dense, csr = WeightedKNN().fit(X, y), WeightedKNN().fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(csr.scores_, dense.scores_)
    np.testing.assert_allclose(csr.predict_proba(X), dense.predict_proba(sparse.csr_array(X)))


def test_files_mapped_into_memory_and_small_pickles(tmp_path: Path) -> None:
    X, y = problem(4000, 3, 5, dim=64)
    y[200:] = -1
    np.save(tmp_path / "x.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    found, wanted = WeightedKNN().fit(mapped, y), WeightedKNN().fit(X.astype(np.float32), y)
    np.testing.assert_array_equal(found.scores_, wanted.scores_)
    fitted = [pickle.dumps(getattr(found, name)) for name in ("scores_", "label_distributions_", "graph_")]
    rest = len(pickle.dumps(found)) - sum(map(len, fitted))
    assert rest < X.astype(np.float32).nbytes, "the features of unlabeled rows went into the pickle"


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("k", [1, 30])
def test_wide_results_hold_the_best_classes(k: int, soft: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(500, 60, 6, dim=12)
    X[[400, 450]] = 0
    y[[400, 450]] = -1
    given_y = np.where(y[:, None] >= 0, np.eye(60)[y] + 0.01 * np.random.default_rng(0).random((500, 60)), 0)
    parameters: dict[str, Any] = {"n_neighbors": k, "temperature": 1.0}
    whole = WeightedKNN(**parameters).fit(X, given_y if soft else y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    monkeypatch.setattr(votes, "BLOCK_ELEMENTS", 1000)
    wide = WeightedKNN(**parameters).fit(X, given_y if soft else y)
    for name in ("transduction_", "reached_", "class_weight_"):
        np.testing.assert_array_equal(getattr(wide, name), getattr(whole, name))
    np.testing.assert_allclose(wide.certainty_, whole.certainty_)
    ranked = np.sort(whole.scores_, axis=1)[:, ::-1]
    best = np.where(whole.scores_ >= ranked[:, 15:16], whole.scores_, 0)  # no ties among positive ones
    np.testing.assert_allclose(wide.scores_.toarray(), best)
    reached = best.any(axis=1)
    assert reached.sum() == 498
    total = best[reached].sum(axis=1, keepdims=True)
    np.testing.assert_allclose(wide.label_distributions_.toarray()[reached], best[reached] / total)
    np.testing.assert_allclose(wide.label_distributions_.toarray()[~reached][:, :16], 1 / 16)
    np.testing.assert_allclose(wide.label_distributions_.sum(axis=1), 1)
    np.testing.assert_allclose(wide.predict_proba(X), whole.predict_proba(X))
    few = WeightedKNN(top_classes=2, **parameters).fit(X, given_y if soft else y)
    np.testing.assert_allclose(few.label_distributions_.sum(axis=1), 1)
    np.testing.assert_array_equal(few.transduction_, whole.transduction_)


class LargestTensor(TorchDispatchMode):
    """The most numbers in a dense result of any operation of torch."""

    numel = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        found = func(*args, **(kwargs or {}))
        tensors = [part for part in tree_leaves(found) if isinstance(part, torch.Tensor)]
        self.numel = max([self.numel, *(part.numel() for part in tensors if part.layout is torch.strided)])
        return found


@pytest.mark.parametrize("k", [1, 30])
def test_wide_votes_take_no_more_for_more_classes(k: int, monkeypatch: pytest.MonkeyPatch) -> None:
    n, n_classes = 500, 2000
    generator = torch.Generator().manual_seed(0)
    seeds = Seeds.hard(torch.randint(-1, n_classes, (n,), generator=generator), n_classes)
    seeds_M = labeled_only(seeds)
    columns_NK = torch.randint(seeds_M.n, (n, k), generator=generator)
    votes_NK = votes.Votes(columns_NK, -torch.rand(n, k, generator=generator).sort(dim=1).values, seeds_M.n)
    with LargestTensor() as whole:
        votes.count_votes(votes_NK, seeds_M, seeds)
    assert whole.numel >= n * n_classes, "what a dense result takes was not seen"
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
    with LargestTensor() as wide:
        votes.count_votes(votes_NK, seeds_M, seeds)
    assert wide.numel <= n * max(k, top_classes.DEFAULT_TOP)


class TestPrecomputed:
    def test_the_labeled_columns_vote_and_the_best_stored_ones_are_taken(self) -> None:
        X, y = problem(60, 3, 7)
        unit_x = unit(X)
        wanted = WeightedKNN(n_neighbors=5).fit(X, y)
        cosines = unit_x @ unit_x.T
        distances = KNeighborsTransformer(n_neighbors=59).fit_transform(unit_x)
        everything = np.tile(np.arange(60), (60, 1))
        for metric, form in (
            ("precomputed", sparse.csr_array(cosines)),
            ("precomputed", (everything, cosines)),
            ("precomputed_distances", distances),
        ):
            found = WeightedKNN(n_neighbors=5, metric=metric).fit(form, y)
            np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-6)
            assert found.recall_ is None
        new = unit(np.random.default_rng(0).normal(size=(7, 5)))
        given_similarities = sparse.csr_array(new @ unit_x.T)
        found = WeightedKNN(n_neighbors=5, metric="precomputed").fit(sparse.csr_array(cosines), y)
        np.testing.assert_allclose(found.predict_proba(given_similarities), wanted.predict_proba(new), rtol=1e-6)

    def test_rows_that_store_no_labeled_column_are_unreached(self) -> None:
        given_graph = sparse.csr_array(np.array([[0, 0.3, 0], [0, 0, 0.9], [0, -0.2, 0]]))
        found = WeightedKNN(metric="precomputed").fit(given_graph, [-1, 4, -1])
        assert found.transduction_.tolist() == [4, 4, 4], "a negative similarity is a vote, too"
        assert WeightedKNN(metric="precomputed").fit(given_graph, [4, -1, -1]).transduction_.tolist() == [4, -1, -1]

    def test_ties_go_to_the_lower_row(self) -> None:
        given_graph = sparse.csr_array(np.array([[0, 0, 0.5], [0, 0, 0.5], [0.5, 0.5, 0]]))
        found = WeightedKNN(n_neighbors=1, metric="precomputed").fit(given_graph, [8, 3, -1])
        assert found.transduction_.tolist() == [8, 3, 8]


def test_spreading_alone_agrees_with_fit_and_leaves_gradients_and_precision_alone() -> None:
    X, y = problem(120, 3, 8)
    vectors = torch.tensor(X, requires_grad=True)
    seeds, parameters = Seeds.hard(torch.from_numpy(y), 3), {"n_neighbors": 4, "temperature": 0.2}
    found = WeightedKNN(**parameters).spread(vectors, seeds)
    est = WeightedKNN(**parameters).fit(X, y)
    np.testing.assert_array_equal(found.scores_NC.numpy(), est.scores_)
    assert not found.scores_NC.requires_grad
    with torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = WeightedKNN(**parameters).spread(vectors, seeds)
    torch.testing.assert_close(mixed.scores_NC, found.scores_NC)


def test_approximate_search_measures_its_recall() -> None:
    X, y = problem(3000, 3, 9, dim=16)
    y = np.where(np.arange(3000) < 1500, np.random.default_rng(0).integers(3, size=3000), -1)
    exact, found = (WeightedKNN(search=search).fit(X.astype(np.float32), y) for search in ("exact", "approximate"))
    assert 0.9 < found.recall_ <= 1
    assert (found.transduction_ == exact.transduction_).mean() > 0.95


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 0}, r"n_neighbors=0: must be a whole number >= 1"),
        ({"temperature": 0}, r"temperature=0: must be a number > 0"),
        ({"temperature": float("nan")}, r"temperature=nan: must be a number > 0"),
        ({"metric": "euclidean"}, r"unknown metric 'euclidean'"),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    X, y = problem(20, 2, 0)
    with pytest.raises(RequestError, match=message):
        WeightedKNN(**parameters).fit(X, y)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_gives_the_answers_of_the_cpu() -> None:
    X, y = problem(2000, 5, 10)
    here, there = (WeightedKNN(device=device).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-9)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)


def test_queries_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(100, 3, 11)
    found = WeightedKNN().fit(X, y)
    whole = found.predict_proba(X)
    monkeypatch.setattr(votes, "BLOCK_ELEMENTS", 12)
    np.testing.assert_array_equal(found.predict_proba(X), whole)
