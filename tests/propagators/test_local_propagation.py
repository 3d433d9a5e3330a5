"""LocalPropagation against densities and votes counted by hand, its identities, and its edges."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from labelprop.core.errors import RequestError
from labelprop.graph.seeds import Seeds
from labelprop.propagators.estimator import top_classes
from labelprop.propagators.local_propagation import LocalPropagation
from labelprop.propagators.votes import density, voters, votes
from labelprop.propagators.weighted_knn import WeightedKNN


def unit(X: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(X, axis=1, keepdims=True)
    return X / np.where(length > 0, length, 1)


def log_density(X: np.ndarray, y: np.ndarray, parameters: dict[str, Any]) -> np.ndarray:
    """log rho of each seed, written from the definitions; a zero vector is similar to nothing."""
    tau, found = parameters["temperature"], []
    alive = X.any(axis=1)
    for i in np.flatnonzero(y >= 0):
        cosines = unit(X) @ unit(X)[i]
        others = alive & (np.arange(len(X)) != i) & alive[i]
        pool = others & (y < 0) if parameters["pool"] == "unlabeled" else others
        nearest = np.sort(cosines[pool])[::-1][: parameters["n_density"]]
        rho = np.exp(nearest / tau).sum()
        if parameters["density"] == "conditional" and rho > 0:
            rho /= np.exp(cosines[others] / tau).sum()
        found.append(np.log(rho) if rho > 0 else -np.inf)
    log_rho = np.array(found)
    known = np.isfinite(log_rho)
    return np.where(known, log_rho, log_rho[known].min() if known.any() else 0)


def count_votes(exponents: np.ndarray, rows_mc: np.ndarray, k: int) -> np.ndarray:
    """w_j, one row after the other, from log votes (n, m), -inf where there is none; rows_mc are the voters' Y."""
    w = np.zeros((len(exponents), rows_mc.shape[1]))
    for i, row in enumerate(exponents):
        chosen = [j for j in np.argsort(-row, kind="stable")[:k] if row[j] > -np.inf]
        if chosen:
            w[i] = np.exp(row[chosen] - row[chosen].max()) @ rows_mc[chosen]
    return w


def local_votes(
    X: np.ndarray, y: np.ndarray, rows_mc: np.ndarray, parameters: dict[str, Any]
) -> tuple[np.ndarray, float]:
    """w_j, and the smallest gap between a row's last vote that counts and its first that does not."""
    voters, alive = np.flatnonzero(y >= 0), X.any(axis=1)
    exponents = unit(X) @ unit(X)[voters].T / parameters["temperature"]
    exponents[voters, np.arange(len(voters))] = -np.inf
    exponents[~alive] = -np.inf
    exponents[:, ~alive[voters]] = -np.inf
    k = parameters["n_neighbors"]
    if parameters["density"] == "ratio":
        w = count_votes(exponents, rows_mc, k)
        labels = w.argmax(axis=1)[(y < 0) & w.any(axis=1)]
        pseudo = np.maximum(np.bincount(labels, minlength=rows_mc.shape[1]), 1)
        share = rows_mc.sum(axis=0) / rows_mc.sum()
        bias = np.log(share / (pseudo / max((y < 0).sum(), 1)))[y[voters]]
    elif parameters["density"] is None:
        bias = np.zeros(len(voters))
    else:
        bias = -log_density(X, y, parameters)
    ranked = np.sort(exponents + bias, axis=1)[:, ::-1]
    left_out = np.isfinite(ranked[:, k : k + 1]).ravel() if k < len(voters) else np.zeros(len(X), dtype=bool)
    gaps = ranked[left_out, k - 1] - ranked[left_out, k] if left_out.any() else np.array([np.inf])
    return count_votes(exponents + bias, rows_mc, k), float(gaps.min())


def shares_of(w: np.ndarray) -> np.ndarray:
    total = w.sum(axis=1, keepdims=True)
    return np.where(total > 0, w / np.where(total > 0, total, 1), 1 / w.shape[1])


