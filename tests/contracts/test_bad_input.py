"""Data that break other implementations, given to every registered propagator: no NaN, no silent class 0."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsTransformer

from labelprop.core import registry
from labelprop.core.errors import DataError, RequestError
from labelprop.propagators.estimator import top_classes

NAMES = tuple(registry.entries("propagators"))
VOTERS = {"weighted-knn", "local"}
WEIGHT_GRAPHS = {"label-propagation", "label-spreading", "poisson", "auto"}  # take given similarities as W, or may


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def make(name: str, **parameters: Any) -> Any:
    known = inspect.signature(registry.lookup("propagators", name).load()).parameters
    return registry.lookup("propagators", name).load()(**{k: v for k, v in parameters.items() if k in known})


def fit(name: str, X: Any, y: Any, **parameters: Any) -> Any:
    """The fitted propagator, its promises checked."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = make(name, **parameters).fit(X, y)
    shares = found.label_distributions_
    shares = shares.toarray() if sparse.issparse(shares) else shares
    assert np.isfinite(shares).all()
    assert (shares >= 0).all()
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert np.isfinite(found.certainty_).all()
    np.testing.assert_array_equal(found.transduction_ == -1, ~found.reached_)
    seeded = np.asarray(y) >= 0
    np.testing.assert_array_equal(found.transduction_[seeded], np.asarray(y)[seeded])
    if not sparse.issparse(found.label_distributions_):
        np.testing.assert_allclose(shares[~found.reached_], 1 / shares.shape[1])
    return found


