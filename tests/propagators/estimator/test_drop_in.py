"""What code written for scikit-learn's label propagation and spreading relies on, beyond its own tests."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import sklearn.semi_supervised as theirs
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import make_circles, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import dense_oracles as oracle
from labelprop import LabelPropagation, LabelSpreading, Poisson
from labelprop.core.errors import DataError

BOTH = (LabelPropagation, LabelSpreading)
CURVES: dict[str, Callable[[int], Any]] = {
    "moons": lambda seed: make_moons(500, noise=0.05, random_state=seed),
    "circles": lambda seed: make_circles(500, noise=0.05, factor=0.5, random_state=seed),
}


def kernel(a: Any, b: Any) -> np.ndarray:
    found: np.ndarray = rbf_kernel(a, b, gamma=0.5)
    return found


@pytest.mark.parametrize("curve", CURVES)
@pytest.mark.parametrize("kind", [*BOTH, Poisson])
def test_with_defaults_it_follows_curves_where_scikit_learn_does(kind: Any, curve: str) -> None:
    ours, peers = [], []
    for seed in range(3):
        X, truth = CURVES[curve](seed)
        seeds = np.random.default_rng(seed)
        y = np.full(500, -1)
        for label in (0, 1):
            y[seeds.choice(np.flatnonzero(truth == label), 3, replace=False)] = label
        ours.append((kind().fit(X, y).transduction_ == truth)[y < 0].mean())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            peers.append((theirs.LabelPropagation().fit(X, y).transduction_ == truth)[y < 0].mean())
    assert np.mean(ours) == 1
    assert np.mean(peers) == 1 or curve == "circles"  # with three labels a class theirs does not close them


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.csr_matrix, sparse.coo_array])
@pytest.mark.parametrize("kind", BOTH)
def test_a_kernel_of_ones_own_is_the_graph(kind: Any, form: Callable[[Any], Any]) -> None:
    X, y = oracle.blobs(60, 3, 1)
    found = kind(lambda a, b: form(kernel(a, b)), tol=1e-10).fit(X, y)
    wanted = kind("rbf", gamma=0.5, tol=1e-10).fit(X, y)
    np.testing.assert_allclose(found.graph_.to_scipy().toarray(), wanted.graph_.to_scipy().toarray(), rtol=1e-9)
    np.testing.assert_allclose(found.label_distributions_, wanted.label_distributions_, atol=1e-7)
    np.testing.assert_allclose(found.predict_proba(X[:7] + 0.1), wanted.predict_proba(X[:7] + 0.1), atol=1e-7)


@pytest.mark.parametrize("kind", BOTH)
def test_a_kernel_of_ones_own_gets_the_rows_as_scikit_learns_does(kind: Any) -> None:
    X, y = oracle.blobs(30, 2, 2)
    seen: list[tuple[Any, Any]] = []

    def watched(a: Any, b: Any) -> np.ndarray:
        seen.append((a, b))
        return kernel(a, b)

    found = kind(watched).fit(X, y)
    found.predict(X[:4])
    assert [(len(a), len(b)) for a, b in seen] == [(30, 30), (30, 4)]
    assert all(a is found.X_ for a, _ in seen)
    np.testing.assert_array_equal(found.X_, X)
    assert clone(found).kernel is watched


def test_a_kernel_that_is_not_mutual_warns_and_wrong_ones_are_refused() -> None:
    X, y = oracle.blobs(30, 2, 3)
    with pytest.warns(UserWarning, match="not symmetric"):
        one_way = LabelPropagation(lambda a, b: np.triu(kernel(a, b))).fit(X, y)
    both_ways = LabelPropagation(kernel).fit(X, y)
    np.testing.assert_allclose(one_way.scores_, both_ways.scores_)
    for wrong, message in (
        (lambda a, b: kernel(a, b)[:5], r"shape \(5, 30\).*must give numbers of shape \(30, 30\)"),
        (lambda a, b: -kernel(a, b), "row 0 of the graph holds the negative weight"),
        (lambda a, b: np.full((len(a), len(b)), np.nan), "NaN or infinity for row 0"),
    ):
        with pytest.raises(DataError, match=message):
            LabelPropagation(wrong).fit(X, y)


@pytest.mark.parametrize("kind", BOTH)
def test_the_rbf_kernel_crosses_sparse_and_dense(kind: Any) -> None:
    X, y = oracle.blobs(60, 3, 4)
    dense, packed = (kind("rbf", gamma=0.5).fit(form(X), y) for form in (np.asarray, sparse.csr_array))
    wanted = dense.predict_proba(X[:9] + 0.1)
    for found in (dense.predict_proba(sparse.csr_array(X[:9] + 0.1)), packed.predict_proba(X[:9] + 0.1)):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, np.float32])
def test_the_features_are_kept_as_they_were_fitted(form: Callable[[Any], Any]) -> None:
    X, y = oracle.blobs(30, 2, 4)
    for kind in BOTH:
        for metric in ("euclidean", "cosine"):
            kept = kind(metric=metric).fit(form(X), y).X_
            assert sparse.issparse(kept) == sparse.issparse(form(X))
            np.testing.assert_array_equal(kept.toarray() if sparse.issparse(kept) else kept, X.astype(kept.dtype))


def test_frames_of_a_pipeline_are_taken() -> None:
    pd = pytest.importorskip("pandas")
    X, y = oracle.blobs(60, 3, 5)
    frame = pd.DataFrame(X, columns=list("abcdef"))
    made = make_pipeline(StandardScaler(), LabelSpreading()).set_output(transform="pandas").fit(frame, y)
    assert made[-1].feature_names_in_.tolist() == list("abcdef")
    scaled = StandardScaler().fit_transform(X)
    np.testing.assert_array_equal(made.predict(frame), LabelSpreading().fit(scaled, y).predict(scaled))


@pytest.mark.parametrize("verbose", [0, 1, 2, np.int64(0), np.True_])
def test_verbose_may_be_a_number(verbose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    X, y = oracle.blobs(30, 2, 6)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        LabelSpreading(verbose=verbose).fit(X, y)
    assert bool(capsys.readouterr().err) == bool(verbose)
