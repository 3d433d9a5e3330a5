"""Every registered propagator in the places where scikit-learn's users put an estimator."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer

from labelprop.core import registry
from labelprop.data.labels.folds import SeedKFold

NAMES = tuple(registry.entries("propagators"))


@pytest.fixture(params=NAMES)
def estimator(request: pytest.FixtureRequest) -> Iterator[Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield registry.lookup("propagators", request.param).load()()


def blobs(n_classes: int = 3, members: int = 30) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    truth = np.tile(np.arange(n_classes), members)
    X = 5 * np.eye(n_classes, 8)[truth] + rng.normal(size=(len(truth), 8))
    return X, np.where(np.arange(len(truth)) < 4 * n_classes, truth, -1), truth


def test_grid_search_over_hidden_seeds(estimator: Any) -> None:
    X, y, truth = blobs()
    name = "cv" if "cv" in estimator.get_params() else "n_neighbors"
    search = GridSearchCV(estimator, {name: [2, 4]}, cv=SeedKFold(2), error_score="raise").fit(X, y)
    assert search.best_score_ > 0.9
    assert (search.predict(X) == truth).mean() > 0.9


@pytest.mark.parametrize("as_y", [lambda cells: np.array(cells, dtype=object), pd.Series], ids=["objects", "series"])
def test_a_search_over_names_scores_unreached_rows_as_wrong(estimator: Any, as_y: Any) -> None:
    """A hidden seed far from all others is reached by no graph of one neighbor."""
    X, y, _ = blobs()
    X = np.concatenate([X, -200 * np.eye(3, 8).repeat(2, axis=0)])
    names = [("ant", "bee", "cat")[label] if label >= 0 else "" for label in [*y, 0, -1, 1, -1, 2, -1]]
    name = "cv" if "cv" in estimator.get_params() else "n_neighbors"
    search = GridSearchCV(estimator, {name: [2]}, cv=SeedKFold(3), error_score="raise").fit(X, as_y(names))
    scores = np.array([search.cv_results_[f"split{fold}_test_score"][0] for fold in range(3)])
    assert np.isfinite(scores).all()
    assert ((scores >= 0.5) & (scores <= 1)).all()


def test_cross_validation_scores_hidden_seeds_only(estimator: Any) -> None:
    X, y, _ = blobs()
    scores = cross_val_score(estimator, X, y, cv=SeedKFold(4))
    assert scores.shape == (4,)
    assert scores.mean() > 0.9


def test_pipelines(estimator: Any) -> None:
    X, y, truth = blobs()
    made = make_pipeline(Normalizer(), clone(estimator)).fit(X, y)
    assert (made.predict(X) == truth).mean() > 0.9
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    graph = KNeighborsTransformer(n_neighbors=12)
    made = make_pipeline(graph, clone(estimator).set_params(metric="precomputed_distances")).fit(unit, y)
    reached = made[-1].reached_
    assert reached.mean() > 0.8
    assert (made[-1].transduction_[reached] == truth[reached]).mean() > 0.9
    assert made.predict(unit[:5]).shape == (5,)


def test_weights_are_routed_through_a_search(estimator: Any) -> None:
    X, y, _ = blobs()
    weights = np.where(np.arange(len(y)) == 0, 0.0, 1.0)
    with sklearn.config_context(enable_metadata_routing=True):
        routed = estimator.set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        name = "cv" if "cv" in estimator.get_params() else "n_neighbors"
        search = GridSearchCV(routed, {name: [3]}, cv=SeedKFold(2)).fit(X, y, sample_weight=weights)
    wanted = clone(search.best_estimator_).fit(X, np.where(weights > 0, y, -1))
    np.testing.assert_allclose(search.best_estimator_.certainty_[1:], wanted.certainty_[1:], rtol=1e-6)


def test_memory_mapped_features_equal_arrays(estimator: Any, tmp_path: Path) -> None:
    X, y, _ = blobs()
    np.save(tmp_path / "X.npy", X.astype(np.float32))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    found, wanted = clone(estimator).fit(mapped, y), clone(estimator).fit(X.astype(np.float32), y)
    np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found.predict(mapped[:9]), wanted.predict(X[:9].astype(np.float32)))


def test_sparse_features_equal_dense_ones(estimator: Any) -> None:
    X, y, _ = blobs()
    X = np.where(np.abs(X) > 1, X, 0)
    dense = clone(estimator).fit(X, y)
    for form in (sparse.csr_array, sparse.csr_matrix):
        found = clone(estimator).fit(form(X), y)
        np.testing.assert_allclose(found.label_distributions_, dense.label_distributions_, rtol=1e-5, atol=1e-7)
        np.testing.assert_array_equal(found.predict(form(X[:9])), dense.predict(X[:9]))


@pytest.mark.parametrize("search", ["exact", "approximate"])
def test_what_was_fitted_sparse_predicts_dense_and_the_other_way(estimator: Any, search: str) -> None:
    X, y, _ = blobs(members=60)
    X = np.where(np.abs(X) > 1, X, 0)
    dense = clone(estimator).set_params(search=search).fit(X, y)
    wanted = dense.predict_proba(X[:9])
    for form in (sparse.csr_array, sparse.csc_matrix, sparse.lil_matrix):
        np.testing.assert_allclose(dense.predict_proba(form(X[:9])), wanted, rtol=1e-5, atol=1e-7)
    if search == "exact":  # no other takes sparse rows
        fitted = clone(estimator).fit(sparse.csr_array(X), y)
        for form in (np.asarray, np.float32, torch.tensor, sparse.csr_array):
            np.testing.assert_allclose(fitted.predict_proba(form(X[:9])), wanted, rtol=1e-4, atol=1e-6)
        rounded = fitted.predict_proba(torch.tensor(X[:9], dtype=torch.bfloat16))
        np.testing.assert_allclose(rounded, wanted, atol=0.05)


def test_verbose_and_parameters_of_numpy_are_taken(estimator: Any) -> None:
    X, y, _ = blobs()
    given = {name: np.float32(value) for name, value in estimator.get_params().items() if type(value) is float}
    whole = {name: np.int64(value) for name, value in estimator.get_params().items() if type(value) is int}
    found = clone(estimator).set_params(verbose=0, **given, **whole).fit(X, y)
    np.testing.assert_allclose(found.certainty_, clone(estimator).fit(X, y).certainty_, rtol=1e-3, atol=1e-4)


def test_it_survives_pickling_and_cloning_when_fitted_on_text_labels(estimator: Any) -> None:
    X, y, truth = blobs()
    names = np.array(["ant", "bee", "cat"])
    found = estimator.fit(X, np.where(y >= 0, names[truth], ""))
    revived = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(revived.predict(X), found.predict(X))
    assert set(revived.predict(X).tolist()) <= {*names.tolist(), ""}
    assert revived.score(X, names[truth]) > 0.9


def test_the_device_and_the_top_classes_can_be_set(estimator: Any) -> None:
    X, y, truth = blobs()
    found = estimator.set_params(device="cpu", top_classes=2).fit(X, y)
    assert sparse.issparse(found.label_distributions_)
    np.testing.assert_allclose(np.asarray(found.label_distributions_.sum(axis=1)), 1, rtol=1e-6)
    assert (found.predict(X) == truth).mean() > 0.9


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_cuda_equals_the_cpu(estimator: Any) -> None:
    X, y, _ = blobs()
    wanted = clone(estimator).set_params(device="cpu").fit(X, y)
    for device, form in (("cuda", X), ("auto", torch.tensor(X, device="cuda"))):
        found = clone(estimator).set_params(device=device).fit(form, y)
        assert found.graph_.device.type == "cuda"
        np.testing.assert_array_equal(found.transduction_, wanted.transduction_)
        np.testing.assert_allclose(found.scores_, wanted.scores_, rtol=1e-5, atol=1e-8)
        np.testing.assert_array_equal(found.predict(form[:9]), wanted.predict(X[:9]))