def clusters(n_classes: int = 3, members: int = 20, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    truth = np.tile(np.arange(n_classes), members)
    X = 5 * np.eye(n_classes, 8)[truth] + rng.normal(size=(len(truth), 8))
    return X, np.where(np.arange(len(truth)) < 3 * n_classes, truth, -1), truth


def test_more_neighbors_than_rows(name: str) -> None:
    X, y, _ = clusters(members=5)
    found = fit(name, X, y, n_neighbors=500)
    wanted = fit(name, X, y, n_neighbors=len(y) - 1)
    np.testing.assert_array_equal(found.transduction_, wanted.transduction_)
    assert found.predict(X[:2]).shape == (2,)


def test_zero_vectors_are_similar_to_nothing(name: str) -> None:
    X, y, truth = clusters()
    X[30:33] = 0
    found = fit(name, X, y, metric="cosine")
    assert (found.transduction_[30:33] == -1).all()
    others = np.setdiff1d(np.arange(len(y)), [30, 31, 32])
    assert (found.transduction_[others] == truth[others]).mean() > 0.9
    assert found.predict(np.zeros((1, 8)))[0] in {-1, *found.classes_}


def test_only_zero_vectors(name: str) -> None:
    y = np.array([0, 1, -1, -1, -1, -1])
    found = fit(name, np.zeros((6, 3)), y, metric="cosine")
    assert (found.transduction_[2:] == -1).all()


def test_all_points_equal(name: str) -> None:
    y = np.where(np.arange(40) < 6, np.arange(40) % 2, -1)
    found = fit(name, np.ones((40, 4)), y)
    assert (found.transduction_[:6] == y[:6]).all(), "seeds keep their labels"


def test_duplicates_by_the_thousand(name: str) -> None:
    truth = np.repeat(np.arange(3), 700)
    X = (np.eye(3, 5) + 0.1)[truth].astype(np.float32)
    y = np.full(len(truth), -1)
    y[[0, 1, 2, 700, 701, 702, 1400, 1401, 1402]] = truth[[0, 1, 2, 700, 701, 702, 1400, 1401, 1402]]
    found = fit(name, X, y)
    reached = found.reached_
    assert (found.transduction_[reached] == truth[reached]).all()


def test_one_class(name: str) -> None:
    X, y, _ = clusters()
    found = fit(name, X, np.where(y >= 0, 7, -1))
    assert found.classes_.tolist() == [7]
    assert set(found.transduction_[found.reached_].tolist()) == {7}
    assert (found.certainty_[found.reached_] == 1).all()
    assert found.predict_proba(X[:3]).shape == (3, 1)


def test_a_class_without_seeds_wins_nowhere(name: str) -> None:
    X, y, truth = clusters(n_classes=2)
    soft = np.where(y[:, None] >= 0, np.eye(3)[truth], 0.0)  # the third class has no seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = make(name).fit(X, soft)
    assert found.classes_.tolist() == [0, 1, 2]
    assert 2 not in found.transduction_
    assert found.class_weight_[2] == 0
    assert np.isfinite(found.label_distributions_).all()


def test_every_row_a_seed(name: str) -> None:
    X, _, truth = clusters(members=5)
    found = fit(name, X, truth)
    assert found.reached_.all()
    assert (found.certainty_ == 1).all()
    assert (found.predict(X) == truth).mean() > 0.9


def test_a_single_seed_among_two_rows(name: str) -> None:
    found = fit(name, np.array([[1.0, 0.5], [0.9, 0.6]]), np.array([4, -1]))
    assert found.transduction_[0] == 4
    assert found.transduction_[1] in (4, -1)


def test_half_precision_does_not_overflow(name: str) -> None:
    X, y, truth = clusters()
    found = fit(name, X.astype(np.float16), y)
    assert found.scores_.dtype == np.float32
    assert np.isfinite(found.scores_).all()
    assert (found.transduction_ == truth).mean() > 0.9


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(name: str, value: float) -> None:
    X, y, _ = clusters()
    X[41, 2] = value
    with pytest.raises(DataError, match="row 41"):
        make(name).fit(X, y)
    found = fit(name, np.nan_to_num(X, posinf=0), y)
    with pytest.raises(DataError, match="row 1 "):
        found.predict(X[40:43])


def test_too_wide_a_result_keeps_the_best_classes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    X, y, _ = clusters(n_classes=8, members=12)
    dense = fit(name, X, y)
    monkeypatch.setattr(top_classes, "DENSE_LIMIT", 100)
    monkeypatch.setattr(top_classes, "DEFAULT_TOP", 3)
    found = fit(name, X, y)
    assert sparse.issparse(found.scores_)
    assert sparse.issparse(found.label_distributions_)
    assert np.diff(found.label_distributions_.indptr).max() <= 3
    np.testing.assert_array_equal(found.reached_, dense.reached_)
    if name == "auto":  # compares and learns from what was kept, so that it may choose and learn something else
        assert (found.transduction_ == dense.transduction_).mean() > 0.95
        return
    np.testing.assert_array_equal(found.transduction_, dense.transduction_)
    np.testing.assert_allclose(found.certainty_, dense.certainty_, rtol=1e-6, atol=1e-9)
    kept = found.label_distributions_.toarray()
    cut = np.where(kept > 0, dense.label_distributions_, 0)
    np.testing.assert_allclose(kept, cut / cut.sum(axis=1, keepdims=True), rtol=1e-6)


def test_an_approximate_search_that_finds_too_few(name: str) -> None:
    X, y, truth = clusters(members=200)
    found = fit(name, X.astype(np.float32), y, search="approximate", n_neighbors=150)
    assert (found.transduction_ == truth).mean() > 0.9
    assert 0.9 < found.recall_ <= 1


class TestGivenGraphs:
    @staticmethod
    def similarities() -> tuple[sparse.csr_array, np.ndarray]:
        X, y, _ = clusters()
        unit = X / np.linalg.norm(X, axis=1, keepdims=True)
        cosines = np.where(unit @ unit.T > 0.5, unit @ unit.T, 0)
        np.fill_diagonal(cosines, 0)
        return sparse.csr_array(cosines), y

    def test_symmetric_weights_are_taken(self, name: str) -> None:
        graph, y = self.similarities()
        found = fit(name, graph, y, metric="precomputed")
        assert found.recall_ is None
        assert found.n_features_in_ == len(y)
        assert found.predict(graph[:4]).shape == (4,)

    def test_negative_weights(self, name: str) -> None:
        graph, y = self.similarities()
        graph.data[np.arange(graph.indptr[7], graph.indptr[8])] *= -1
        if name in WEIGHT_GRAPHS and name != "auto":  # which leaves these out
            with pytest.raises(DataError, match="row 7"):
                make(name, metric="precomputed").fit(graph, y)
        else:
            fit(name, graph, y, metric="precomputed")

    def test_asymmetric_weights(self, name: str) -> None:
        graph, y = self.similarities()
        upper = sparse.csr_array(sparse.triu(graph))
        if name in WEIGHT_GRAPHS:
            with pytest.warns(UserWarning, match="symmetric"):
                found = make(name, metric="precomputed").fit(upper, y)
            if name != "auto":  # which may choose a method with a graph of its own
                np.testing.assert_allclose(found.graph_.to_scipy().toarray(), graph.toarray())
        else:
            fit(name, upper, y, metric="precomputed")

    def test_distances_are_refused_as_similarities(self, name: str) -> None:
        graph, y = self.similarities()
        stored = sparse.csr_array(graph + sparse.eye_array(len(y)))
        stored.data = np.where(np.isclose(stored.data, 1), 0, stored.data)
        with pytest.raises(RequestError, match="precomputed_distances"):
            make(name, metric="precomputed").fit(stored, y)

    def test_values_that_are_not_finite(self, name: str) -> None:
        graph, y = self.similarities()
        graph.data[graph.indptr[5]] = np.nan
        with pytest.raises(DataError, match="row 5"):
            make(name, metric="precomputed").fit(graph, y)


@pytest.mark.parametrize("name", ["diffusion", "spectral-cut", "local", "weighted-knn"])
def test_distances_that_unit_vectors_cannot_have_are_refused_where_cosines_are_read_off_them(name: str) -> None:
    X = np.random.default_rng(0).normal(size=(40, 5)) * 10
    y = np.where(np.arange(40) < 8, np.arange(40) % 2, -1)
    graph = KNeighborsTransformer(n_neighbors=5, mode="distance").fit_transform(X)
    estimator = registry.lookup("propagators", name).load()(metric="precomputed_distances")
    with pytest.raises(DataError, match=r"row 0 of the precomputed distances holds .* unit length"):
        estimator.fit(graph, y)