def problem(n: int, n_classes: int, seed: int, dim: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Clusters of unequal width, since densities are about these."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(n_classes, size=n)
    width = np.linspace(0.2, 1, n_classes)[truth, None]
    X = rng.normal(size=(n_classes, dim))[truth] + width * rng.normal(size=(n, dim))
    y = np.where(rng.random(n) < 0.3, truth, -1)
    y[:n_classes] = np.arange(n_classes)  # each class has a seed
    return X, y


chosen_parameters = st.fixed_dictionaries(
    {
        "n_neighbors": st.integers(1, 30),
        "n_density": st.integers(1, 40),
        "temperature": st.sampled_from([0.02, 0.07, 1.0]),
        "density": st.sampled_from(["joint", "conditional", "ratio", None]),
        "pool": st.sampled_from(["unlabeled", "all"]),
    }
)


@settings(deadline=None, max_examples=80)
@given(
    n=st.integers(6, 80),
    n_classes=st.integers(1, 5),
    seed=st.integers(0, 10**6),
    parameters=chosen_parameters,
    zeros=st.integers(0, 3),
    kind=st.sampled_from(["hard", "weighted", "soft"]),
)
def test_scores_are_the_votes_counted_by_hand(
    n: int, n_classes: int, seed: int, parameters: dict[str, Any], zeros: int, kind: str
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
    w, edge = local_votes(X, y, rows, parameters)
    assume(edge > 1e-9)  # two seeds whose only dense neighbor is the row they vote on are tied
    found = LocalPropagation(**parameters).fit(X, given_y, sample_weight=weights)
    np.testing.assert_allclose(found.scores_, w, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(found.label_distributions_, shares_of(w), rtol=1e-6, atol=1e-10)
    reached = w.any(axis=1)
    np.testing.assert_array_equal(found.reached_, reached | (y >= 0))
    certainty = np.where(y >= 0, 1, np.where(reached, shares_of(w).max(axis=1), 0))
    np.testing.assert_allclose(found.certainty_, certainty, rtol=1e-6)
    np.testing.assert_allclose(found.graph_.to_scipy() @ rows, w, rtol=1e-6, atol=1e-10)
    assert (found.n_iter_, found.residual_, found.converged_, found.recall_) == (0, 0.0, True, 1.0)
    full = sparse.csr_array(unit(X) @ unit(X).T)
    full.eliminate_zeros()  # a zero vector stores nothing
    stored = LocalPropagation(metric="precomputed", **parameters).fit(full, given_y, sample_weight=weights)
    np.testing.assert_allclose(stored.scores_, w, rtol=1e-6, atol=1e-10)


def test_new_rows_are_voted_on_with_the_densities_of_the_fitted_ones() -> None:
    X, y = problem(150, 4, 0)
    new = np.random.default_rng(1).normal(size=(20, 5))
    for parameters in (
        {"n_neighbors": 5, "n_density": 9, "temperature": 0.3, "density": "joint", "pool": "unlabeled"},
        {"n_neighbors": 5, "n_density": 9, "temperature": 0.3, "density": "conditional", "pool": "all"},
    ):
        exponents = unit(new) @ unit(X)[y >= 0].T / 0.3 - log_density(X, y, parameters)
        wanted = shares_of(count_votes(exponents, np.eye(4)[y[y >= 0]], 5))
        found = LocalPropagation(**parameters).fit(X, y)
        np.testing.assert_allclose(found.predict_proba(new), wanted, rtol=1e-6)
        np.testing.assert_array_equal(found.predict(new), wanted.argmax(axis=1))
        full = unit(X) @ unit(X).T
        stored = LocalPropagation(metric="precomputed", **parameters).fit(sparse.csr_array(full), y)
        given_similarities = sparse.csr_array(unit(new) @ unit(X).T)
        np.testing.assert_allclose(stored.predict_proba(given_similarities), wanted, rtol=1e-6)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_constant_density_is_weighted_knn(temperature: float) -> None:
    """On a circle with all rows evenly spread every row is as dense as any other."""
    angles = np.arange(60) * 2 * np.pi / 60
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    y = np.where(np.arange(60) % 10 == 0, np.arange(60) // 10 % 3, -1)
    parameters: dict[str, Any] = {"n_neighbors": 6, "temperature": temperature}
    wanted = WeightedKNN(**parameters).fit(X, y)
    for density_name in ("joint", "conditional", None):
        found = LocalPropagation(density=density_name, **parameters).fit(X, y)
        np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-6)


def test_a_common_factor_of_all_densities_changes_nothing() -> None:
    X, y = problem(100, 3, 2)
    seeded = voters.SeededRows.whole(X, Seeds.hard(torch.from_numpy(y), 3), "cpu")
    bias = torch.from_numpy(np.random.default_rng(0).normal(size=(y >= 0).sum()))
    voting: dict[str, Any] = {"n_neighbors": 6, "temperature": 0.1}
    first, _, _ = voters.collect_votes(seeded, bias, **voting)
    second, _, _ = voters.collect_votes(seeded, bias + 3.5, **voting)
    torch.testing.assert_close(second.weights(), first.weights())
    assert torch.equal(second.columns_NK, first.columns_NK)


def test_ranking_is_by_the_weighted_vote_not_by_the_cosine() -> None:
    """The nearest seed sits in a near; one farther away stands alone and weighs more."""
    angles = np.deg2rad([0, 20, *np.linspace(-8, -2, 30), 8])
    X = np.column_stack([np.cos(angles), np.sin(angles)])
    y = np.full(33, -1)
    y[:2] = [0, 1]
    query = [-1]
    assert WeightedKNN(n_neighbors=1).fit(X, y).transduction_[query].tolist() == [0]
    assert LocalPropagation(n_neighbors=1).fit(X, y).transduction_[query].tolist() == [1]


def test_all_rows_seeds_have_no_unlabeled_neighbors_to_be_dense_with() -> None:
    X, _ = problem(40, 3, 3)
    labels = np.arange(40) % 3
    found = LocalPropagation().fit(X, labels)
    np.testing.assert_allclose(found.scores_, WeightedKNN().fit(X, labels).scores_, rtol=1e-6)
    np.testing.assert_array_equal(found.transduction_, labels)


def test_a_class_the_votes_never_name_counts_as_named_once() -> None:
    X = np.concatenate([np.tile([[1.0, 0.0]], (10, 1)), [[-1.0, 0.1]]]) + 1e-3 * np.arange(11)[:, None]
    y = np.array([0, 0, *[-1] * 8, 1])
    found = LocalPropagation(density="ratio", n_neighbors=1, temperature=0.5).fit(X, y)
    assert np.isfinite(found.scores_).all()
    assert set(found.transduction_[2:10].tolist()) == {0}


def test_one_class_one_seed_and_one_row() -> None:
    X, _ = problem(30, 2, 4)
    for density_name in ("joint", "conditional", "ratio", None):
        found = LocalPropagation(density=density_name).fit(X, [5] + [-1] * 29)
        assert set(found.transduction_.tolist()) == {5}
        assert LocalPropagation(density=density_name).fit(X[:1], [5]).transduction_.tolist() == [5]


def test_equal_points_and_duplicates_by_the_thousand() -> None:
    equal = LocalPropagation(n_neighbors=3).fit(np.ones((50, 4)), [0, 1, 1] + [-1] * 47)
    np.testing.assert_allclose(equal.label_distributions_[3:], np.tile([1 / 3, 2 / 3], (47, 1)), rtol=1e-6)
    truth = np.random.default_rng(0).integers(3, size=3000)
    y = np.where(np.arange(3000) < 60, truth, -1)
    found = LocalPropagation().fit(np.eye(3, 5, dtype=np.float32)[truth], y)
    np.testing.assert_array_equal(found.transduction_, truth)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array])
def test_zero_seeds_have_no_vote_and_zero_rows_get_none(form: Any) -> None:
    X = np.array([[1.0, 0], [0, 0], [0.9, 0.1], [0, 0]])
    for density_name in ("joint", "conditional", "ratio"):
        found = LocalPropagation(density=density_name).fit(form(X), [0, 1, -1, -1])
        assert found.transduction_.tolist() == [0, 1, 0, -1]
        assert found.predict(form(X)).tolist() == [0, -1, 0, -1]
        silent = LocalPropagation(density=density_name).fit(form(X), [-1, 1, -1, 2])
        assert silent.transduction_.tolist() == [-1, 1, -1, 2]
        assert silent.predict(form(X[:1])).tolist() == [-1]


@pytest.mark.parametrize("density_name", ["joint", "conditional", "ratio"])
def test_sparse_features_and_blocks_give_the_same_votes(density_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(120, 3, 5)
    wanted = LocalPropagation(density=density_name).fit(X, y)
    csr = LocalPropagation(density=density_name).fit(sparse.csr_array(X), y)
    np.testing.assert_allclose(csr.scores_, wanted.scores_, rtol=1e-9)
    np.testing.assert_allclose(csr.predict_proba(X), wanted.predict_proba(sparse.csr_array(X)), rtol=1e-9)
    monkeypatch.setattr(density, "PRODUCTS", {"cpu": 40})
    monkeypatch.setattr(density, "COLUMNS", 17)
    monkeypatch.setattr(votes, "BLOCK_ELEMENTS", 20)
    blocks = LocalPropagation(density=density_name).fit(X, y)
    np.testing.assert_allclose(blocks.scores_, wanted.scores_, rtol=1e-9)
    assert blocks.recall_ == 1.0
    np.testing.assert_allclose(blocks.predict_proba(X), wanted.predict_proba(X), rtol=1e-9)


def test_precomputed_densities_come_from_what_the_labeled_rows_store() -> None:
    """Row 0 stores two neighbors, row 3 none that is unlabeled: it counts as dense as the least dense seed."""
    stored = np.zeros((5, 5))
    stored[0, [1, 2]] = [0.9, 0.8]
    stored[3, 0] = 0.5
    stored[1, [0, 3]] = [0.5, 0.6]
    stored[2, [0, 3]] = [0.7, 0.6]
    found = LocalPropagation(metric="precomputed", temperature=1.0).fit(sparse.csr_array(stored), [0, -1, -1, 1, -1])
    np.testing.assert_allclose(found.scores_[1], [np.exp(-0.1), 1])
    np.testing.assert_allclose(found.scores_[2], [1, np.exp(-0.1)])
    assert found.transduction_.tolist() == [0, 1, 0, 1, -1]


def test_wide_results_have_the_same_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = problem(400, 50, 6, dim=12)
    for density_name in ("joint", "ratio"):
        whole = LocalPropagation(density=density_name).fit(X, y)
        monkeypatch.setattr(top_classes, "DENSE_LIMIT", 0)
        monkeypatch.setattr(votes, "BLOCK_ELEMENTS", 1000)
        wide = LocalPropagation(density=density_name).fit(X, y)
        monkeypatch.undo()
        np.testing.assert_array_equal(wide.transduction_, whole.transduction_)
        np.testing.assert_allclose(wide.certainty_, whole.certainty_)
        np.testing.assert_allclose(wide.scores_.toarray(), whole.scores_)  # ten voters name at most ten classes


def test_pure_function_agrees_with_the_estimator() -> None:
    X, y = problem(120, 3, 7)
    vectors = torch.tensor(X, requires_grad=True)
    for density_name in ("joint", "ratio", None):
        found = LocalPropagation(density=density_name).spread(vectors, Seeds.hard(torch.from_numpy(y), 3))
        est = LocalPropagation(density=density_name).fit(X, y)
        np.testing.assert_array_equal(found.scores_NC.numpy(), est.scores_)
        assert not found.scores_NC.requires_grad


def test_mixed_precision_of_the_caller_does_not_reach_the_propagation() -> None:
    X, y = problem(120, 3, 10)
    vectors, seeds = torch.tensor(X, dtype=torch.float32), Seeds.hard(torch.from_numpy(y), 3)
    for density_name in ("joint", "conditional", "ratio"):
        plain = LocalPropagation(density=density_name).spread(vectors, seeds)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            mixed = LocalPropagation(density=density_name).spread(vectors, seeds)
        torch.testing.assert_close(mixed.scores_NC, plain.scores_NC)


def test_approximate_search_measures_its_recall() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(4000, 16)).astype(np.float32)
    y = np.where(np.arange(4000) < 2000, rng.integers(3, size=4000), -1)
    exact, found = (LocalPropagation(search=search).fit(X, y) for search in ("exact", "approximate"))
    assert 0.9 < found.recall_ <= 1
    assert (found.transduction_ == exact.transduction_).mean() > 0.9


def test_verbose_tells_the_stages(capsys: pytest.CaptureFixture[str]) -> None:
    X, y = problem(50, 2, 8)
    LocalPropagation(verbose=True).fit(X, y)
    assert [line.split(":")[0] for line in capsys.readouterr().err.splitlines()] == [
        "LocalPropagation density",
        "LocalPropagation votes",
    ]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_neighbors": 0}, r"n_neighbors=0: must be a whole number >= 1"),
        ({"n_density": 1.5}, r"n_density=1\.5: must be a whole number >= 1"),
        ({"temperature": -1}, r"temperature=-1: must be a number > 0"),
        ({"density": "join"}, r"unknown density 'join'; did you mean 'joint'\?"),
        ({"density": 3}, r"density=3: must be None or one of 'joint', 'conditional', 'ratio'"),
        ({"pool": None}, r"pool=None: must be one of 'unlabeled', 'all'\."),
    ],
)
def test_wrong_parameters(parameters: dict[str, Any], message: str) -> None:
    X, y = problem(20, 2, 0)
    with pytest.raises(RequestError, match=message):
        LocalPropagation(**parameters).fit(X, y)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("density_name", ["joint", "conditional", "ratio"])
def test_cuda_gives_the_answers_of_the_cpu(density_name: str) -> None:
    X, y = problem(2000, 5, 9)
    here, there = (LocalPropagation(density=density_name, device=device).fit(X, y) for device in ("cpu", "cuda"))
    np.testing.assert_allclose(there.scores_, here.scores_, rtol=1e-6)
    np.testing.assert_array_equal(there.transduction_, here.transduction_)
